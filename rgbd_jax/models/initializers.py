"""Initial weights, drawn on the host by NumPy from the bits of the key.

They are the same on every platform, and nothing has to be compiled: with `jax.random`, hundreds of shapes
would cost more time than the training step's compilation.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn.initializers import Initializer


def normal(std: float, mean: float = 0.0) -> Initializer:
    """N(mean, std²)."""

    def init(key: jax.Array, shape: Sequence[int], dtype=np.float32, out_sharding=None) -> jax.Array:
        del out_sharding
        return jnp.asarray(_generator(key).normal(mean, std, shape), dtype)

    return init


def kaiming_normal(fan_out: int) -> Initializer:
    """N(0, 2 / fan_out): keeps the variance of gradients through a ReLU (He et al., ICCV 2015)."""
    return normal(math.sqrt(2 / fan_out))


def uniform(bound: float) -> Initializer:
    """U(−bound, bound)."""

    def init(key: jax.Array, shape: Sequence[int], dtype=np.float32, out_sharding=None) -> jax.Array:
        del out_sharding
        return jnp.asarray(_generator(key).uniform(-bound, bound, shape), dtype)

    return init


def _generator(key: jax.Array) -> np.random.Generator:
    return np.random.default_rng(np.asarray(jax.random.key_data(key)))

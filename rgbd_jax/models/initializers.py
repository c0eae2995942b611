"""Initial weights, drawn on the host by NumPy from the bits of the key.

They are the same on every platform, and nothing has to be compiled: with `jax.random`, hundreds of shapes
would cost more time than the training step's compilation.
"""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.nn.initializers import Initializer
from jax.typing import DTypeLike


def normal(std: float, mean: float = 0.0) -> Initializer:
    """N(mean, std²)."""

    def init(key: jax.Array, shape: Sequence[int], dtype=np.float32, out_sharding=None) -> jax.Array:
        del out_sharding
        return _draw(key, shape, dtype, lambda generator: generator.normal(mean, std, shape))

    return init


def kaiming_normal(fan_out: int) -> Initializer:
    """N(0, 2 / fan_out): keeps the variance of gradients through a ReLU (He et al., ICCV 2015)."""
    return normal(math.sqrt(2 / fan_out))


def uniform(bound: float) -> Initializer:
    """U(−bound, bound)."""

    def init(key: jax.Array, shape: Sequence[int], dtype=np.float32, out_sharding=None) -> jax.Array:
        del out_sharding
        return _draw(key, shape, dtype, lambda generator: generator.uniform(-bound, bound, shape))

    return init


def _draw(
    key: jax.Array, shape: Sequence[int], dtype: DTypeLike, draw: Callable[[np.random.Generator], np.ndarray]
) -> jax.Array:
    """What `draw` makes of a generator with the bits of the key."""
    bits = jax.random.key_data(key)

    def on_host(bits: jax.Array) -> np.ndarray:
        return draw(np.random.default_rng(np.asarray(bits))).astype(dtype)

    if isinstance(bits, jax.core.Tracer):  # so that eval_shape finds the shapes and draws nothing
        return jax.pure_callback(on_host, jax.ShapeDtypeStruct(tuple(shape), dtype), bits)
    return jnp.asarray(on_host(bits))

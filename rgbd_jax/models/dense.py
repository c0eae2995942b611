"""Dense layers and layer norm of the video networks, with PyTorch's conventions.

They act on the last axis and compute in the dtype of their input; the statistics of a norm have that of the
parameters.
"""

import jax
import jax.numpy as jnp
from flax import nnx

from rgbd_jax.models.initializers import uniform
from rgbd_jax.models.layers import add_spread

EPSILON = 1e-5


class Dense(nnx.Module):
    """A linear layer; kernel and bias begin uniformly within ±1/√I."""

    def __init__(self, in_features: int, out_features: int, *, bias: bool = True, rngs: nnx.Rngs):
        init = uniform(in_features**-0.5)
        self.kernel = nnx.Param(init(rngs.params(), (in_features, out_features), jnp.float32))
        self.bias = nnx.Param(init(rngs.params(), (out_features,), jnp.float32)) if bias else None

    def __call__(self, x: jax.Array) -> jax.Array:
        """(..., I) to (..., O)."""
        # XLA's CPU backend is fast at gradients of products of matrices, at a third of that with more axes.
        y = x.reshape(-1, x.shape[-1]) @ self.kernel[...].astype(x.dtype)
        if self.bias is not None:
            y = add_spread(y, self.bias[...])
        return y.reshape(*x.shape[:-1], -1)


class LayerNorm(nnx.Module):
    """Layer normalisation over the last axis (Ba et al., 2016), the variance found in two passes."""

    def __init__(self, num_features: int):
        self.scale = nnx.Param(jnp.ones(num_features))
        self.bias = nnx.Param(jnp.zeros(num_features))

    def __call__(self, x: jax.Array) -> jax.Array:
        """(..., C) to (..., C)."""
        wide = x.astype(self.scale.dtype)
        centred = wide - wide.mean(-1, keepdims=True)
        var = jnp.square(centred).mean(-1, keepdims=True)
        scale, bias = jnp.broadcast_to(self.scale[...], x.shape), jnp.broadcast_to(self.bias[...], x.shape)
        return (centred * jax.lax.rsqrt(var + EPSILON) * scale + bias).astype(x.dtype)


class NormDense(nnx.Module):
    """A layer norm, then a dense layer: the heads of the networks."""

    def __init__(self, in_features: int, out_features: int, *, rngs: nnx.Rngs):
        self.norm = LayerNorm(in_features)
        self.dense = Dense(in_features, out_features, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """(..., I) to (..., O)."""
        return self.dense(self.norm(x))

"""Layers of the skeleton networks, and a batch norm that keeps PyTorch's rules.

The convolutions here put the channels first, (C, N, T, V): one over single positions is then one large matrix product,
channels split and join without a copy, and the statistics of a channel lie in one piece of memory. A layer computes in the
dtype of its input.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import Initializer, ones

from rgbd_jax.models.initializers import kaiming_normal


class BatchNorm(nnx.Module):
    """Batch normalisation with the rules of the published networks.

    In training it normalises with the biased variance of the batch, found in two passes, and feeds the running variance
    with the unbiased one. Statistics have the dtype of the parameters, whatever the input. Under `jit` the batch is the global one.
    """

    def __init__(
        self,
        num_features: int,
        *,
        axis: int = 0,
        epsilon: float = 1e-5,
        momentum: float = 0.9,
        scale_init: Initializer = ones,
        rngs: nnx.Rngs,
    ):
        """
        Args:
          axis: the axis of the features.
          momentum: the weight that the old running statistics keep.
        """
        self.axis = axis
        self.epsilon = epsilon
        self.momentum = momentum
        self.scale = nnx.Param(scale_init(rngs.params(), (num_features,), jnp.float32))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """Normalise x; in training also move the running statistics."""
        axis = self.axis % x.ndim
        others = tuple(i for i in range(x.ndim) if i != axis)
        wide = x.astype(self.mean.dtype)
        if train:
            mean = wide.mean(others, keepdims=True)
            var = jnp.square(wide - mean).mean(others, keepdims=True)
            self._move_statistics(mean.ravel(), var.ravel(), x.size // mean.size)
        else:
            mean, var = jnp.expand_dims(self.mean[...], others), jnp.expand_dims(self.var[...], others)
        scale, bias = jnp.expand_dims(self.scale[...], others), jnp.expand_dims(self.bias[...], others)
        return ((wide - mean) * (jax.lax.rsqrt(var + self.epsilon) * scale) + bias).astype(x.dtype)

    def _move_statistics(self, mean: jax.Array, var: jax.Array, count: int):
        mean, var = jax.lax.stop_gradient((mean, var))
        unbiased = var * (count / max(count - 1, 1))
        self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * mean
        self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * unbiased


class PointwiseConv(nnx.Module):
    """A convolution over single positions: one matrix product over the leading axis of (C, ...)."""

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel_init: Initializer | None = None, rngs: nnx.Rngs
    ):
        init = kernel_init or kaiming_normal(out_channels)
        self.kernel = nnx.Param(init(rngs.params(), (out_channels, in_channels), jnp.float32))
        self.bias = nnx.Param(jnp.zeros(out_channels))

    def __call__(self, x: jax.Array) -> jax.Array:
        """(I, ...) to (O, ...)."""
        flat = self.kernel[...].astype(x.dtype) @ x.reshape(len(x), -1)
        return (flat + self.bias[...].astype(x.dtype)[:, None]).reshape(-1, *x.shape[1:])


class TemporalConv(nnx.Module):
    """A convolution over the T of (C, N, T, V), padded so that a stride of 1 keeps T.

    It is one matrix product too: the frames that the kernel sees are stacked as channels.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        width: int,
        stride: int = 1,
        dilation: int = 1,
        rngs: nnx.Rngs,
    ):
        self.stride = stride
        self.dilation = dilation
        self.kernel = nnx.Param(
            kaiming_normal(out_channels * width)(
                rngs.params(), (out_channels, width, in_channels), jnp.float32
            )
        )
        self.bias = nnx.Param(jnp.zeros(out_channels))

    def __call__(self, x: jax.Array) -> jax.Array:
        """(I, N, T, V) to (O, N, (T − 1) // stride + 1, V)."""
        out_channels, width, _ = self.kernel.shape
        kernel = self.kernel[...].astype(x.dtype).reshape(out_channels, -1)
        seen = jnp.concatenate(shifted_frames(x, width, self.stride, self.dilation, fill=0))
        flat = kernel @ seen.reshape(len(seen), -1)
        return (flat + self.bias[...].astype(x.dtype)[:, None]).reshape(-1, *seen.shape[1:])


def max_pool_frames(x: jax.Array, *, width: int, stride: int) -> jax.Array:
    """The largest value of each window of `width` frames, (C, N, T, V) to (C, N, (T − 1) // stride + 1, V)."""
    windows = shifted_frames(x, width, stride, 1, fill=-jnp.inf)
    result = windows[0]
    for window in windows[1:]:
        result = jnp.maximum(result, window)
    return result


def shifted_frames(x: jax.Array, width: int, stride: int, dilation: int, *, fill: float) -> list[jax.Array]:
    """What each tap of a centred temporal window of odd `width` sees: `width` arrays (C, N, (T − 1) // stride + 1, V).

    Beyond the ends of the clip the taps see `fill`.
    """
    frames = x.shape[2]
    reach = dilation * (width // 2)
    padded = jnp.pad(x, ((0, 0), (0, 0), (reach, reach), (0, 0)), constant_values=fill)
    starts = range(0, dilation * width, dilation)
    return [jax.lax.slice_in_dim(padded, start, start + frames, stride, axis=2) for start in starts]

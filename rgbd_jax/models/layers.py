"""Layers of the skeleton networks, and a batch norm that keeps PyTorch's rules.

The convolutions put the channels first, (C, N, T, V): one over single positions is then one large matrix
product, channels split and join in whole pieces of memory, and the statistics of a channel are taken over one
such piece. A layer computes in the dtype of its input.
"""

import functools

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import Initializer, ones

from rgbd_jax.models.initializers import kaiming_normal


class BatchNorm(nnx.Module):
    """Batch normalisation with the rules of the published networks.

    In training it normalises with the biased variance of the batch and feeds the running variance with the
    unbiased one. Under `jit` the batch is the global one. Statistics have the dtype of the parameters,
    whatever the input.

    Attributes:
      frozen: normalise with the running statistics in training too, and leave them as they are.
    """

    frozen: bool = False

    def __init__(
        self,
        num_features: int,
        *,
        axis: int = 0,
        epsilon: float = 1e-5,
        momentum: float = 0.9,
        scale_init: Initializer = ones,
        relu: bool = False,
        rngs: nnx.Rngs,
    ):
        """
        Args:
          axis: the axis of the features.
          momentum: the weight that the old running statistics keep.
          relu: end with a ReLU, whose gradient then costs no pass of its own.
        """
        self.axis = axis
        self.epsilon = epsilon
        self.momentum = momentum
        self.relu = relu
        self.scale = nnx.Param(scale_init(rngs.params(), (num_features,), jnp.float32))
        self.bias = nnx.Param(jnp.zeros(num_features))
        self.mean = nnx.BatchStat(jnp.zeros(num_features))
        self.var = nnx.BatchStat(jnp.ones(num_features))

    def __call__(self, x: jax.Array, *, train: bool, offset: jax.Array | float = 0.0) -> jax.Array:
        """Normalise x + offset; in training also move the running statistics.

        Args:
          offset: of each feature, (C,): the bias of the layer before. The batch's own mean takes it away
            again, so in training no pass over x is spent on it, and its gradient is exactly 0.
        """
        others = tuple(i for i in range(x.ndim) if i != self.axis % x.ndim)
        scale, bias = jnp.expand_dims(self.scale[...], others), jnp.expand_dims(self.bias[...], others)
        if train and not self.frozen:
            y, mean, var = normalise_batch(x, scale, bias, self.epsilon, self.relu)
            self._move_statistics(mean.ravel() + offset, var.ravel(), x.size // mean.size)
            return y
        mean = jnp.expand_dims(self.mean[...] - offset, others)
        var = jnp.expand_dims(self.var[...], others)
        y = (x.astype(mean.dtype) - mean) * (jax.lax.rsqrt(var + self.epsilon) * scale) + bias
        y = y.astype(x.dtype)
        return nnx.relu(y) if self.relu else y

    def _move_statistics(self, mean: jax.Array, var: jax.Array, count: int):
        unbiased = var * (count / max(count - 1, 1))
        self.mean[...] = self.momentum * self.mean[...] + (1 - self.momentum) * mean
        self.var[...] = self.momentum * self.var[...] + (1 - self.momentum) * unbiased


def freeze_norms(network: nnx.Module) -> None:
    """Let all batch norms of a network keep their statistics in training: few clips have no better ones."""
    for _, module in nnx.iter_modules(network):
        if isinstance(module, BatchNorm):
            module.frozen = True


@functools.partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def normalise_batch(
    x: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float, relu: bool = False
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Batch normalisation with the statistics of x itself.

    Its gradient, written out, passes over x twice; derived automatically, it follows those of the statistics
    back and takes several more. No gradient flows through the returned statistics.

    Args:
      x: the batch.
      scale, bias: of the features, with all other axes of x as 1.
      relu: end with a ReLU.

    Returns:
      y like x, and the mean and biased variance, like scale.
    """
    return _normalise_forward(x, scale, bias, epsilon, relu)[0]


def _normalise_forward(x, scale, bias, epsilon, relu):
    others = _axes_of_length_one(scale)
    wide = _unshared(x).astype(scale.dtype)
    mean = wide.mean(others, keepdims=True)
    if x.dtype.itemsize < scale.dtype.itemsize:
        # One pass over x, as Flax does. The variance loses some 2⁻²² (mean / σ)² of itself: nothing in what
        # convolutions make, all of it in a channel that hardly varies far from 0.
        var = jnp.maximum(jnp.square(wide).mean(others, keepdims=True) - jnp.square(mean), 0)
    else:
        var = jnp.square(wide - mean).mean(others, keepdims=True)
    inverse = jax.lax.rsqrt(var + epsilon)
    y = ((wide - mean) * (inverse * scale) + bias).astype(x.dtype)
    return (jnp.maximum(y, 0) if relu else y, mean, var), (x, scale, bias, mean, inverse)


def _normalise_backward(epsilon, relu, kept, cotangents):
    del epsilon
    x, scale, bias, mean, inverse = kept
    others, count = _axes_of_length_one(scale), x.size // scale.size

    # Found for the sums and again for the gradient: on a GPU that costs less than keeping it (`_unshared`).
    def centred_and_cotangent(x):
        """x about its mean, and the cotangent of what it is scaled to: where the ReLU is 0, that is 0."""
        centred, cotangent = x.astype(scale.dtype) - mean, cotangents[0]
        if relu:
            y = (centred * (inverse * scale) + bias).astype(x.dtype)
            cotangent = jnp.where(y > 0, cotangent, jnp.zeros_like(cotangent))
        return centred, cotangent.astype(scale.dtype)

    if relu:
        x = _unshared(x)
    centred, cotangent = centred_and_cotangent(x)
    bias_grad = cotangent.sum(others, keepdims=True)
    scale_grad = (cotangent * centred).sum(others, keepdims=True) * inverse
    if relu:
        x = _unshared(x)  # of what is already so: two of the same would be made one
    centred, cotangent = centred_and_cotangent(x)
    # Mean and variance follow x, so nothing along the constant and along the normalised x comes through.
    grad = (inverse * scale) * (cotangent - bias_grad / count - centred * (inverse * scale_grad / count))
    return grad.astype(x.dtype), scale_grad, bias_grad


def _unshared(x):
    """The same x, but what is made of it is made again at the next use rather than kept for it.

    XLA's GPU backend would else write to memory what several kernels need, such as the cotangent behind a
    ReLU; to make that of x again costs less than to read it.
    """
    return jax.lax.platform_dependent(x, cpu=lambda same: same, default=jax.lax.optimization_barrier)


def _axes_of_length_one(array: jax.Array) -> tuple[int, ...]:
    return tuple(i for i, length in enumerate(array.shape) if length == 1)


normalise_batch.defvjp(_normalise_forward, _normalise_backward)


class PointwiseConv(nnx.Module):
    """A convolution over single positions: one matrix product over the leading axis of (C, ...)."""

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel_init: Initializer | None = None, rngs: nnx.Rngs
    ):
        """
        Args:
          kernel_init: of the kernel (O, I); Kaiming's over the outputs unless given.
        """
        init = kernel_init or kaiming_normal(out_channels)
        self.kernel = nnx.Param(init(rngs.params(), (out_channels, in_channels), jnp.float32))
        self.bias = nnx.Param(jnp.zeros(out_channels))

    def __call__(self, x: jax.Array) -> jax.Array:
        """(I, ...) to (O, ...)."""
        return affine(self.kernel[...], self.bias[...], x)

    def without_bias(self, x: jax.Array) -> jax.Array:
        """The same for a batch norm that is told the bias as its `offset`."""
        return product(self.kernel[...], x)


class TemporalConv(nnx.Module):
    """A convolution over the T of (C, N, T, V), padded so that a stride of 1 keeps T.

    It is one matrix product too: the frames that the kernel sees are stacked as channels. A batch norm
    follows it, and is told the bias as its `offset`.
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
        self.width = width
        self.stride = stride
        self.dilation = dilation
        init = kaiming_normal(out_channels * width)
        self.kernel = nnx.Param(init(rngs.params(), (out_channels, width, in_channels), jnp.float32))
        self.bias = nnx.Param(jnp.zeros(out_channels))

    def without_bias(self, x: jax.Array) -> jax.Array:
        """(I, N, T, V) to (O, N, (T − 1) // stride + 1, V)."""
        seen = jnp.concatenate(shifted_frames(x, self.width, self.stride, self.dilation, fill=0))
        return product(self.kernel[...].reshape(-1, len(seen)), seen)


def max_pool_frames(x: jax.Array, *, width: int, stride: int) -> jax.Array:
    """The largest of each window of `width` frames, (C, N, T, V) to (C, N, (T − 1) // stride + 1, V)."""
    return functools.reduce(jnp.maximum, shifted_frames(x, width, stride, 1, fill=-jnp.inf))


def shifted_frames(x: jax.Array, width: int, stride: int, dilation: int, *, fill: float) -> list[jax.Array]:
    """What each tap of a centred window of odd `width` sees: `width` times (C, N, (T − 1) // stride + 1, V).

    Beyond the ends of the clip the taps see `fill`.
    """
    frames = -(-x.shape[2] // stride)
    reach = dilation * (width // 2)
    longest = dilation * (width - 1) + frames * stride
    pad = (reach, -(-longest // stride) * stride - reach - x.shape[2])
    padded = jnp.pad(x, ((0, 0), (0, 0), pad, (0, 0)), constant_values=fill)
    # The places within a stride become an axis: XLA's GPU backend (JAX 0.11) stops the process where the
    # gradient of a strided slice meets a matrix product.
    phases = padded.reshape(*x.shape[:2], -1, stride, x.shape[3])
    starts = range(0, dilation * width, dilation)
    return [phases[:, :, start // stride : start // stride + frames, start % stride] for start in starts]


def strided_frames(x: jax.Array, stride: int) -> jax.Array:
    """The frames 0, stride, 2·stride and so on, (C, N, T, V) to (C, N, (T − 1) // stride + 1, V)."""
    return shifted_frames(x, 1, stride, 1, fill=0)[0]


def product(kernel: jax.Array, x: jax.Array) -> jax.Array:
    """kernel (O, I) times x (I, ...)."""
    return (kernel.astype(x.dtype) @ x.reshape(len(x), -1)).reshape(-1, *x.shape[1:])


def affine(kernel: jax.Array, bias: jax.Array, x: jax.Array) -> jax.Array:
    """kernel (O, I) times x (I, ...), plus bias (O,)."""
    y = product(kernel, x)
    return add_spread(y, jnp.expand_dims(bias, range(1, y.ndim)))


def add_spread(x: jax.Array, addend: jax.Array) -> jax.Array:
    """x plus an addend, mostly parameters of another dtype, that is broadcast to it."""
    # Spread first and cast then, so that the gradient of the addend is summed in its own dtype.
    return x + jnp.broadcast_to(addend, x.shape).astype(x.dtype)

"""Layers of the video networks: the convolution unit and the zero-padded max pooling of inception networks.

Clips are (B, T, H, W, C), sequences (B, T, C): the channels come last. A layer computes in the dtype of its
input.
"""

import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx

from rgbd_jax.models.initializers import uniform
from rgbd_jax.models.layers import BatchNorm

# Of the batch norms of the inception networks, in our convention: the weight that the old statistics keep.
EPSILON, MOMENTUM = 1e-3, 0.99


class ConvUnit(nnx.Module):
    """Convolution without bias, batch norm, ReLU. The convolution is over the last axes before the channels.

    It pads with zeros so that a stride d makes ⌈s / d⌉ of s positions; where the padding is uneven, the end
    has the larger part.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel: tuple[int, ...] = (),
        stride: int = 1,
        rngs: nnx.Rngs,
    ):
        """
        Args:
          kernel: one width for each axis to convolve: (3, 3) over the frames of a clip, (3,) over the time of
            a sequence, () over single positions.
          stride: the same for all these axes.
        """
        self.stride = stride
        init = uniform((in_channels * math.prod(kernel)) ** -0.5)
        self.kernel = nnx.Param(init(rngs.params(), (out_channels, *kernel, in_channels), jnp.float32))
        self.norm = BatchNorm(out_channels, axis=-1, epsilon=EPSILON, momentum=MOMENTUM, relu=True, rngs=rngs)

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """(..., *space, I) to (..., *⌈space / stride⌉, O)."""
        return self.norm(convolve(x, self.kernel[...].astype(x.dtype), self.stride), train=train)


def set_norm_momentum(network: nnx.Module, momentum: float) -> None:
    """Let the batch norms of all convolution units in a network keep `momentum` of their running statistics.

    The published 0.99 forgets how these begin only after hundreds of steps.
    """
    for _, module in nnx.iter_modules(network):
        if isinstance(module, ConvUnit):
            module.norm.momentum = momentum


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def convolve(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """Convolution of x (..., *space, I) with a kernel (O, *widths, I), padded like `ConvUnit`."""
    return _convolve(x, kernel, stride)


def _convolve(x, kernel, stride):
    axes = kernel.ndim - 2
    if not axes:
        return (x.reshape(-1, x.shape[-1]) @ kernel.T).reshape(*x.shape[:-1], -1)
    space = "HW"[:axes]
    y = jax.lax.conv_general_dilated(
        x.reshape(-1, *x.shape[-axes - 1 :]),
        kernel,
        window_strides=(stride,) * axes,
        padding="SAME",
        dimension_numbers=(f"N{space}C", f"O{space}I", f"N{space}C"),
    )
    return y.reshape(*x.shape[: -axes - 1], *y.shape[1:])


def _convolve_forward(x, kernel, stride):
    return _convolve(x, kernel, stride), (x, kernel)


def _convolve_backward(stride, factors, cotangent):
    x, kernel = factors
    (x_grad,) = jax.linear_transpose(lambda x: _convolve(x, kernel, stride), x)(cotangent)

    def derived(x, cotangent):
        return jax.linear_transpose(lambda kernel: _convolve(x, kernel, stride), kernel)(cotangent)[0]

    def by_frame(x, cotangent):
        return _kernel_gradient(x, cotangent, kernel.shape, stride)

    if x.ndim == 5 and kernel.ndim == 4:
        return x_grad, jax.lax.platform_dependent(x, cotangent, cpu=by_frame, default=derived)
    return x_grad, derived(x, cotangent)


def _kernel_gradient(x, cotangent, shape, stride):
    """The gradient of a kernel of this shape over clips x (B, T, H, W, I): a matrix product for each frame.

    XLA's CPU backend has a convolution for it with a window as large as the frame, several times slower.
    """
    batch, _, height, width, out_channels = cotangent.shape
    # The positions within a stride become channels. That leaves a stride of 1 and a kernel of whole strides.
    rows, columns = (-(-length // stride) for length in shape[1:3])
    seen_height, seen_width = height + rows - 1, width + columns - 1
    pads = [(0, 0, 0)] * 4
    for axis, seen in ((1, seen_height), (2, seen_width)):
        size = x.shape[axis + 1]
        front, _ = _same_padding(size, shape[axis], stride)
        pads[axis] = (front, seen * stride - size - front, 0)

    def add_frame(total, frame):
        x, cotangent = frame
        x = jax.lax.pad(x, jnp.zeros((), x.dtype), pads)
        x = x.reshape(batch, seen_height, stride, seen_width, stride, -1).transpose(2, 4, 5, 0, 1, 3)
        x = x.reshape(-1, batch, seen_height, seen_width)
        taps = [x[:, :, i : i + height, j : j + width] for i in range(rows) for j in range(columns)]
        taps = jnp.concatenate(taps).reshape(-1, batch * height * width)
        flat = cotangent.reshape(-1, out_channels)
        return total + jnp.matmul(taps, flat, preferred_element_type=total.dtype), None

    summed_in = x.dtype if x.dtype.itemsize >= 4 else jnp.float32
    total = jnp.zeros((rows * columns * stride**2 * shape[-1], out_channels), summed_in)
    total, _ = jax.lax.scan(add_frame, total, (x.swapaxes(0, 1), cotangent.swapaxes(0, 1)))
    total = total.reshape(rows, columns, stride, stride, -1, out_channels).transpose(5, 0, 2, 1, 3, 4)
    total = total.reshape(out_channels, rows * stride, columns * stride, -1)
    return total[:, : shape[1], : shape[2]].astype(x.dtype)


convolve.defvjp(_convolve_forward, _convolve_backward)


def max_pool(x: jax.Array, widths: Sequence[int], stride: int = 1) -> jax.Array:
    """The largest of each window of x, which is padded with zeros like `ConvUnit`.

    So where all of a window at the border is negative, the result is 0. Of equal values the first one, in the
    order of memory, receives the gradient.

    Args:
      x: (..., *space, C).
      widths: of the window, one for each axis of the space.
      stride: the same for all axes with a window wider than 1; the others keep their positions.

    Returns:
      (..., *⌈space / stride⌉, C).
    """
    # Axis by axis, the last first: the gradient then ends at the first of equal values.
    for axis, width in zip(range(-2, -2 - len(widths), -1), reversed(widths), strict=True):
        if width > 1:
            x = _max_pool_axis(x, axis % x.ndim, width, stride)
    return x


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def _max_pool_axis(x: jax.Array, axis: int, width: int, stride: int) -> jax.Array:
    return functools.reduce(jnp.maximum, _taps(x, axis, width, stride))


def _taps(x, axis, width, stride):
    """What each position of a window sees."""
    front, back = _same_padding(x.shape[axis], width, stride)
    pads = [(front, back) if i == axis else (0, 0) for i in range(x.ndim)]
    padded = jnp.pad(x, pads)
    count = -(-x.shape[axis] // stride)
    return [
        jax.lax.slice_in_dim(padded, tap, tap + (count - 1) * stride + 1, stride, axis)
        for tap in range(width)
    ]


def _same_padding(size: int, width: int, stride: int) -> tuple[int, int]:
    total = max((-(-size // stride) - 1) * stride + width - size, 0)
    return total // 2, total - total // 2


def _max_pool_forward(x, axis, width, stride):
    best, *others = _taps(x, axis, width, stride)
    winner = jnp.zeros(best.shape, jnp.int8)
    for tap, other in enumerate(others, 1):
        winner = jnp.where(other > best, jnp.int8(tap), winner)
        best = jnp.maximum(best, other)
    # XLA's GPU backend would else find parts of this again for the next axis, and read x a second time.
    best, winner = jax.lax.platform_dependent(
        best, winner, cpu=lambda *pair: pair, default=lambda *pair: jax.lax.optimization_barrier(pair)
    )
    return best, (winner, x.shape[axis])


def _max_pool_backward(axis, width, stride, kept, cotangent):
    winner, size = kept
    front, _ = _same_padding(size, width, stride)
    spread = (cotangent.shape[axis] - 1) * stride + 1
    grads = []
    for tap in range(width):
        # What falls upon the padding is cut off.
        low = tap - front
        pads = [
            (low, size - low - spread, stride - 1) if i == axis else (0, 0, 0) for i in range(cotangent.ndim)
        ]
        share = jnp.where(winner == tap, cotangent, jnp.zeros_like(cotangent))
        grads.append(jax.lax.pad(share, jnp.zeros((), cotangent.dtype), pads))
    return (functools.reduce(jnp.add, grads),)


_max_pool_axis.defvjp(_max_pool_forward, _max_pool_backward)

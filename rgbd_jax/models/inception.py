"""The spatial network of MotionRGBD (CVPR 2022): an inception network with frame rank pooling.

Its blocks are those of I3D (Carreira and Zisserman, CVPR 2017) without the temporal convolutions: it sees
each frame by itself, but for the max pooling in the blocks.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from rgbd_jax.models.video_layers import ConvUnit, max_pool

# By block: channels of the units, whether frame rank pooling follows, width of the max pooling before.
BLOCKS = {
    "mixed_3b": ((64, 96, 128, 16, 32, 32), True, 3),
    "mixed_3c": ((128, 128, 192, 32, 96, 64), False, None),
    "mixed_4b": ((192, 96, 208, 16, 48, 64), True, 3),
    "mixed_4c": ((160, 112, 224, 24, 64, 64), False, None),
    "mixed_5b": ((256, 160, 320, 32, 128, 128), True, 2),
    "mixed_5c": ((384, 192, 384, 48, 128, 128), False, None),
}


class InceptionBlock(nnx.Module):
    """Four branches side by side: 1, 1 and 3, 1 and 3, max pooling over 3 and 1; all units but the pooling.

    The three branches that begin with a convolution over single positions share one, `entry`.
    """

    def __init__(
        self,
        in_channels: int,
        channels: tuple[int, int, int, int, int, int],
        *,
        kernel: tuple[int, ...],
        rngs: nnx.Rngs,
    ):
        """
        Args:
          channels: of the units: the first branch's; the second's two; the third's two; the fourth's.
          kernel: of the second units of the branches: (3, 3) over frames, (3,) over time.
        """
        first, narrow_1, wide_1, narrow_2, wide_2, pooled = channels
        unit = functools.partial(ConvUnit, rngs=rngs)
        self.split_at = (first, first + narrow_1)
        self.out_channels = first + wide_1 + wide_2 + pooled
        self.entry = unit(in_channels, first + narrow_1 + narrow_2)
        self.conv_1 = unit(narrow_1, wide_1, kernel=kernel)
        self.conv_2 = unit(narrow_2, wide_2, kernel=kernel)
        self.after_pool = unit(in_channels, pooled)

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """(B, T, ..., I) to (B, T, ..., out_channels). The pooling is over time and space."""
        first, narrow_1, narrow_2 = jnp.split(self.entry(x, train=train), self.split_at, axis=-1)
        branches = [
            first,
            self.conv_1(narrow_1, train=train),
            self.conv_2(narrow_2, train=train),
            self.after_pool(max_pool(x, (3,) * (x.ndim - 2)), train=train),
        ]
        return jnp.concatenate(branches, axis=-1)


class Stem(nnx.Module):
    """The convolutions before the first inception block."""

    def __init__(self, *, width: float = 1.0, rngs: nnx.Rngs):
        narrow, self.out_channels = round(64 * width), round(192 * width)
        self.conv_1a = ConvUnit(3, narrow, kernel=(7, 7), stride=2, rngs=rngs)
        self.conv_2b = ConvUnit(narrow, narrow, rngs=rngs)
        self.conv_2c = ConvUnit(narrow, self.out_channels, kernel=(3, 3), rngs=rngs)

    def __call__(self, clip: jax.Array, *, train: bool) -> jax.Array:
        """(B, T, H, W, 3) to (B, T, ⌈H / 4⌉, ⌈W / 4⌉, 192)."""
        x = max_pool(self.conv_1a(clip, train=train), (3, 3), 2)
        return self.conv_2c(self.conv_2b(x, train=train), train=train)


class FrameRankPooling(nnx.Module):
    """Attention to what moves: features weighted by themselves and by the heat map of frame rank pooling.

    FRP(x, g) = w₀ x + w₁ x (1 + g), with a learned pair w that begins as (1, 0).
    """

    def __init__(self):
        self.pair = nnx.Param(jnp.array([1.0, 0.0]))

    def __call__(self, x: jax.Array, heat: jax.Array) -> jax.Array:
        """
        Args:
          x: (B, T, H, W, C).
          heat: g, (B, T, nH, nW, 1) with n a power of two; the largest value of n × n is taken.

        Returns:
          FRP(x, g), which the network adds to x.
        """
        batch, frames, height, width, _ = x.shape
        n = heat.shape[3] // width
        heat = heat.reshape(batch, frames, height, n, width, n, 1).max((3, 5))
        w = self.pair[...]
        return x * (w[0] + w[1] * (1 + heat.astype(w.dtype))).astype(x.dtype)


class SpatialNetwork(nnx.Module):
    """A feature vector for each frame."""

    def __init__(
        self,
        *,
        width: float = 1.0,
        frp: bool = True,
        remat: bool = False,
        dtype: DTypeLike | None = None,
        rngs: nnx.Rngs,
    ):
        """
        Args:
          width: factor of all channels.
          frp: modulate the features by the heat maps of frame rank pooling.
          remat: keep only the inputs of the stem and of the blocks for the backward pass, which computes the
            rest again.
          dtype: of the computation up to the pooled features; None is that of the parameters.
        """
        self.remat = remat
        self.dtype = dtype
        self.stem = Stem(width=width, rngs=rngs)
        self.out_channels = self.stem.out_channels
        for name, (branches, _, _) in BLOCKS.items():
            scaled = tuple(round(channels * width) for channels in branches)
            block = InceptionBlock(self.out_channels, scaled, kernel=(3, 3), rngs=rngs)
            setattr(self, name, block)
            self.out_channels = block.out_channels
        self.frp = FrameRankPooling() if frp else None

    def __call__(self, clip: jax.Array, heat: jax.Array | None, *, train: bool) -> dict[str, jax.Array]:
        """
        Args:
          clip: (B, T, H, W, 3), about −1 to 1.
          heat: (B, T, H, W, 1), 0 to 2, H and W multiples of 32; unused, and may be None, without frame rank
            pooling.

        Returns:
          features (B, T, 1024 × width), at least float32; and for pictures the sum over the channels after
          mixed_4b (B, T, ⌈H / 16⌉, ⌈W / 16⌉) and their mean after mixed_5c (B, T, ⌈H / 32⌉, ⌈W / 32⌉).

        Raises:
          ValueError: if the heat map is missing, not of the clip's size, or of one that is not a multiple of
            32.
        """
        if self.frp is not None:
            _check_heat(clip, heat)
        parameter_dtype = self.stem.conv_1a.kernel.dtype
        x = clip.astype(self.dtype or parameter_dtype)
        x = self._run(lambda stem, x: stem(x, train=train), self.stem, x)
        out = {}
        for name, (_, modulated, pooling) in BLOCKS.items():
            frp = self.frp if modulated else None
            x = self._run(_stage(pooling, train), getattr(self, name), frp, heat, x)
            if name == "mixed_4b":
                out[name] = x.sum(-1, dtype=parameter_dtype)
        out["mixed_5c"] = x.mean(-1, dtype=parameter_dtype)
        return out | {"features": x.mean((2, 3), dtype=parameter_dtype)}

    def _run(self, stage: Callable[..., jax.Array], *args) -> jax.Array:
        return nnx.remat(stage)(*args) if self.remat else stage(*args)


def _stage(pooling: int | None, train: bool) -> Callable[..., jax.Array]:
    """An inception block with the max pooling before and the frame rank pooling after it."""

    def stage(block: InceptionBlock, frp: FrameRankPooling | None, heat: jax.Array | None, x: jax.Array):
        if pooling is not None:
            x = max_pool(x, (pooling, pooling), 2)
        x = block(x, train=train)
        return x if frp is None else x + frp(x, heat)

    return stage


def _check_heat(clip: jax.Array, heat: jax.Array | None):
    if heat is None:
        raise ValueError("frame rank pooling needs a heat map, found None; build the network with frp=False")
    if heat.shape != (*clip.shape[:-1], 1):
        raise ValueError(f"a heat map for clips {clip.shape} is {(*clip.shape[:-1], 1)}, found {heat.shape}")
    height, width = clip.shape[2:4]
    if height % 32 or width % 32:
        raise ValueError(
            f"with a heat map the height and width of frames are multiples of 32, found {height}×{width}"
        )

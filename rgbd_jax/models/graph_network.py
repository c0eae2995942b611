"""What CTR-GCN and its baseline share: blocks of a spatial and a temporal convolution, way in, way out.

Inside, clips are (C, N, T, V): C channels first, N = B·M bodies, the persons of a clip next to each other, T
frames, V joints.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from rgbd_jax.models.initializers import normal, uniform
from rgbd_jax.models.layers import BatchNorm, PointwiseConv, strided_frames
from rgbd_jax.skeleton_layouts import SkeletonLayout

# Blocks of each stage as published (CTR-GCN, ICCV 2021). A stage has twice the channels of the one before,
# and half the frames.
STAGES = (4, 3, 3)


class Block(nnx.Module):
    """A spatial convolution, then a temporal one, around them a residual connection."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int,
        residual: bool,
        spatial: nnx.Module,
        temporal: nnx.Module,
        rngs: nnx.Rngs,
    ):
        """
        Args:
          residual: whether the block's input is added to its output, through a strided 1×1 convolution where
            shapes differ.
          spatial: module, (in_channels, N, T, V) to (out_channels, N, T, V).
          temporal: module, (out_channels, N, T, V) to (out_channels, N, (T − 1) // stride + 1, V).
        """
        self.stride = stride
        self.residual = residual
        self.spatial = spatial
        self.temporal = temporal
        reshapes = residual and (in_channels != out_channels or stride != 1)
        self.shortcut = ConvNorm(in_channels, out_channels, rngs=rngs) if reshapes else None

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """(I, N, T, V) to (O, N, (T − 1) // stride + 1, V)."""
        y = self.temporal(self.spatial(x, train=train), train=train)
        if self.shortcut is not None:
            y = y + self.shortcut(strided_frames(x, self.stride), train=train)
        elif self.residual:
            y = y + x
        return nnx.relu(y)


class ConvNorm(nnx.Module):
    """A 1×1 convolution and a batch norm: how a shortcut changes its number of channels."""

    def __init__(self, in_channels: int, out_channels: int, *, rngs: nnx.Rngs):
        self.conv = PointwiseConv(in_channels, out_channels, rngs=rngs)
        self.norm = BatchNorm(out_channels, rngs=rngs)

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """(I, N, T, V) to (O, N, T, V)."""
        return self.norm(self.conv.without_bias(x), train=train, offset=self.conv.bias[...])


class GraphNetwork(nnx.Module):
    """Blocks over a skeleton, the mean of what they see, a linear classifier."""

    def __init__(
        self,
        *,
        num_classes: int,
        layout: SkeletonLayout,
        num_persons: int,
        spatial: Callable[[int, int], nnx.Module],
        temporal: Callable[[int, int], nnx.Module],
        in_channels: int = 3,
        base_width: int = 64,
        stages: Sequence[int] = STAGES,
        drop_out: float = 0.0,
        remat: bool = False,
        dtype: DTypeLike | None = None,
        rngs: nnx.Rngs,
    ):
        """
        Args:
          spatial: makes the spatial convolution of a block from its numbers of input and output channels.
          temporal: makes the temporal one from its number of channels and its stride.
          base_width: channels of the first stage.
          stages: blocks of each stage.
          drop_out: of the pooled vector, before the classifier.
          remat: keep only the inputs of the blocks for the backward pass, which computes the rest again.
          dtype: of the computation between the input's batch norm and the pooled vector; None is that of the
            parameters.
        """
        self.layout = layout
        self.remat = remat
        self.dtype = dtype
        self.input_norm = BatchNorm(num_persons * layout.num_joints * in_channels, axis=-1, rngs=rngs)
        blocks = []
        channels = in_channels
        for stage, num_blocks in enumerate(stages):
            out = base_width * 2**stage
            for i in range(num_blocks):
                stride = 2 if stage > 0 and i == 0 else 1
                block = Block(
                    channels,
                    out,
                    stride=stride,
                    residual=len(blocks) > 0,
                    spatial=spatial(channels, out),
                    temporal=temporal(out, stride),
                    rngs=rngs,
                )
                blocks.append(block)
                channels = out
        self.blocks = nnx.List(blocks)
        self.drop_out = nnx.Dropout(drop_out)
        self.classifier = nnx.Linear(
            channels,
            num_classes,
            kernel_init=normal((2 / num_classes) ** 0.5),
            bias_init=uniform(channels**-0.5),
            rngs=rngs,
        )

    def __call__(self, x: jax.Array, *, train: bool, rngs: nnx.Rngs | None = None) -> dict[str, jax.Array]:
        """Classify clips.

        Args:
          x: joints (B, T, M, V, C). An absent person is all zeros and takes part like any other.
          train: use and record the batch's own statistics, and drop out.
          rngs: with the stream `dropout`, where training drops out.

        Returns:
          logits (B, K) and pooled (B, C), at least float32; features (C, B, M, T, V), the last block's
          output; each block's own, l1, l2 and so on, (C, N, T, V); and, not in training, class_activation
          (B, M, T, V), how much each joint speaks for the class of the highest logit (CAM; Zhou et al., CVPR
          2016): its mean and the classifier's bias are this logit.
        """
        batch, frames, persons, joints, channels = x.shape
        parameter_dtype = self.classifier.kernel.dtype
        x = x.astype(parameter_dtype).reshape(batch, frames, -1)
        x = self.input_norm(x, train=train).astype(self.dtype or parameter_dtype)
        x = x.reshape(batch, frames, persons, joints, channels)
        x = x.transpose(4, 0, 2, 1, 3).reshape(channels, batch * persons, frames, joints)

        def run(block: Block, x: jax.Array) -> jax.Array:
            return block(x, train=train)

        out = {}
        for i, block in enumerate(self.blocks):
            x = out[f"l{i + 1}"] = nnx.remat(run)(block, x) if self.remat else run(block, x)

        features = x.reshape(len(x), batch, persons, *x.shape[2:])
        pooled = features.astype(parameter_dtype).mean((2, 3, 4)).T
        logits = self.classifier(self.drop_out(pooled, deterministic=not train, rngs=rngs))
        out |= {"features": features, "pooled": pooled, "logits": logits}
        if not train:
            weights = jnp.take(self.classifier.kernel[...], logits.argmax(axis=1), axis=1)
            out["class_activation"] = jnp.einsum("cbmtv,cb->bmtv", features.astype(parameter_dtype), weights)
        return out

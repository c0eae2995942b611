"""The baseline that CTR-GCN is measured against (ICCV 2021): one topology for all channels."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import constant
from jax.typing import DTypeLike

from rgbd_jax.models.graph_network import STAGES, ConvNorm, GraphNetwork
from rgbd_jax.models.initializers import normal
from rgbd_jax.models.layers import BatchNorm, PointwiseConv, TemporalConv
from rgbd_jax.skeleton_layouts import LAYOUTS

SUBSETS = 3


class BaselineGCN(GraphNetwork):
    """The network of CTR-GCN with simple blocks; `GraphNetwork` says what it returns."""

    def __init__(
        self,
        *,
        num_classes: int,
        layout: str,
        num_persons: int,
        in_channels: int = 3,
        base_width: int = 64,
        stages: Sequence[int] = STAGES,
        adaptive: bool = True,
        drop_out: float = 0.0,
        remat: bool = False,
        dtype: DTypeLike | None = None,
        rngs: nnx.Rngs,
    ):
        """
        Args:
          layout: a key of `LAYOUTS`; only its number of joints is used, the topology starts from identities.
          adaptive: learn the topology instead of keeping it.
          base_width, stages, drop_out, remat, dtype: see `GraphNetwork`.
        """
        super().__init__(
            num_classes=num_classes,
            layout=LAYOUTS[layout],
            num_persons=num_persons,
            spatial=functools.partial(
                SharedGraphConv, num_joints=LAYOUTS[layout].num_joints, adaptive=adaptive, rngs=rngs
            ),
            temporal=functools.partial(SingleTemporalConv, rngs=rngs),
            in_channels=in_channels,
            base_width=base_width,
            stages=stages,
            drop_out=drop_out,
            remat=remat,
            dtype=dtype,
            rngs=rngs,
        )


class SharedGraphConv(nnx.Module):
    """Three learned matrices, shared by all samples and channels, mix the joints; norm, residual, ReLU."""

    def __init__(
        self, in_channels: int, out_channels: int, *, num_joints: int, adaptive: bool, rngs: nnx.Rngs
    ):
        self.num_joints = num_joints
        identities = jnp.broadcast_to(jnp.eye(num_joints), (SUBSETS, num_joints, num_joints))
        self.topology = nnx.Param(identities) if adaptive else None
        # The published rule counts the kernel's shape and the number of branches.
        std = (2 / (out_channels * in_channels * SUBSETS)) ** 0.5
        self.theta = nnx.List(
            PointwiseConv(in_channels, out_channels, kernel_init=normal(std), rngs=rngs)
            for _ in range(SUBSETS)
        )
        self.norm = BatchNorm(out_channels, scale_init=constant(1e-6), rngs=rngs)
        self.shortcut = (
            ConvNorm(in_channels, out_channels, rngs=rngs) if in_channels != out_channels else None
        )

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """(I, N, T, V) to (O, N, T, V)."""
        y = sum(theta.without_bias(mixed) for theta, mixed in zip(self.theta, self._mix(x), strict=True))
        y = self.norm(y, train=train, offset=sum(theta.bias[...] for theta in self.theta))
        return nnx.relu(y + (x if self.shortcut is None else self.shortcut(x, train=train)))

    def _mix(self, x: jax.Array) -> list[jax.Array]:
        """x · A_k for each subset, every column of a learned A_k divided by its length."""
        if self.topology is None:
            return [x] * SUBSETS
        topology = self.topology[...]
        lengths = jnp.sqrt(jnp.square(topology).sum(1, keepdims=True)) + 1e-4
        mixed = x.reshape(-1, self.num_joints) @ jnp.concatenate(topology / lengths, axis=1).astype(x.dtype)
        return [part.reshape(x.shape) for part in jnp.split(mixed, SUBSETS, axis=1)]


class SingleTemporalConv(nnx.Module):
    """A convolution over five frames and a batch norm."""

    def __init__(self, channels: int, stride: int, *, rngs: nnx.Rngs):
        self.conv = TemporalConv(channels, channels, width=5, stride=stride, rngs=rngs)
        self.norm = BatchNorm(channels, rngs=rngs)

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """(C, N, T, V) to (C, N, (T − 1) // stride + 1, V)."""
        return self.norm(self.conv.without_bias(x), train=train, offset=self.conv.bias[...])

"""Parts of the original that its networks never use and that no checkpoint needs, made of parts of ours.

The reference numbers have them as cases of their own.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jax import Array

from rgbd_jax.models.dense import Dense, LayerNorm
from rgbd_jax.models.recoupling import FeatureGate
from rgbd_jax.preprocess.dynamic_image import grey, pool_windows, unit_range


class AdditiveRecoupling(nnx.Module):
    """The older form, which weighs features alone: weight[c] = gate of the clip[c] + feature gate[c]."""

    def __init__(self, clip_length: int, width: int, *, rngs: nnx.Rngs):
        self.feature_gate = FeatureGate(clip_length, width, heads=1, drop_out=0, rngs=rngs)
        self.expand = Dense(clip_length, width, bias=False, rngs=rngs)
        self.contract = Dense(width, width, bias=False, rngs=rngs)
        self.gate_norm = LayerNorm(width)

    def __call__(self, x: jax.Array, *, train: bool) -> tuple[jax.Array, jax.Array, jax.Array]:
        """x (B, T, C) to the weighted x and twice the gate of the clip (B, C), the student's feature here."""
        wide = x.astype(self.expand.kernel.dtype)
        mean = wide.mean(-1)
        hidden = nnx.gelu(self.expand(mean), approximate=False)
        gate = nnx.sigmoid(self.gate_norm(self.contract(hidden)))
        weight = gate + self.feature_gate(wide, mean, train=train)
        return (wide * weight[:, None, :]).astype(x.dtype), gate, gate


def rank_pooling(frames: Array, window: int, *, batch_global: bool) -> Array:
    """Pooled windows alone: (B, T, H, W, C) of 1 or 3 channels to (B, T, H, W, 1).

    Args:
      batch_global: scale all clips of a batch by common extremes, as the original does; or each by its own.
    """

    def scaled(pooled: Array) -> Array:
        unit = unit_range(jax.nn.gelu(pooled, approximate=False))
        return unit if unit.shape[-1] == 1 else grey(unit)[..., None]

    if batch_global:
        return jnp.swapaxes(pool_windows(jnp.swapaxes(frames, 0, 1), window, scaled), 0, 1)
    return jax.vmap(lambda clip: pool_windows(clip, window, scaled))(frames)

"""Recoupling of space and time (MotionRGBD, CVPR 2022, section 3.4), and the distillation that teaches it."""

import jax
import jax.numpy as jnp
from flax import nnx

from rgbd_jax.models.dense import Dense, LayerNorm

HEAD_WIDTH = 64


class FeatureGate(nnx.Module):
    """How much each feature counts: self-attention between the features over their course in time.

    With a query q_i and a key k_i for each feature i, feature j gets the mean over i of q_i · k_j / √64. That
    is q̄ · k_j / √64 with the query q̄ of the mean over all features: no matrix of features by features.
    """

    def __init__(self, clip_length: int, width: int, *, heads: int, drop_out: float, rngs: nnx.Rngs):
        self.heads = heads
        self.query = Dense(clip_length, heads * HEAD_WIDTH, bias=False, rngs=rngs)
        self.key = Dense(clip_length, heads * HEAD_WIDTH, bias=False, rngs=rngs)
        if heads > 1:
            self.drop_out = nnx.Dropout(drop_out)
            self.merge = Dense(heads * width, width, bias=False, rngs=rngs)
            self.merge_norm = LayerNorm(width)

    def __call__(
        self, x: jax.Array, mean: jax.Array, *, train: bool, rngs: nnx.Rngs | None = None
    ) -> jax.Array:
        """
        Args:
          x: (B, T, C).
          mean: of x over the features, (B, T).

        Returns:
          (B, C), between 0 and 1.
        """
        query = self.query(mean).reshape(x.shape[0], self.heads, HEAD_WIDTH)
        key = self.key.kernel[...].reshape(-1, self.heads, HEAD_WIDTH)
        over_time = jnp.einsum("bhd,thd->bht", query, key) * HEAD_WIDTH**-0.5
        scores = jnp.matmul(over_time, x).reshape(x.shape[0], -1)
        if self.heads > 1:
            scores = self.drop_out(scores, deterministic=not train, rngs=rngs)
            scores = self.merge_norm(self.merge(scores))
        return nnx.sigmoid(scores)


class Recoupling(nnx.Module):
    """Weighs each frame and each feature of a clip: weight[t, c] = frame gate[t] · feature gate[c]."""

    def __init__(
        self,
        clip_length: int,
        width: int,
        *,
        heads: int = 1,
        hidden: int = 256,
        drop_out: float = 0.4,
        rngs: nnx.Rngs,
    ):
        """
        Args:
          clip_length: T, which the layers over time are made for.
          heads: of the attention between features.
          hidden: width between the two layers of the frame gate.
          drop_out: where several heads are merged.
        """
        self.feature_gate = FeatureGate(clip_length, width, heads=heads, drop_out=drop_out, rngs=rngs)
        self.expand = Dense(clip_length, hidden, bias=False, rngs=rngs)
        self.contract = Dense(hidden, clip_length, bias=False, rngs=rngs)
        self.gate_norm = LayerNorm(clip_length)
        self.student = Dense(clip_length, width, rngs=rngs)

    def __call__(
        self, x: jax.Array, *, train: bool, rngs: nnx.Rngs | None = None
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """
        Args:
          x: (B, T, C).

        Returns:
          The weighted x, the student's feature for `distillation` (B, C) and the weights (B, T, C), these two
          at least in float32.
        """
        wide = x.astype(self.student.kernel.dtype)
        mean = wide.mean(-1)
        hidden = nnx.gelu(self.expand(mean), approximate=False)
        frames = nnx.sigmoid(self.gate_norm(self.contract(hidden)))
        features = self.feature_gate(wide, mean, train=train, rngs=rngs)
        weight = frames[:, :, None] * features[:, None, :]
        return (wide * weight).astype(x.dtype), self.student(frames), weight


def distillation(student: jax.Array, teacher: jax.Array, temperature: float) -> jax.Array:
    """What the recoupling fails to tell of what the branches found out: KL(teacher ‖ student) of each sample.

    Both are made distributions over the features by a softmax. No gradient flows to the teacher.

    Args:
      student, teacher: (B, C), float32 or wider.

    Returns:
      (B,).
    """
    log_teacher = jax.nn.log_softmax(jax.lax.stop_gradient(teacher) / temperature)
    log_student = jax.nn.log_softmax(student / temperature)
    return (jnp.exp(log_teacher) * (log_teacher - log_student)).sum(-1)

"""The layers of the temporal branches: attention to the nearest keys, encoder, mixing of near frames."""

import jax
import jax.numpy as jnp
from flax import nnx

from rgbd_jax.models.dense import Dense, LayerNorm
from rgbd_jax.models.inception import InceptionBlock
from rgbd_jax.models.video_layers import max_pool

HEAD_WIDTH = 64
# Of the inception block over time, for a width of 512, which it keeps.
LOCAL_CHANNELS = (160, 112, 224, 24, 64, 64)


class KNNAttention(nnx.Module):
    """Self-attention whose queries see their k nearest keys alone (MotionRGBD, CVPR 2022, section 3.3)."""

    def __init__(self, width: int, *, heads: int, knn_ratio: float, drop_out: float, rngs: nnx.Rngs):
        """
        Args:
          knn_ratio: the share of the n keys that a query sees, rounded down to k ≥ 1 keys; 0 shows all.
          drop_out: of the output.
        """
        self.heads = heads
        self.knn_ratio = knn_ratio
        self.qkv = Dense(width, 3 * heads * HEAD_WIDTH, bias=False, rngs=rngs)
        self.out = Dense(heads * HEAD_WIDTH, width, rngs=rngs)
        self.drop_out = nnx.Dropout(drop_out)

    def __call__(
        self, x: jax.Array, *, train: bool, rngs: nnx.Rngs | None = None
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """
        Args:
          x: tokens (B, N, C).

        Returns:
          y (B, N, C); what each query takes of each key (B, heads, N, N); and `smallest_gap` (B,). These two
          at least in float32.
        """
        batch, tokens, _ = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, HEAD_WIDTH)
        query, key, value = qkv.transpose(2, 0, 3, 1, 4)
        dtype = self.qkv.kernel.dtype
        scores = jnp.matmul(query, key.swapaxes(2, 3), preferred_element_type=dtype) * HEAD_WIDTH**-0.5
        gap = jnp.full(batch, jnp.inf, scores.dtype)
        if self.knn_ratio:
            nearest = largest(scores, max(int(tokens * self.knn_ratio), 1))
            gap = smallest_gap(scores, nearest)
            scores = jnp.where(nearest, scores, -jnp.inf)
        weights = jax.nn.softmax(scores)
        y = jnp.matmul(weights.astype(x.dtype), value).swapaxes(1, 2).reshape(batch, tokens, -1)
        return self.drop_out(self.out(y), deterministic=not train, rngs=rngs), weights, gap


def largest(scores: jax.Array, k: int) -> jax.Array:
    """Whether each score is among the k largest of its row; of equal ones, the first are. No gradient.

    Args:
      scores: (..., N).

    Returns:
      bool, (..., N).
    """
    scores = jax.lax.stop_gradient(scores)
    # For the few dozen tokens of a branch, counting who is ahead of each is faster than sorting.
    this, other = scores[..., :, None], scores[..., None, :]
    earlier = jnp.broadcast_to(jnp.tri(scores.shape[-1], k=-1, dtype=bool), (*scores.shape, scores.shape[-1]))
    ahead = jnp.where(earlier, other >= this, other > this)
    return ahead.sum(-1, dtype=jnp.int32) < k


def smallest_gap(scores: jax.Array, nearest: jax.Array) -> jax.Array:
    """How far the last key that is seen is ahead of the first that is not, where it is least. No gradient.

    Where this is as small as rounding, another order of the arithmetic may show other keys.

    Args:
      scores: (B, heads, N, N).
      nearest: which of them are seen, bool, the same shape.

    Returns:
      (B,); infinite where all are seen.
    """
    scores = jax.lax.stop_gradient(scores)
    last = jnp.where(nearest, scores, jnp.inf).min(-1)
    following = jnp.where(nearest, -jnp.inf, scores).max(-1)
    return (last - following).min((1, 2))


class EncoderLayer(nnx.Module):
    """Attention and a two-layer network, both after a layer norm and around them a residual connection."""

    def __init__(self, width: int, *, knn_ratio: float, drop_out: float, rngs: nnx.Rngs):
        heads, hidden = width // HEAD_WIDTH, width * 3 // 2
        self.attention_norm = LayerNorm(width)
        self.attention = KNNAttention(width, heads=heads, knn_ratio=knn_ratio, drop_out=drop_out, rngs=rngs)
        self.norm = LayerNorm(width)
        self.expand = Dense(width, hidden, rngs=rngs)
        self.contract = Dense(hidden, width, rngs=rngs)
        self.drop_out = nnx.Dropout(drop_out)

    def __call__(
        self, x: jax.Array, *, train: bool, rngs: nnx.Rngs | None = None
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """(B, N, C) to the same, the attention's weights (B, heads, N, N) and its gap (B,)."""
        y, weights, gap = self.attention(self.attention_norm(x), train=train, rngs=rngs)
        x = x + y
        y = nnx.gelu(self.expand(self.norm(x)), approximate=False)
        y = self.contract(self.drop_out(y, deterministic=not train, rngs=rngs))
        return x + self.drop_out(y, deterministic=not train, rngs=rngs), weights, gap


class LocalMixing(nnx.Module):
    """Mixes near frames: an inception block over time and a max pooling. The class token stays as it is."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        channels = tuple(full * width // 512 for full in LOCAL_CHANNELS)
        self.inception = InceptionBlock(width, channels, kernel=(3,), rngs=rngs)

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """(B, 1 + S, C) to the same, the class token first."""
        frames = max_pool(self.inception(x[:, 1:], train=train), (3,))
        return jnp.concatenate([x[:, :1], frames], axis=1)

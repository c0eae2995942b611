"""CLIP's text transformer (Radford et al., ICML 2021).

GAP (ICCV 2023) trains it, from CLIP's weights, together with the network of the skeletons.
"""

import dataclasses

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from rgbd_jax.models.dense import Dense, LayerNorm
from rgbd_jax.models.initializers import normal
from rgbd_jax.models.layers import add_spread
from rgbd_jax.models.transformer import HEAD_WIDTH


@dataclasses.dataclass(frozen=True)
class CLIPTextSize:
    """Sizes of the transformer; it has one head for each 64 of its width.

    Attributes:
      width: of its tokens.
      num_blocks: its depth.
      text_width: of the vector of a text.
      vocabulary: number of different tokens.
      context: the most tokens of a text.
    """

    width: int
    num_blocks: int
    text_width: int
    vocabulary: int = 49408
    context: int = 77


# By the published names of the whole models (Radford et al., 2021, table 20).
VARIANTS = {
    "ViT-B/32": CLIPTextSize(width=512, num_blocks=12, text_width=512),
    "ViT-B/16": CLIPTextSize(width=512, num_blocks=12, text_width=512),
    "ViT-L/14": CLIPTextSize(width=768, num_blocks=12, text_width=768),
}


class CausalAttention(nnx.Module):
    """Self-attention in which a token sees itself and those before it."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.kernel = nnx.Param(normal(width**-0.5)(rngs.params(), (3, width, width), jnp.float32))
        self.bias = nnx.Param(jnp.zeros((3, width)))
        self.out = Dense(width, width, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """(N, L, C) to the same. The softmax is at least in float32."""
        texts, tokens, width = x.shape
        # Query, key and value of all tokens as three products of matrices.
        qkv = jnp.matmul(x.reshape(-1, width)[None], self.kernel[...].astype(x.dtype))
        qkv = add_spread(qkv, self.bias[...][:, None])
        qkv = qkv.reshape(3, texts, tokens, width // HEAD_WIDTH, HEAD_WIDTH).swapaxes(2, 3)
        query, key, value = qkv
        dtype = self.kernel.dtype
        scores = jnp.matmul(query, key.swapaxes(2, 3), preferred_element_type=dtype) * HEAD_WIDTH**-0.5
        seen = jnp.broadcast_to(jnp.tri(tokens, dtype=bool), scores.shape)
        weights = jax.nn.softmax(jnp.where(seen, scores, -jnp.inf)).astype(x.dtype)
        return self.out(jnp.matmul(weights, value).swapaxes(1, 2).reshape(texts, tokens, width))


class CLIPTextBlock(nnx.Module):
    """Attention and a two-layer network, both after a layer norm and around them a residual connection."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.attention_norm = LayerNorm(width)
        self.attention = CausalAttention(width, rngs=rngs)
        self.norm = LayerNorm(width)
        self.expand = Dense(width, 4 * width, rngs=rngs)
        self.contract = Dense(4 * width, width, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        """(N, L, C) to the same."""
        x = x + self.attention(self.attention_norm(x))
        y = self.expand(self.norm(x))
        # CLIP's approximation of GELU.
        return x + self.contract(y * jax.nn.sigmoid(1.702 * y))


class CLIPText(nnx.Module):
    """The vectors of texts, from their tokens."""

    def __init__(self, size: CLIPTextSize, *, dtype: DTypeLike | None = None, rngs: nnx.Rngs):
        """
        Args:
          size: one of `VARIANTS`.
          dtype: of the arithmetic between the embedding and the projection; None: that of the parameters.

        Raises:
          ValueError: if the width does not divide into heads.
        """
        if size.width % HEAD_WIDTH:
            raise ValueError(f"width {size.width} is no multiple of {HEAD_WIDTH}")
        self.dtype = dtype
        self.embedding = nnx.Param(normal(0.02)(rngs.params(), (size.vocabulary, size.width), jnp.float32))
        self.positions = nnx.Param(normal(0.01)(rngs.params(), (size.context, size.width), jnp.float32))
        self.blocks = nnx.List([CLIPTextBlock(size.width, rngs=rngs) for _ in range(size.num_blocks)])
        self.norm = LayerNorm(size.width)
        projection = normal(size.width**-0.5)(rngs.params(), (size.width, size.text_width), jnp.float32)
        self.projection = nnx.Param(projection)

    def __call__(self, tokens: jax.Array) -> dict[str, jax.Array]:
        """Encode texts.

        No token sees the padding behind a text: it costs time alone, and L may be that of the longest text.

        Args:
          tokens: (N, L), int32, L at most the context; the end mark is the largest number, 0 pads.

        Returns:
          text_vectors (N, W), in the dtype of the parameters, and tokens (N, L, C), after the last norm.
        """
        dtype = self.dtype or self.embedding.dtype
        x = self.embedding[...][tokens]
        x = (x + jnp.broadcast_to(self.positions[...][: tokens.shape[1]], x.shape)).astype(dtype)
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        ends = jnp.take_along_axis(x, tokens.argmax(1)[:, None, None], axis=1)[:, 0]
        return {"text_vectors": ends.astype(self.projection.dtype) @ self.projection[...], "tokens": x}

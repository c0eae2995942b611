"""What the texts of the classes say, by a transformer that is trained with the network (GAP, ICCV 2023)."""

from collections.abc import Callable

import jax
from flax import nnx

from rgbd_jax.models.clip_text import CLIPText


class TextTower(nnx.Module):
    """Encodes some texts of each class, once in a step, however many of its samples are in the batch."""

    def __init__(
        self, transformer: CLIPText, draw: Callable[[jax.Array], jax.Array], *, frozen: bool = False
    ):
        """
        Args:
          draw: from a key, the tokens (T, K, L) of this step: of K classes, a text of each of T kinds.
          frozen: nothing learns from the vectors' gradient; it is not computed.
        """
        self.transformer = transformer
        self.draw = draw
        self.frozen = frozen

    def __call__(self, key: jax.Array) -> jax.Array:
        """The vectors (T, K, W) of the texts drawn by `key`, in the dtype of the parameters."""
        tokens = self.draw(key)
        vectors = self.transformer(tokens.reshape(-1, tokens.shape[-1]))["text_vectors"]
        vectors = vectors.reshape(*tokens.shape[:-1], -1)
        return jax.lax.stop_gradient(vectors) if self.frozen else vectors

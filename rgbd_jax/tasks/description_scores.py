"""Recognition of classes by their descriptions alone, also of those that training has not seen."""

import jax
import jax.numpy as jnp

from rgbd_jax.tasks.task import Outputs
from rgbd_jax.text.table import TextTable, class_vectors, distinctions


class DescriptionScores:
    """How well clips agree with what is written about each class."""

    def __init__(self, table: TextTable):
        """
        Args:
          table: the texts of the classes, as vectors.
        """
        self._vectors = distinctions(class_vectors(table))

    def __call__(self, outputs: Outputs) -> jax.Array:
        """The mean over the kinds of features of their cosine with what sets the class's description apart,
        times the learnt scale of the kind.

        With the descriptions themselves, a class would be found the more often the nearer its description is
        to all others.

        Args:
          outputs: text_features (5, B, W) and logit_scale (5,), see `models.gap.GAP`.

        Returns:
          (B, K), float32.
        """
        features = outputs["text_features"]
        lengths = jnp.linalg.norm(features, axis=-1, keepdims=True)
        cosines = jnp.einsum("tbw,tkw->tbk", features / lengths, self._vectors)
        return (outputs["logit_scale"][:, None, None] * cosines).mean(0).astype(jnp.float32)

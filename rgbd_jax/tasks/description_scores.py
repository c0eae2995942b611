"""Recognition of classes by their descriptions alone, also of those that training has not seen."""

from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from rgbd_jax.losses.contrastive import cosine_logits
from rgbd_jax.tasks.task import Outputs
from rgbd_jax.tasks.text_supervision import described_classes
from rgbd_jax.text.table import class_vectors


class DescriptionScores:
    """How well clips agree with what is written about each class."""

    def __init__(self, config: ConfigDict, data: Any):
        """See `described_classes` for the arguments and what is raised."""
        self._vectors = class_vectors(described_classes(config, data))

    def __call__(self, outputs: Outputs) -> jax.Array:
        """The mean over the kinds of features of the similarity that the loss compares with the labels: the
        cosine with the vector of the class, times the learnt scale.

        Args:
          outputs: text_features (5, B, W) and logit_scale (5,), see `models.gap.GAP`.

        Returns:
          (B, K), float32.
        """
        scale = outputs["logit_scale"][:, None, None]
        similarities = cosine_logits(outputs["text_features"], self._vectors, scale)
        return similarities.mean(0).astype(jnp.float32)

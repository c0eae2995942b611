"""Supervision of features by what is written about the classes (GAP, ICCV 2023)."""

from typing import Any

import jax
from ml_collections import ConfigDict

from rgbd_jax.errors import UserError
from rgbd_jax.losses.contrastive import contrastive_losses
from rgbd_jax.tasks.task import Batch, Outputs
from rgbd_jax.text.prompts import SHIPPED
from rgbd_jax.text.source import feature_table, find_prompts
from rgbd_jax.text.table import TextTable, draw_texts, text_labels


def described_classes(config: ConfigDict, data: Any) -> TextTable:
    """The texts of the classes of `data`, as vectors.

    Args:
      config: of which `data.name` and `text` are read.
      data: has `num_classes` and, if known, `class_names`.

    Raises:
      UserError: if there are no prompts or features for the classes, or these do not fit the prompts.
    """
    text, data_set = config.text, config.data.name
    for key in ("prompts", "features"):
        if not text[key] and data_set not in SHIPPED:
            raise UserError(
                f"config.text.{key}: none come with the data set {data_set}, a file is needed; there are"
                f" some for {', '.join(SHIPPED)}"
            )
    prompts = find_prompts(text.prompts or data_set, text.synonyms)
    # The shape of an absent data set has no names; the prompts stand in the order of its labels.
    class_names = getattr(data, "class_names", prompts.names[: data.num_classes])
    return feature_table(
        prompts, class_names, text.features or data_set, encoder=text.encoder, width=text.width
    )


class TextSupervision:
    """The contrastive loss between a batch's features and the vectors of texts about their classes."""

    def __init__(self, config: ConfigDict, data: Any):
        """
        Args:
          config: of which `task.text_weight` is read, and what `described_classes` needs.
          data: see there, also for what is raised.
        """
        self._table = described_classes(config, data)
        self._weight = config.task.text_weight
        self._alike = config.text.alike

    def loss(self, outputs: Outputs, batch: Batch, key: jax.Array) -> jax.Array:
        """The mean over the kinds of features of their contrastive losses, times `task.text_weight`.

        Args:
          outputs: text_features (5, B, W) and logit_scale (5,), see `models.gap.GAP`.
          batch: label and seed, (B,): which of its texts a clip gets does not depend on its batch mates.
          key: of the random choice.

        Returns:
          A scalar.
        """
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, batch["seed"])
        texts = jax.vmap(draw_texts, (None, 0, 0), out_axes=1)(self._table, batch["label"], keys)
        labels = batch["label"] if self._alike == "class" else text_labels(self._table, batch["label"])
        losses = contrastive_losses(outputs["text_features"], texts, outputs["logit_scale"], labels)
        return self._weight * losses.mean()

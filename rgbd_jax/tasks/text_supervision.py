"""Supervision of features, and recognition, by what is written about the classes (GAP, ICCV 2023)."""

from collections.abc import Sequence
from typing import Any

import jax
from ml_collections import ConfigDict

from rgbd_jax.errors import UserError
from rgbd_jax.losses.contrastive import contrastive_losses
from rgbd_jax.models.text_tower import TextTower
from rgbd_jax.tasks.description_scores import DescriptionScores
from rgbd_jax.tasks.task import Batch, Outputs
from rgbd_jax.tasks.text_tower import make_text_tower
from rgbd_jax.text.prompts import SHIPPED, Prompts
from rgbd_jax.text.source import feature_table, find_prompts
from rgbd_jax.text.table import TextTable, draw_texts, text_labels

Sums = dict[str, jax.Array]


class TextSupervision:
    """The contrastive loss between a batch's features and the vectors of texts about their classes.

    Attributes:
      reported: names of the sums that `add_to` adds.
      tower: what makes the vectors, where it is to be trained with the network; None where they are at hand.
      scores: recognises the classes by the texts, where some are held out; None where none is.
    """

    def __init__(self, config: ConfigDict, data: Any, *, training: bool):
        """
        Args:
          config: of which `data.name`, `data.held_out`, `dtype`, `text` and `task.text_weight` are read.
          data: has `num_classes` and, if known, `class_names`.
          training: as for `tasks.make_task`: nothing is read for an evaluation where no class is held out, or
            without weight.

        Raises:
          UserError: if there are no prompts for the classes, or no features, or no transformer, or these do
            not fit the prompts.
        """
        self._weight = config.task.text_weight
        self._alike = config.text.alike
        self.reported = ("text_loss",) if self._weight else ()
        self.tower: TextTower | None = None
        self.scores: DescriptionScores | None = None
        if not self._weight or not (training or config.data.held_out):
            return
        if config.text.source == "clip":
            self.tower, self._table = make_text_tower(config, *_class_prompts(config, data))
        else:
            self._table = described_classes(config, data)
        if config.data.held_out:
            self.scores = DescriptionScores(self._table)

    def add_to(
        self, loss: jax.Array, sums: Sums, outputs: Outputs, batch: Batch, key: jax.Array
    ) -> tuple[jax.Array, Sums]:
        """The loss and the sums of a task with those of the texts; as they are where texts have no weight.

        Args:
          loss, sums: the mean over the batch and the sums over its samples, see `Task.loss`.
          outputs, batch, key: as for `loss`.
        """
        if not self._weight:
            return loss, sums
        text_loss = self.loss(outputs, batch, key)
        loss, count = loss + text_loss, len(batch["label"])
        return loss, sums | {"text_loss": text_loss * count, "loss": loss * count}

    def loss(self, outputs: Outputs, batch: Batch, key: jax.Array) -> jax.Array:
        """The mean over the kinds of features of their contrastive losses, times `task.text_weight`.

        Args:
          outputs: text_features (5, B, W) and logit_scale (5,), see `models.gap.GAP`; with a tower also
            class_texts (5, K, W), of which each sample gets those of its class.
          batch: label and seed, (B,): which of the vectors at hand a clip gets does not depend on its batch
            mates.
          key: of the random choice among those at hand.

        Returns:
          A scalar.
        """
        labels = batch["label"]
        if self.tower is not None:
            texts = outputs["class_texts"][:, labels]
        else:
            keys = jax.vmap(jax.random.fold_in, (None, 0))(key, batch["seed"])
            texts = jax.vmap(draw_texts, (None, 0, 0), out_axes=1)(self._table, labels, keys)
        alike = labels if self._alike == "class" else text_labels(self._table, labels)
        losses = contrastive_losses(outputs["text_features"], texts, outputs["logit_scale"], alike)
        return self._weight * losses.mean()


def described_classes(config: ConfigDict, data: Any) -> TextTable:
    """The texts of the classes of `data`, as vectors.

    Args:
      config: of which `data.name` and `text` are read.
      data: has `num_classes` and, if known, `class_names`.

    Raises:
      UserError: if there are no prompts or features for the classes, or these do not fit the prompts.
    """
    text = config.text
    prompts, class_names = _class_prompts(config, data)
    _check_shipped("features", config)
    return feature_table(
        prompts, class_names, text.features or config.data.name, encoder=text.encoder, width=text.width
    )


def _class_prompts(config: ConfigDict, data: Any) -> tuple[Prompts, Sequence[str]]:
    """The prompts that the config names, and the names of the classes in the order of their labels."""
    _check_shipped("prompts", config)
    prompts = find_prompts(config.text.prompts or config.data.name, config.text.synonyms)
    # The shape of an absent data set has no names; the prompts stand in the order of its labels.
    return prompts, getattr(data, "class_names", prompts.names[: data.num_classes])


def _check_shipped(key: str, config: ConfigDict) -> None:
    """Raise a UserError if no file of this key of `config.text` is named and none comes with the data set."""
    if not config.text[key] and config.data.name not in SHIPPED:
        raise UserError(
            f"config.text.{key}: none come with the data set {config.data.name}, a file is needed; there are"
            f" some for {', '.join(SHIPPED)}"
        )

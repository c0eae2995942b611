"""Actions and gestures from colour or from depth: I3DWTrans (MotionRGBD, CVPR 2022)."""

from typing import Any

import jax
import numpy as np
from flax import nnx
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from rgbd_jax.losses.classification import correct, cross_entropy
from rgbd_jax.models.i3dwtrans import (
    PICTURES,
    I3DWTrans,
    branch_similarity,
    fuse,
    sharpness_temperature,
)
from rgbd_jax.models.temporal_network import BRANCHES
from rgbd_jax.tasks.task import Batch, Outputs
from rgbd_jax.tasks.text_supervision import TextSupervision
from rgbd_jax.tasks.video_pictures import clip_pictures, mean_similarity_picture
from rgbd_jax.tasks.video_task import VideoTask


class RgbdTask(VideoTask):
    """Classifies clips of one modality.

    The loss is the cross entropy of the fused scores and, with their own weights, of the three branches; and
    from an epoch on the distillation of what the branches found into the recoupling module; if asked for,
    what is written about the classes supervises the features too, as in GAP (ICCV 2023).
    """

    modalities = (("rgb",), ("depth",))
    branches = BRANCHES
    # The published program takes the branches for one another; its figure is the best of these.
    published = (("large",), ("fused", "small"), ("fused", "media"), ("small", "media"))
    warm_up = "short"
    pictured = PICTURES

    def __init__(self, config: ConfigDict, data: Any, *, training: bool):
        super().__init__(config, data)
        (self.view,) = data.modalities
        self._text = TextSupervision(config, data, training=training)
        if self._text.scores:
            self.published = ()

    @property
    def reported(self) -> tuple[str, ...]:
        return (*super().reported, "branch_similarity", *self._text.reported)

    def _network(self, rngs: nnx.Rngs) -> nnx.Module:
        config = self._config
        return I3DWTrans(
            num_classes=self._num_classes,
            text_width=config.text.width if config.task.text_weight else 0,
            text_tower=self._text.tower,
            rngs=rngs,
            **self._trunk_options(),
        )

    def prepare(self, batch: Batch, key: jax.Array, *, train: bool) -> dict[str, jax.Array]:
        return self._input(batch, self.view, self._input.draw_keys(batch, key), train=train)

    def loss(
        self, outputs: Outputs, batch: Batch, epoch: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        task, labels, logits = self._config.task, batch["label"], self._fused(outputs, epoch)
        weights = zip(("fused", *BRANCHES), task.branch_weights, strict=True)
        losses = sum(
            weight * cross_entropy(logits[name], labels, task.label_smoothing)
            for name, weight in weights
            if weight
        )
        loss, sums = self._whole_loss(losses, outputs, logits, batch, epoch)
        if self._text.scores:
            sums["top1"] = correct(self._text.scores(outputs), labels).sum()
        sums["branch_similarity"] = branch_similarity(outputs).sum()
        return self._text.add_to(loss, sums, outputs, batch, key)

    def logits(self, outputs: Outputs, epoch: jax.Array) -> dict[str, jax.Array]:
        """The descriptions' scores where classes are held out, which the branches cannot know."""
        if self._text.scores:
            return {"logits": self._text.scores(outputs)}
        return self._fused(outputs, epoch)

    def _fused(self, outputs: Outputs, epoch: jax.Array) -> dict[str, jax.Array]:
        temperature = 1.0
        if self._config.task.temperatures:
            first, last = self._config.task.temperatures
            temperature = sharpness_temperature(epoch, self._config.num_epochs, first=first, last=last)
        return fuse(outputs, temperature)

    def pictures(
        self, inputs: dict[str, np.ndarray], outputs: dict[str, np.ndarray], sample: int
    ) -> dict[str, Figure]:
        return clip_pictures(inputs, outputs, sample)

    def common_pictures(self, outputs: dict[str, np.ndarray]) -> dict[str, Figure]:
        samples = range(len(outputs["mixed_5c"]))
        return {"attention_similarity": mean_similarity_picture(outputs, samples)}

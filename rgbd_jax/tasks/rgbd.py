"""Actions and gestures from colour or from depth: I3DWTrans (MotionRGBD, CVPR 2022)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from rgbd_jax.losses.classification import correct, cross_entropy
from rgbd_jax.models.fusion import PICTURES
from rgbd_jax.models.i3dwtrans import I3DWTrans, fuse, sharpness_temperature
from rgbd_jax.tasks.task import Batch, Outputs
from rgbd_jax.tasks.video_input import VideoInput, check_modalities, trunk_options
from rgbd_jax.tasks.video_pictures import clip_pictures, mean_similarity_picture

BRANCHES = ("small", "media", "large")


class RgbdTask:
    """Classifies clips of one modality.

    The loss is the cross entropy of the fused scores and, with their own weights, of the three branches; and
    from an epoch on the distillation of what the branches found into the recoupling module.
    """

    reported = ("loss", "top1", *(f"top1_{name}" for name in BRANCHES), "distillation")
    # The published program takes the branches for one another; its figure is the best of these.
    published = (("large",), ("fused", "small"), ("fused", "media"), ("small", "media"))
    pictured = PICTURES

    def __init__(self, config: ConfigDict, data: Any):
        """
        Args:
          data: has `num_classes` and `modalities`.

        Raises:
          UserError: if a key of `config.task` has a value that is not allowed, or one that does not fit the
            data.
        """
        check_modalities(config, (("rgb",), ("depth",)), data.modalities)
        self._config = config
        self._num_classes = data.num_classes
        self._input = VideoInput(config.task)
        (self.view,) = data.modalities

    def network(self, rngs: nnx.Rngs) -> nnx.Module:
        return I3DWTrans(num_classes=self._num_classes, rngs=rngs, **trunk_options(self._config))

    def prepare(self, batch: Batch, key: jax.Array, *, train: bool) -> dict[str, jax.Array]:
        return self._input(batch, self.view, self._input.draw_keys(batch, key), train=train)

    def loss(
        self, outputs: Outputs, batch: Batch, epoch: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        task, labels, logits = self._config.task, batch["label"], self.logits(outputs, epoch)
        weights = zip(("fused", *BRANCHES), task.branch_weights, strict=True)
        losses = sum(
            weight * cross_entropy(logits[name], labels, task.label_smoothing)
            for name, weight in weights
            if weight
        )
        losses += distillation_weight(self._config, epoch) * outputs["distillation"]
        sums = {"loss": losses.sum(), "top1": correct(logits["fused"], labels).sum()}
        sums |= {f"top1_{name}": correct(logits[name], labels).sum() for name in BRANCHES}
        return losses.mean(), sums | {"distillation": outputs["distillation"].sum()}

    def logits(self, outputs: Outputs, epoch: jax.Array) -> dict[str, jax.Array]:
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


def distillation_weight(config: ConfigDict, epoch: jax.Array) -> jax.Array:
    """The weight of each sample's distillation in the mean loss of a batch; 0 before it sets in.

    The published loss takes the sum over a batch; stated for its size, it does not depend on ours.
    """
    task = config.task
    first = round(task.distillation_from * config.num_epochs)
    return jnp.where(epoch >= first, task.distillation * task.distillation_batch, 0.0).astype(jnp.float32)

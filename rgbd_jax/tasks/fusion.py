"""Actions and gestures from colour and depth together: FusionNet (MotionRGBD, CVPR 2022)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from rgbd_jax.losses.classification import cross_entropy
from rgbd_jax.losses.fusion import modality_loss, reconstruction_loss
from rgbd_jax.models.fusion import MODALITIES, FusionNet
from rgbd_jax.models.i3dwtrans import PICTURES
from rgbd_jax.tasks.task import Batch, Outputs
from rgbd_jax.tasks.video_pictures import clip_pictures, mean_similarity_picture
from rgbd_jax.tasks.video_task import VideoTask

CLASSIFIERS = ("fused", *MODALITIES)


class FusionTask(VideoTask):
    """Classifies pairs of a colour and a depth clip of the same moments."""

    modalities = (MODALITIES,)
    branches = MODALITIES
    published = (("fused",), ("rgb", "depth"), ("rgb", "depth", "fused"))
    warm_up = "whole"
    trunks = {modality: f"trunks/{modality}/" for modality in MODALITIES}
    pictured = tuple(f"{modality}_{name}" for modality in MODALITIES for name in PICTURES)
    view = "fusion"

    def __init__(self, config: ConfigDict, data: Any, *, training: bool):
        del training
        super().__init__(config, data)

    def _network(self, rngs: nnx.Rngs) -> nnx.Module:
        return FusionNet(num_classes=self._num_classes, rngs=rngs, **self._trunk_options())

    def prepare(self, batch: Batch, key: jax.Array, *, train: bool) -> dict[str, dict[str, jax.Array]]:
        """Both clips of a sample are cut, turned and flipped alike, or each on its own as published."""
        keys = self._input.draw_keys(batch, key)
        own = (
            keys
            if self._config.task.shared_augmentation
            else jax.vmap(jax.random.fold_in, (0, None))(keys, 1)
        )
        return {
            name: self._input(batch, name, modality_keys, train=train)
            for name, modality_keys in zip(MODALITIES, (keys, own), strict=True)
        }

    def loss(
        self, outputs: Outputs, batch: Batch, epoch: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        del key
        labels, smoothing = batch["label"], self._config.task.label_smoothing
        losses = sum(cross_entropy(outputs[name], labels, smoothing) for name in CLASSIFIERS)
        losses += modality_loss(outputs["rgb_modality"], outputs["depth_modality"])
        losses += reconstruction_loss(outputs["decoded"], outputs["rgb_features"], outputs["depth_features"])
        return self._whole_loss(losses, outputs, outputs, batch, epoch)

    def logits(self, outputs: Outputs, epoch: jax.Array) -> dict[str, jax.Array]:
        del epoch
        return {name: outputs[name].astype(jnp.float32) for name in CLASSIFIERS}

    def pictures(
        self, inputs: dict[str, dict[str, np.ndarray]], outputs: dict[str, np.ndarray], sample: int
    ) -> dict[str, Figure]:
        """Those of each modality, in a folder of its name."""
        return {
            f"{modality}/{name}": figure
            for modality in MODALITIES
            for name, figure in clip_pictures(
                inputs[modality], of_modality(outputs, modality), sample
            ).items()
        }

    def common_pictures(self, outputs: dict[str, np.ndarray]) -> dict[str, Figure]:
        return {
            f"{modality}_attention_similarity": mean_similarity_picture(
                of_modality(outputs, modality), range(len(outputs["rgb_mixed_5c"]))
            )
            for modality in MODALITIES
        }


def of_modality(outputs: dict[str, np.ndarray], modality: str) -> dict[str, np.ndarray]:
    """What one trunk returned, under the names that it has in `I3DWTrans`."""
    start = f"{modality}_"
    return {name.removeprefix(start): found for name, found in outputs.items() if name.startswith(start)}

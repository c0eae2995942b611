"""Actions from skeletons: the published feeders, CTR-GCN and its relatives, cross entropy."""

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from rgbd_jax.config import check_choice, parity
from rgbd_jax.errors import UserError
from rgbd_jax.losses.classification import correct, cross_entropy
from rgbd_jax.models.baseline_gcn import BaselineGCN
from rgbd_jax.models.ctrgcn import CTRGCN
from rgbd_jax.models.gap import GAP
from rgbd_jax.preprocess import skeleton as preprocess
from rgbd_jax.report.pictures import joint_activation_picture, motion_picture, skeleton_picture
from rgbd_jax.skeleton_layouts import CHOICES, LAYOUTS, NW_UCLA
from rgbd_jax.streams import ALL, STREAMS, stream_of
from rgbd_jax.tasks.task import Batch, Outputs, compute_dtype
from rgbd_jax.tasks.text_supervision import TextSupervision

NETWORKS = {"ctrgcn": CTRGCN, "gap": GAP, "baseline_gcn": BaselineGCN}
FEEDERS = ("ntu", "ucla")
# The output that says which joints mattered.
ACTIVATION = "class_activation"
# Folded into the key of a clip, which the feeder splits: another number than it may use.
_FLIP = 1 << 16


class SkeletonTask:
    """Classifies clips of joints, (B, T, M, V, C), by one stream."""

    published = ()
    published_warm_up = None
    trunks: ClassVar = {}
    streams = ()

    def __init__(self, config: ConfigDict, data: Any, *, training: bool):
        """
        Args:
          data: has `num_classes`, `num_bodies` and `num_joints`.
          training: see `tasks.make_task`.

        Raises:
          UserError: if a key of `config.task` or `config.model` has a value that is not allowed, or one that
            does not fit the data.
        """
        check_choice("model.name", config.model.name, tuple(NETWORKS))
        check_choice("model.layout", config.model.layout, CHOICES)
        check_choice("task.feeder", config.task.feeder, FEEDERS)
        check_choice("task.stream", config.task.stream, (*STREAMS, ALL))
        self._layout = LAYOUTS[config.model.layout]
        # That of NW-UCLA turns a clip about a joint of its own skeleton.
        feeder_joints = NW_UCLA.num_joints if config.task.feeder == "ucla" else data.num_joints
        for key, found, allowed in (
            ("model.layout", self._layout.num_joints, data.num_joints),
            ("task.feeder", feeder_joints, data.num_joints),
            ("model.num_persons", config.model.num_persons, data.num_bodies),
        ):
            if found != allowed:
                what = "persons" if key == "model.num_persons" else "joints"
                fitting = [name for name in CHOICES if LAYOUTS[name].num_joints == allowed]
                hint = f", as has the layout {fitting[0]}" if key == "model.layout" and fitting else ""
                raise UserError(
                    f"config.{key}: is for {found} {what}; the data set {config.data.name} has {allowed}"
                    f"{hint}"
                )
        self._config = config
        self._num_classes = data.num_classes
        self._text = TextSupervision(config, data, training=training)
        # Of descriptions, scores are no sum over the joints.
        self.pictured = () if self._text.scores else (ACTIVATION,)

    @property
    def reported(self) -> tuple[str, ...]:
        return ("loss", "top1", *self._text.reported)

    @property
    def view(self) -> str:
        """The stream, also where the network itself turns joints into bones."""
        return stream_of(self._config)

    def network(self, rngs: nnx.Rngs) -> nnx.Module:
        model = self._config.model
        layout = model.layout
        if layout == "ucla20" and "ucla_bones" in parity(self._config):
            layout = "ucla20_published"
        own_options = {}
        if model.name == "gap":
            own_options = {
                "k": model.k,
                "text_width": self._config.text.width,
                "text_tower": self._text.tower,
            }
        return NETWORKS[model.name](
            num_classes=self._num_classes,
            layout=layout,
            num_persons=model.num_persons,
            base_width=model.base_width,
            stages=tuple(model.stages),
            adaptive=model.adaptive,
            drop_out=model.drop_out,
            remat=model.remat,
            dtype=compute_dtype(self._config),
            rngs=rngs,
            **own_options,
        )

    def prepare(self, batch: Batch, key: jax.Array, *, train: bool) -> jax.Array:
        """Joints in metres, (B, T, M, V, C), to the clips that the network sees, (B, window, M, V, C)."""
        return self.derive(self.clips(batch, key, train=train))

    def clips(self, batch: Batch, key: jax.Array, *, train: bool) -> jax.Array:
        """What of the raw joints is shown, cut and augmented, before any stream is derived from it.

        In training each clip is augmented with the random number that it carries, whatever its place in the
        batch.
        """
        task = self._config.task

        def ntu(joints, num_frames, key):
            del num_frames  # the published feeder counts the frames itself
            if train:
                return preprocess.ntu_training_clip(joints, key, window=task.window)
            return preprocess.ntu_evaluation_clip(joints, window=task.window)

        def ucla(joints, num_frames, key):
            if train:
                return preprocess.ucla_training_clip(joints, num_frames, key, window=task.window)
            return preprocess.ucla_evaluation_clip(joints, num_frames, window=task.window)

        feeder = {"ntu": ntu, "ucla": ucla}[task.feeder]

        def one_clip(joints, num_frames, seed):
            clip_key = jax.random.fold_in(key, seed)
            clip = feeder(joints, num_frames, clip_key)
            if not train or not task.flip:
                return clip
            flip_key = jax.random.fold_in(clip_key, _FLIP)
            return preprocess.flip_some(clip, flip_key, self._layout.opposites, task.flip)

        return jax.vmap(one_clip)(batch["joints"], batch["num_frames"], batch["seed"])

    def derive(self, clips: jax.Array) -> jax.Array:
        """The stream that the network is given, of `clips`; both (B, window, M, V, C)."""
        stream, parents = self._config.task.stream, self._layout.parents
        return jax.vmap(lambda clip: preprocess.derive_stream(clip, stream, parents))(clips)

    def loss(
        self, outputs: Outputs, batch: Batch, epoch: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        del epoch
        labels = batch["label"]
        loss = cross_entropy(outputs["logits"], labels, self._config.task.label_smoothing).mean()
        sums = {"top1": correct(self._scores(outputs), labels).sum(), "loss": loss * len(labels)}
        return self._text.add_to(loss, sums, outputs, batch, key)

    def logits(self, outputs: Outputs, epoch: jax.Array) -> dict[str, jax.Array]:
        del epoch
        return {"logits": self._scores(outputs).astype(jnp.float32)}

    def _scores(self, outputs: Outputs) -> jax.Array:
        """(B, K): the classifier's or, as that cannot know classes that are held out, the descriptions'."""
        return self._text.scores(outputs) if self._text.scores else outputs["logits"]

    def pictures(self, inputs: np.ndarray, outputs: dict[str, np.ndarray], sample: int) -> dict[str, Figure]:
        """The skeleton; of motion, which has no place, its length; and which joints mattered."""
        task, clip = self._config.task, inputs[sample]
        parents = self._layout.parents
        if task.stream.endswith("motion"):
            joints = None
            found = {"motion": motion_picture(clip, f"stream {task.stream}")}
        else:
            joints = join_bones(clip, parents) if task.stream == "bone" else clip
            unit = "m" if task.feeder == "ntu" else ""
            found = {"skeleton": skeleton_picture(joints, parents, unit=unit)}
        if ACTIVATION in outputs:
            activation, of = outputs[ACTIVATION][sample], task.stream.removesuffix("_motion")
            found["joint_activation"] = joint_activation_picture(activation, clip, joints, parents, of)
        return found

    def common_pictures(self, outputs: dict[str, np.ndarray]) -> dict[str, Figure]:
        del outputs
        return {}


def join_bones(bones: np.ndarray, parents: tuple[int, ...]) -> np.ndarray:
    """Joints (T, M, V, C) from bones of the same shape, with the root at 0: `derive_stream` turned around."""
    to_bones = np.eye(len(parents), dtype=bones.dtype)
    for joint, parent in enumerate(parents):
        if parent != joint:
            to_bones[joint, parent] -= 1
    return np.linalg.inv(to_bones) @ bones

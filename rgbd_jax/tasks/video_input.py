"""From raw clips of colour or depth to what the RGB-D networks read, as a task's config says."""

import jax
from ml_collections import ConfigDict

from rgbd_jax.config import check_choice
from rgbd_jax.preprocess import video
from rgbd_jax.preprocess.depth import jet_colours, scaled_levels, wrapped_levels
from rgbd_jax.preprocess.dynamic_image import dynamic_image
from rgbd_jax.tasks.task import Batch

CROP_RULES = ("centre", "nvgesture")
DEPTH_LEVELS = ("wrapped", "scaled")

# The published crops of NvGesture: in training no nearer to the upper and left border, in evaluation there.
NVGESTURE_FIRST = 10
NVGESTURE_CORNER = (32, 32)


class VideoInput:
    """Makes the network's input of one modality: clip and heat map."""

    def __init__(self, task: ConfigDict):
        """
        Args:
          task: `config.task`.

        Raises:
          UserError: if a key has a value that is not allowed.
        """
        check_choice("task.crop_rule", task.crop_rule, CROP_RULES)
        check_choice("task.depth_levels", task.depth_levels, DEPTH_LEVELS)
        self._task = task

    def draw_keys(self, batch: Batch, key: jax.Array) -> jax.Array:
        """A random key for each clip, which follows from the random number it carries: (B,)."""
        return jax.vmap(lambda seed: jax.random.fold_in(key, seed))(batch["seed"])

    def __call__(self, batch: Batch, modality: str, keys: jax.Array, *, train: bool) -> dict[str, jax.Array]:
        """Prepare the clips of one modality, with augmentation if `train`.

        Args:
          batch: `<modality>` uint8 (B, T, H, W, 3) or uint16 (B, T, H, W, 1), and `<modality>_size`.
          keys: of the clips, (B,).

        Returns:
          clip (B, T, size, size, 3), −0.996 to 0.996; with rank pooling heat (B, T, size, size, 1), 0 to 2.
        """

        def one_clip(raw):
            frames, sizes, key = raw
            if frames.shape[-1] == 1:
                frames = self._painted(frames, sizes)
            levels = video.transform_clip(
                frames,
                sizes,
                self._augmentation(key, len(frames), train=train),
                resize=tuple(self._task.resize),
                crop=self._task.crop,
                size=self._task.size,
            )
            prepared = {"clip": video.normalise(levels)}
            if self._task.rank_pooling:
                prepared["heat"] = dynamic_image(levels, self._task.rank_pooling)
            return prepared

        return jax.lax.map(one_clip, (batch[modality], batch[f"{modality}_size"], keys))

    def _augmentation(self, key: jax.Array, num_frames: int, *, train: bool) -> video.Augmentation:
        task, nvgesture = self._task, self._task.crop_rule == "nvgesture"
        crop = dict(resize=tuple(task.resize), crop=task.crop)
        if not train:
            return video.evaluation_augmentation(**crop, corner=NVGESTURE_CORNER if nvgesture else None)
        return video.draw_augmentation(
            key,
            **crop,
            first=NVGESTURE_FIRST if nvgesture else 0,
            flip=task.flip,
            rotated=task.rotated,
            angles=tuple(task.angles),
            blurred_frames=num_frames if task.blur else 0,
        )

    def _painted(self, depth: jax.Array, sizes: jax.Array) -> jax.Array:
        """Measured depth in colours: uint16 (T, H, W, 1) to uint8 (T, H, W, 3)."""
        if self._task.depth_levels == "wrapped":
            return jet_colours(wrapped_levels(depth), sizes)
        return jet_colours(scaled_levels(depth, *self._task.depth_range), sizes)

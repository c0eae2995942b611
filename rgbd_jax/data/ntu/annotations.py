"""NTU RGB+D as the toolbox PYSKL distributes it: `ntu60_3danno.pkl`, `ntu120_3danno.pkl`.

    {"split": {"xsub_train": [name, …], "xsub_val": …}, "annotations": [{"frame_dir": name, "label": from 0,
     "keypoint": (M, T, V=25, 3) float16 in metres, "total_frames": T, …}, …]}

Its clips are cleaned but not centred, and rounded to half precision.
"""

from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from rgbd_jax.data.formats.ntu_skeleton import NUM_JOINTS
from rgbd_jax.data.formats.positions import NEEDED, are_positions
from rgbd_jax.data.left_out import LeftOut
from rgbd_jax.data.ntu.actors import NoActor, centre
from rgbd_jax.data.ntu.edition import WHY_MISSING, Capture, Edition, missing_captures
from rgbd_jax.data.skeleton_sample import Sample
from rgbd_jax.errors import UserError
from rgbd_jax.pickles import read_pickle


class Annotations:
    """The clips of such a file, all of which is in memory."""

    def __init__(self, path: Path, edition: Edition):
        """
        Args:
          path: the file.
          edition: what it holds.

        Raises:
          UserError: the file cannot be read or is of another form.
        """
        self._path = path
        self._edition = edition
        content = read_pickle(path)
        if not isinstance(content, dict) or not {"split", "annotations"} <= content.keys():
            raise UserError(f"{path}: a dict with the keys split and annotations is needed")
        self._clips = content["annotations"]
        self._listed = _listed(path, content["split"])
        if not isinstance(self._clips, list) or not self._clips:
            raise UserError(f"{path}: annotations is no list of clips")

    def items(self) -> list[int]:
        return [number for number in range(len(self._clips)) if not self._is_missing(number)]

    def remarks(self) -> list[str]:
        missing = sum(map(self._is_missing, range(len(self._clips))))
        return [f"{self._path}: left out {missing} captures {WHY_MISSING}"] if missing else []

    def splits(self, number: int) -> tuple[str, ...]:
        """The split of each protocol. UserError if the file says otherwise."""
        capture = self._capture(number)
        splits = self._edition.splits(capture)
        for split in self._listed.get(capture.name, ()):
            if split.split("_")[0] in self._edition.protocols and split not in splits:
                raise UserError(
                    f"{self._place(number)}: {capture.name} is listed for {split};"
                    f" by its name it belongs to {' and '.join(splits)}"
                )
        return splits

    def pool(self) -> Executor:
        return ThreadPoolExecutor(1)  # there is next to nothing to do

    def read(self, number: int) -> Sample:
        """Centre a clip.

        Raises:
          UserError: it is faulty.
          LeftOut: nobody acts in it.
        """
        capture, clip, place = self._capture(number), self._clips[number], self._place(number)
        label, total_frames = (_number(clip.get(key)) for key in ("label", "total_frames"))
        if label != capture.action - 1:
            raise UserError(f"{place}: found label {label}; by its name it is {capture.action - 1}")
        keypoint = clip.get("keypoint")
        if not isinstance(keypoint, np.ndarray) or keypoint.dtype.kind != "f":
            raise UserError(f"{place}: keypoint is no array of floating point numbers")
        bodies, *frames_joints = keypoint.shape or (0,)
        if bodies not in (1, 2) or frames_joints != [total_frames, NUM_JOINTS, 3]:
            raise UserError(
                f"{place}: keypoint has the shape {keypoint.shape}; 1 or 2 bodies,"
                f" total_frames={total_frames}, {NUM_JOINTS} joints, 3 is needed"
            )
        joints = keypoint.astype(np.float32).swapaxes(0, 1)
        if not are_positions(joints).all():
            raise UserError(f"{place}: a number of keypoint is no position; {NEEDED}")
        try:
            joints = centre(joints)
        except NoActor as reason:
            raise LeftOut(f"{place}: is left out: {reason}") from reason
        return Sample(place, capture.name, self._edition.class_names[capture.action - 1], joints)

    def _place(self, number: int) -> str:
        return f"{self._path}, annotations[{number}]"

    def _name(self, number: int) -> str | None:
        clip = self._clips[number]
        name = clip.get("frame_dir") if isinstance(clip, dict) else None
        return name if isinstance(name, str) else None

    def _is_missing(self, number: int) -> bool:
        return self._name(number) in missing_captures()

    def _capture(self, number: int) -> Capture:
        return self._edition.capture(str(self._name(number)), self._place(number))


def _listed(path: Path, split: Any) -> dict[str, list[str]]:
    """The splits, by our names, by the name of the clips in them."""
    if not isinstance(split, dict) or not all(isinstance(clips, list) for clips in split.values()):
        raise UserError(f"{path}: split is no dict of lists of names")
    listed = {}
    for name, clips in split.items():
        if not all(isinstance(text, str) for text in (name, *clips)):
            raise UserError(f"{path}: split is no dict of lists of names")
        for clip in clips:
            listed.setdefault(clip, []).append(name.replace("_val", "_test"))
    return listed


def _number(value: Any) -> int | str:
    """A whole number, or that it is none: arrays compare by element, and lists may be too deep to show."""
    return int(value) if isinstance(value, int | np.integer) else "no number"

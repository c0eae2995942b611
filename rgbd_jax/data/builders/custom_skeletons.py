"""A skeleton data set of one's own, see docs/own_data.md."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from rgbd_jax.data.builders.own_lists import ListedLine, OwnLists
from rgbd_jax.data.builders.skeleton_builder import SkeletonBuilder
from rgbd_jax.data.clip_files import files_of
from rgbd_jax.data.formats.clip_list import parse_listed_clip
from rgbd_jax.data.joint_files import JOINT_FILES, read_joints
from rgbd_jax.data.left_out import LeftOut
from rgbd_jax.data.ntu.actors import NoActor, centre, without_empty_frames
from rgbd_jax.data.records import damaged
from rgbd_jax.data.skeleton_sample import Sample
from rgbd_jax.errors import UserError
from rgbd_jax.skeleton_layouts import CHOICES, LAYOUTS, layout_of

SIZES = ("num_bodies", "num_joints")


class CustomSkeletons(OwnLists, SkeletonBuilder):
    """Any recordings of joints in one of the known layouts, of one or more people.

    Frames without anybody are cut, and recordings that have no others are left out. Clips are moved so that
    the centre of the first person is at the origin in the first frame.
    """

    VERSION = tfds.core.Version("1.0.0")
    SUMMARY = "A skeleton data set of one's own."
    CLASS_NAMES = ()
    PUBLISHED_SIZES: ClassVar = {}
    NEEDS_ALL_SPLITS = False
    NUM_BODIES = None  # as many as there are
    NUM_JOINTS = None
    FOLDERS = ("skeletons",)
    ENDINGS = tuple(JOINT_FILES)
    WANTED = f"files of joints ({', '.join(ENDINGS)})"

    @classmethod
    def stored_kind(cls, folder: Path, info: tfds.core.DatasetInfo) -> dict[str, Any]:
        sizes = {name: info.metadata.get(name) for name in SIZES}
        for name, value in sizes.items():
            if not isinstance(value, int) or value < 1:
                raise damaged(folder / "metadata.json", f"{name} is {value!r}")
        return {"class_names": tuple(info.features["label"].names), **sizes}

    def items(self) -> list[ListedLine]:
        return list(self.listed_lines())

    def split_of(self, item: ListedLine) -> str:
        return item.split

    def read(self, item: ListedLine) -> Sample:
        names, line = self.info.features["label"].names, item.line
        clip = parse_listed_clip(line, len(names))
        path = Path(self.source, *self.FOLDERS, clip.path)
        found = files_of(path, self.ENDINGS)
        if len(found) != 1:
            said = " and ".join(file.name for file in found) or "no file"
            raise UserError(f"{line}: found {said} for {path}; one of {', '.join(self.ENDINGS)} is needed")
        try:
            joints = read_joints(found[0])
            if clip.num_frames is not None and clip.num_frames > len(joints):
                raise UserError(
                    f"{line}: found {len(joints)} frames in {found[0]}; {clip.num_frames} are needed"
                )
            layout = layout_of(joints.shape[2])
            joints = centre(without_empty_frames(joints[: clip.num_frames]), layout.centre)
        except NoActor as reason:
            raise LeftOut(f"{line}: is left out: {reason}") from reason
        except KeyError as error:
            known = ", ".join(f"{LAYOUTS[name].num_joints} ({name})" for name in CHOICES)
            raise UserError(f"{found[0]}: found {joints.shape[2]} joints; known are {known}") from error
        return Sample(str(line), clip.path, names[clip.label], joints)

    def compare(self, sample: Sample, split: str, seen: dict[Any, Any]) -> None:
        """As of every data set; and all clips have the same joints."""
        super().compare(sample, split, seen)
        count = sample.joints.shape[2]
        known, place = seen.setdefault("joints", (count, sample.place))
        if count != known:
            raise UserError(
                f"{sample.place}: found {count} joints, but {known} in {place}; a data set has one layout"
            )

    def clip_features(self) -> dict[str, tfds.features.FeatureConnector]:
        shape = (None, None, None, 3)
        return {"joints": tfds.features.Tensor(shape=shape, dtype=np.float32, encoding="bytes")}

    def clip_metadata(self) -> dict[str, Any]:
        return super().clip_metadata() | dict.fromkeys(SIZES, 0)

    def record(self, sample: Sample) -> dict[str, Any]:
        metadata, (_, num_bodies, num_joints, _) = self.info.metadata, sample.joints.shape
        metadata["num_bodies"] = max(metadata["num_bodies"], num_bodies)
        metadata["num_joints"] = num_joints
        return super().record(sample)

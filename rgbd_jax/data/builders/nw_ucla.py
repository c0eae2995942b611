"""Northwestern-UCLA Multiview Action 3D, skeletons (Wang et al., CVPR 2014), cross-view protocol.

The source folder holds `all_sqe/` with one file a clip, `aAA_sSS_eEE_vVV.json`: action, subject, example,
view. Views 1 and 2 train, view 3 tests.
"""

import re
from pathlib import Path
from typing import ClassVar

import tensorflow_datasets as tfds

from rgbd_jax.data.builders.skeleton_builder import SkeletonBuilder
from rgbd_jax.data.formats.nw_ucla_json import NUM_JOINTS, read_nw_ucla_json
from rgbd_jax.data.skeleton_sample import Sample
from rgbd_jax.errors import UserError

# Class names in label order, by the number of the action in the file name: 7 and 10 were never published.
ACTIONS = {
    1: "pick up with one hand",
    2: "pick up with two hands",
    3: "drop trash",
    4: "walk around",
    5: "sit down",
    6: "stand up",
    8: "donning",
    9: "doffing",
    11: "throw",
    12: "carry",
}

SPLIT_OF_VIEW = {1: "train", 2: "train", 3: "test"}

_FILE_NAME = re.compile(r"a(\d\d)_s(\d\d)_e(\d\d)_v(\d\d)\.json")


class NwUcla(SkeletonBuilder):
    """NW-UCLA: 1,484 clips of 10 actions, 20 joints, one person; ids are the file names without `.json`."""

    VERSION = tfds.core.Version("1.0.0")
    SUMMARY = (
        "Northwestern-UCLA Multiview Action 3D: skeletons, views 1 and 2 for training, view 3 for testing."
    )
    CLASS_NAMES = tuple(ACTIONS.values())
    PUBLISHED_SIZES: ClassVar = {"train": 1020, "test": 464}
    NUM_BODIES = 1
    NUM_JOINTS = NUM_JOINTS

    def items(self) -> list[Path]:
        folder = Path(self.source) / "all_sqe"
        if not folder.is_dir():
            raise UserError(
                f"--source={self.source}: there is no folder {folder}; give the folder that holds all_sqe/"
            )
        paths = sorted(folder.glob("*.json"))
        if not paths:
            raise UserError(
                f"{folder}: there are no .json files in it; files named aAA_sSS_eEE_vVV.json are needed"
            )
        return paths

    def split_of(self, item: Path) -> str:
        _, view = _action_and_view(item)
        return SPLIT_OF_VIEW[view]

    def read(self, item: Path) -> Sample:
        action, _ = _action_and_view(item)
        return Sample(
            place=str(item), id=item.stem, class_name=ACTIONS[action], joints=read_nw_ucla_json(item)
        )


def _action_and_view(path: Path) -> tuple[int, int]:
    match = _FILE_NAME.fullmatch(path.name)
    if match is None:
        raise UserError(f"{path}: the name is not of the form aAA_sSS_eEE_vVV.json")
    action, _, _, view = map(int, match.groups())
    if action not in ACTIONS:
        raise UserError(
            f"{path}: found action {action}; the labels are for actions {', '.join(map(str, ACTIONS))}"
        )
    if view not in SPLIT_OF_VIEW:
        raise UserError(f"{path}: found view {view}; allowed are views {', '.join(map(str, SPLIT_OF_VIEW))}")
    return action, view

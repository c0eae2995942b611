"""What all data sets of one's own share: classes and splits as their lists say (docs/own_data.md)."""

import abc
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rgbd_jax.data.class_folders import CLASSES, LISTS
from rgbd_jax.data.formats.clip_list import read_lines
from rgbd_jax.data.records import JOINT
from rgbd_jax.errors import UserError
from rgbd_jax.numbered_lines import Line


class ListedLine(NamedTuple):
    """A line of the list of a split."""

    split: str
    line: Line


class OwnLists(abc.ABC):
    """Beside a `Builder`: its class names and items are those of the source's lists."""

    @classmethod
    @abc.abstractmethod
    def clips_below(cls, source: Path) -> set[str]:
        """The paths `CLASS/…/CLIP` of all clips that lie in folders of classes.

        Raises:
          UserError: there are none, or one lies in no folder of a class.
        """

    @property
    def class_names(self) -> tuple[str, ...]:
        """The lines of `classes.txt`; empty without a source."""
        if self.source is None:
            return ()
        path = Path(self.source) / CLASSES
        names = tuple(line.text for line in read_lines(path))
        if twice := [name for name in names if names.count(name) > 1]:
            raise UserError(f"{path}: found {twice[0]!r} more than once")
        return names

    def listed_lines(self) -> Iterator[ListedLine]:
        """The lines of all lists. UserError if there is no list, or one is called like no split."""
        folder = Path(self.source) / LISTS
        lists = sorted(folder.glob("*.txt"))
        if not lists:
            raise UserError(
                f"--source={self.source}: there is no list {folder / 'train.txt'}; with --split it is made"
            )
        for path in lists:
            if not path.stem.isidentifier() or JOINT in path.stem:
                raise UserError(f"{path}: is no name of a split; letters, digits and single _ are allowed")
        return (ListedLine(path.stem, line) for path in lists for line in read_lines(path))


def in_folders_of_classes(clips: set[str], source: Path, wanted: str) -> set[str]:
    """The clips, if there are any and all lie in folders of classes; else a UserError."""
    if not clips:
        raise UserError(f"--source={source}: found no {wanted}")
    if flat := sorted(clip for clip in clips if "/" not in clip):
        raise UserError(f"--source={source}: the clip {flat[0]} lies in no folder of a class")
    return clips

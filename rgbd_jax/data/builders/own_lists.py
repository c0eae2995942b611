"""What all data sets of one's own share: classes and splits as their lists say (docs/own_data.md)."""

from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import ClassVar, NamedTuple

from rgbd_jax.data.class_folders import CLASSES, LISTS
from rgbd_jax.data.clip_files import FoundClips, find_clips
from rgbd_jax.data.formats.clip_list import parse_listed_clip, read_lines
from rgbd_jax.data.records import JOINT, split_names
from rgbd_jax.errors import UserError
from rgbd_jax.numbered_lines import Line


class ListedLine(NamedTuple):
    """A line of the list of a split."""

    split: str
    line: Line


class OwnLists:
    """Beside a `Builder`: its class names and items are those of the source's lists."""

    FOLDERS: ClassVar[tuple[str, ...]]  # below the source, where clips lie; each has all, or is not there
    ENDINGS: ClassVar[Collection[str]]  # of files that are a clip, in small letters
    WANTED: ClassVar[str]  # what such files are, for messages

    @staticmethod
    def is_frame(name: str) -> bool:
        """Whether a file of this name makes its folder a clip."""
        del name
        return False

    @classmethod
    def clips_below(cls, source: Path) -> FoundClips:
        """The paths `CLASS/…/CLIP` of all clips, to make lists of; and, from the source on, of what is none.

        Raises:
          UserError: there are none, one lies in no folder of a class or is not in all of `FOLDERS`, or the
            source also has clips of another kind, whose lists would be the same files.
        """
        found = {name: find_clips(source / name, cls.ENDINGS, cls.is_frame) for name in cls.FOLDERS}
        clips = set().union(*(below.clips for below in found.values()))
        others = [f"{name}/{other}" for name, below in found.items() for other in below.others]
        if not clips:
            wanted = f"{cls.WANTED} below {' or '.join(f'{name}/CLASS/' for name in cls.FOLDERS)}"
            raise UserError(f"--source={source}: found no {wanted}{f', but {others[0]}' if others else ''}")
        if flat := sorted(clip for clip in clips if "/" not in clip):
            raise UserError(f"--source={source}: the clip {flat[0]} lies in no folder of a class")
        for name, below in found.items():
            if (source / name).is_dir() and (missing := sorted(clips - below.clips)):
                raise UserError(f"{source / name}: there is no clip {missing[0]}; both need all")
        for kind in OwnLists.__subclasses__():
            if kind is not cls and (beside := [name for name in kind.FOLDERS if (source / name).is_dir()]):
                raise UserError(
                    f"--source={source}: found {cls.WANTED} and beside them the folder {beside[0]}, whose"
                    " lists would be the same files; a folder of recordings for each kind is needed"
                )
        return FoundClips(clips, others)

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

    def listed_sizes(self) -> dict[str, Counter[str]]:
        """By split, how many clips of each class its list names. Errors are those of `listed_lines`."""
        names, sizes = self.class_names, {}
        for split, line in self.listed_lines():
            of_split = sizes.setdefault(split, Counter())
            try:
                of_split[names[parse_listed_clip(line, len(names)).label]] += 1
            except UserError:
                continue  # is said where the clip is read
        return {split: sizes[split] for split in split_names(sizes)}

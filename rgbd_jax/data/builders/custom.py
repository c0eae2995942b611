"""A video data set of one's own, in the layout that docs/data_sets.md describes."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import tensorflow_datasets as tfds

from rgbd_jax.data import images
from rgbd_jax.data.builders.video_builder import MODALITIES, ClipFiles, Item, VideoBuilder
from rgbd_jax.data.formats.clip_list import parse_listed_clip, read_lines
from rgbd_jax.data.formats.frame_folder import FrameFolder
from rgbd_jax.data.formats.video_file import VideoFile
from rgbd_jax.data.records import JOINT
from rgbd_jax.errors import UserError

VIDEO_ENDINGS = (".avi", ".mp4", ".mkv", ".mov")


class Custom(VideoBuilder):
    """Any clips of colour, depth or both; classes, splits and ids are those of the lists."""

    VERSION = tfds.core.Version("1.0.0")
    SUMMARY = "A video data set of one's own."
    CLASS_NAMES = ()
    PUBLISHED_SIZES: ClassVar = {}

    @property
    def class_names(self) -> tuple[str, ...]:
        """The lines of `classes.txt`; empty without a source."""
        if self.source is None:
            return ()
        names = tuple(line.text for line in read_lines(self.root / "classes.txt"))
        if twice := [name for name in names if names.count(name) > 1]:
            raise UserError(f"{self.root / 'classes.txt'}: found {twice[0]!r} more than once")
        return names

    @staticmethod
    def clips_below(source: Path) -> set[str]:
        """The paths `CLASS/…/CLIP` of all videos and folders of frames below `rgb/` and `depth/`.

        Raises:
          UserError: there are none, one lies in no folder of a class, or is not there in both.
        """
        found = {
            modality: set(_clips_below(source / modality))
            for modality in MODALITIES
            if (source / modality).is_dir()
        }
        clips = set().union(*found.values())
        if not clips:
            raise UserError(
                f"--source={source}: found no videos or folders of frames below rgb/CLASS/ or depth/CLASS/"
            )
        if flat := sorted(clip for clip in clips if "/" not in clip):
            raise UserError(f"--source={source}: the clip {flat[0]} lies in no folder of a class")
        for modality, of_modality in found.items():
            if missing := sorted(clips - of_modality):
                raise UserError(f"{source / modality}: there is no clip {missing[0]}; both need all")
        return clips

    def items(self) -> list[Item]:
        folder = self.root / "dataset_splits"
        lists = sorted(folder.glob("*.txt"))
        if not lists:
            raise UserError(
                f"--source={self.source}: there is no list {folder / 'train.txt'}; with --split it is made"
            )
        for path in lists:
            if not path.stem.isidentifier() or JOINT in path.stem:
                raise UserError(f"{path}: is no name of a split; letters, digits and single _ are allowed")
        return [Item("frames", path.stem, line) for path in lists for line in read_lines(path)]

    def files(self, item: Item) -> ClipFiles:
        names = self.info.features["label"].names
        clip = parse_listed_clip(item.line, len(names))
        frames = {
            modality: _frames(self.root / modality / clip.path, modality, clip.num_frames)
            for modality in MODALITIES
        }
        return ClipFiles(str(item.line), clip.path, names[clip.label], frames)


def _clips_below(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.suffix.lower() in VIDEO_ENDINGS and path.is_file():
            yield path.relative_to(folder).with_suffix("").as_posix()
        elif path.is_dir() and any((path / name).is_file() for _, _, name in _first_frames()):
            yield path.relative_to(folder).as_posix()


def _first_frames() -> Iterator[tuple[int, str, str]]:
    """Number, ending and name of the files that a folder of frames can begin with."""
    for first in (0, 1):
        for ending in ("jpg", "png"):
            yield first, ending, f"{first:06d}.{ending}"


def _frames(path: Path, modality: str, count: int | None) -> FrameFolder | VideoFile:
    """A video file if there is one, else a folder of frames, whether there or not.

    Depth in `.png` is of 16 bits; all else is stored as it is shown.
    """
    for ending in VIDEO_ENDINGS:
        video = path.with_name(path.name + ending)
        if video.is_file():
            return VideoFile(video, 0, count)
    found = ((first, ending) for first, ending, name in _first_frames() if (path / name).is_file())
    first, ending = next(found, (0, "jpg"))
    measured = modality == "depth" and ending == "png"
    return FrameFolder(path, f"%06d.{ending}", first, count, images.DEPTH if measured else images.COLOUR)

"""A video data set of one's own, see docs/own_data.md."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import tensorflow_datasets as tfds

from rgbd_jax.data import images
from rgbd_jax.data.builders.own_lists import OwnLists, in_folders_of_classes
from rgbd_jax.data.builders.video_builder import MODALITIES, ClipFiles, Item, VideoBuilder
from rgbd_jax.data.formats.clip_list import parse_listed_clip
from rgbd_jax.data.formats.frame_folder import FrameFolder
from rgbd_jax.data.formats.video_file import VideoFile
from rgbd_jax.errors import UserError

VIDEO_ENDINGS = (".avi", ".mp4", ".mkv", ".mov")


class Custom(OwnLists, VideoBuilder):
    """Any clips of colour, depth or both; classes, splits and ids are those of the lists."""

    VERSION = tfds.core.Version("1.0.0")
    SUMMARY = "A video data set of one's own."
    CLASS_NAMES = ()
    PUBLISHED_SIZES: ClassVar = {}

    @classmethod
    def clips_below(cls, source: Path) -> set[str]:
        """Those of videos and folders of frames below `rgb/` and `depth/`.

        Raises:
          UserError: as of `OwnLists`; or one is not there in both.
        """
        found = {
            modality: set(_clips_below(source / modality))
            for modality in MODALITIES
            if (source / modality).is_dir()
        }
        wanted = "videos or folders of frames below rgb/CLASS/ or depth/CLASS/"
        clips = in_folders_of_classes(set().union(*found.values()), source, wanted)
        for modality, of_modality in found.items():
            if missing := sorted(clips - of_modality):
                raise UserError(f"{source / modality}: there is no clip {missing[0]}; both need all")
        return clips

    def items(self) -> list[Item]:
        return [Item("frames", split, line) for split, line in self.listed_lines()]

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

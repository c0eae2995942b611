"""A video data set of one's own, see docs/own_data.md."""

import dataclasses
import os
from pathlib import Path
from typing import ClassVar

import tensorflow_datasets as tfds

from rgbd_jax.data.builders.own_lists import OwnLists
from rgbd_jax.data.builders.video_builder import MODALITIES, ClipFiles, Item, VideoBuilder
from rgbd_jax.data.clip_files import files_of
from rgbd_jax.data.formats.clip_list import parse_listed_clip
from rgbd_jax.data.formats.frame_folder import FrameFolder, numbered
from rgbd_jax.data.formats.video_file import VideoFile
from rgbd_jax.errors import UserError


class Custom(OwnLists, VideoBuilder):
    """Any clips of colour, depth or both; classes, splits and ids are those of the lists."""

    VERSION = tfds.core.Version("1.0.0")
    SUMMARY = "A video data set of one's own."
    CLASS_NAMES = ()
    PUBLISHED_SIZES: ClassVar = {}
    FOLDERS = MODALITIES
    ENDINGS = (".avi", ".mp4", ".mkv", ".mov")
    WANTED = f"videos ({', '.join(ENDINGS)}) or folders of numbered frames"

    @staticmethod
    def is_frame(name: str) -> bool:
        return numbered(name) is not None

    def items(self) -> list[Item]:
        return [Item("frames", split, line) for split, line in self.listed_lines()]

    def files(self, item: Item) -> ClipFiles:
        names = self.info.features["label"].names
        clip = parse_listed_clip(item.line, len(names))
        try:
            frames = {
                modality: _frames(self.root / modality / clip.path, modality, clip.num_frames)
                for modality in MODALITIES
            }
        except UserError as error:
            raise UserError(f"{item.line}: {error}") from error
        return ClipFiles(str(item.line), clip.path, names[clip.label], frames)


def _frames(path: Path, modality: str, count: int | None) -> FrameFolder | VideoFile:
    """The video or the folder of frames, which need not be there.

    Raises:
      UserError: there is more than one, a folder holds no frames, or colour has the format of depth.
    """
    found = [*files_of(path, Custom.ENDINGS), *([path] if os.path.isdir(path) else [])]
    if len(found) > 1:
        said = " and ".join(file.name for file in found)
        raise UserError(f"found {said} for {path}; one video or one folder of frames is allowed")
    if not found:
        return FrameFolder(path, "%06d.jpg", 0, count)
    if not os.path.isdir(path):
        return VideoFile(found[0], 0, count)
    folder = FrameFolder.find(path, modality)
    return dataclasses.replace(folder, count=count)

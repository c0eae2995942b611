"""Recordings of colour and depth."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from rgbd_jax.data import images
from rgbd_jax.data.builders import builder_class
from rgbd_jax.data.builders.video_builder import ClipFiles
from rgbd_jax.data.formats.frame_folder import ENDINGS, FrameFolder
from rgbd_jax.data.formats.video_file import VideoFile
from rgbd_jax.data.joint_files import JOINT_FILES
from rgbd_jax.data.loader import Batch
from rgbd_jax.data.sound_clips import FaultyClip, FrameCheck, check_lengths
from rgbd_jax.data.video_split import FrameFormat, VideoSplit
from rgbd_jax.errors import UserError
from rgbd_jax.recordings.given import Given
from rgbd_jax.recordings.reader import FPS, Reader, Recording, batch_of_one


class VideoReader(Reader):
    """Reads videos and folders of frames, of colour, of depth or of both; and arrays of frames, uint8
    (T, H, W, 3) or, of measured depth, uint16 (T, H, W) or (T, H, W, 1)."""

    def __init__(self, config: ConfigDict, class_names: tuple[str, ...], channels: Mapping[str, int]):
        data = config.data
        self._channels = channels
        self._builder = builder_class(data.name)
        self.modalities = tuple(data.modalities) or self._builder.MODALITIES
        self.window = data.num_frames
        self.split = VideoSplit(
            name=data.name,
            version="",
            split="",
            source=(),
            class_names=class_names,
            num_frames=data.num_frames,
            formats=dict.fromkeys(self.modalities, FrameFormat(0, 0, images.COLOUR)),
            cut_out=self._builder.CUT_OUT,
            masked=self._builder.MASKED,
        )

    def read(self, given: Any, fps: float | None = None) -> Recording:
        read = self._from_files if isinstance(given, Given) else self._from_arrays
        recording = read(given, fps)
        for name, found in recording.formats.items():
            known = self._channels.get(name, found.channels)
            if found.channels != known:
                raise UserError(
                    f"{recording.name}: the {name} is {images.KINDS[found.channels]}; that of the training"
                    f" was {images.KINDS[known]}"
                )
        return recording

    def row(self, recording: Recording) -> Batch:
        split = dataclasses.replace(self.split, formats=recording.formats)
        return batch_of_one(split, recording.clip)

    def decoded(self, recording: Recording, modality: str) -> Iterator[np.ndarray]:
        """Its frames one after the other, uint8 (H, W, 3) or uint16 (H, W, 1)."""
        channels = recording.formats[modality].channels
        return (images.decode(frame, channels) for frame in recording.clip[modality])

    def _from_files(self, given: Given, fps: float | None) -> Recording:
        if len(given.paths) == 2:
            paths = dict(zip(("rgb", "depth"), given.paths, strict=True))
        elif len(self.modalities) == 1:
            paths = dict(zip(self.modalities, given.paths, strict=True))
        else:
            raise UserError(
                f"{given}: is one recording; the network reads colour and depth, give both as COLOUR,DEPTH"
            )
        sources = {name: _frames(path, name, given) for name, path in paths.items()}
        clip = self._builder.read_files(ClipFiles("", "", "", sources), self.modalities)
        if fps is None:
            stated = [source.fps() for source in sources.values() if isinstance(source, VideoFile)]
            fps = next(filter(None, stated), FPS)
        return Recording(str(given), clip.frames, fps, clip.formats)

    def _from_arrays(self, given: Any, fps: float | None) -> Recording:
        arrays = given if isinstance(given, tuple) else (given,)
        if len(arrays) == 2 and len(self.modalities) == 1:
            arrays = (arrays[("rgb", "depth").index(self.modalities[0])],)
        if len(arrays) != len(self.modalities):
            raise UserError(
                f"{len(arrays)} arrays: the network reads {' and '.join(self.modalities)},"
                f" {len(self.modalities)} are needed"
            )
        clip, formats = {}, {}
        check = FrameCheck(masked=self._builder.MASKED)
        for name, array in zip(self.modalities, map(np.asarray, arrays), strict=True):
            frames = check_frames(array, name)
            for number, frame in enumerate(frames):
                check.add(name, number, frame)
            formats[name] = FrameFormat(*frames.shape[1:])
            encode = images.encode_png if formats[name].channels == images.DEPTH else images.encode_jpeg
            clip[name] = list(map(encode, frames))
        try:
            check_lengths({name: len(frames) for name, frames in clip.items()})
            check.end()
        except FaultyClip as fault:
            raise UserError(f"the array: {fault}") from fault
        return Recording("the array", clip, FPS if fps is None else fps, formats)


def check_frames(frames: np.ndarray, modality: str) -> np.ndarray:
    """Frames of a modality as uint8 (T, H, W, 3) or uint16 (T, H, W, 1).

    Raises:
      UserError: they are something else, or there are none.
    """
    if modality == "depth" and frames.dtype == np.uint16 and frames.ndim == 3:
        frames = frames[..., None]
    channels = images.DEPTH if modality == "depth" and frames.dtype == np.uint16 else images.COLOUR
    wanted = np.uint16 if channels == images.DEPTH else np.uint8
    if frames.ndim != 4 or frames.shape[-1] != channels or frames.dtype != wanted or not frames.size:
        measured = " or, as measured, uint16 (frames, height, width)" if modality == "depth" else ""
        raise UserError(
            f"the array of {modality}: found {frames.dtype} {frames.shape};"
            f" uint8 (frames, height, width, 3){measured} is needed"
        )
    return frames


def _frames(path: Path, modality: str, given: Given) -> FrameFolder | VideoFile:
    if not path.is_dir():
        if path.suffix.lower() in JOINT_FILES:  # OpenCV would call it a video that it cannot open
            raise UserError(f"{path}: is a file of joints; the network reads {modality} video")
        if path.suffix.lower() in ENDINGS:  # to OpenCV a video of one frame
            raise UserError(f"{path}: is one image; give the folder of the frames")
        return VideoFile(path, given.first, given.end)
    folder = FrameFolder.find(path, modality)
    if given.end is None:
        return folder
    return dataclasses.replace(folder, first=folder.first + given.first, count=given.end - given.first)

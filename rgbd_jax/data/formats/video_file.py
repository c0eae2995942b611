"""Clips as video files, or as a part of one."""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from rgbd_jax.errors import UserError

# OpenCV hands this to FFmpeg, whose complaints name neither file nor clip.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

# By so many frames less a video may be than its file states, where all of it is read.
MISSING_FRAMES = 2


@dataclasses.dataclass(frozen=True)
class VideoFile:
    """A part of a video.

    Attributes:
      path: the file.
      first: number of the first frame, from 0.
      end: number of the first frame that is not part of it; None: the video's end.
    """

    path: Path
    first: int = 0
    end: int | None = None

    def exists(self) -> bool:
        return os.path.isfile(self.path)  # which, unlike Path's, takes any name

    def fps(self) -> float | None:
        """Frames a second, as the file states them; None if it does not."""
        video = self._open()
        try:
            stated = video.get(cv2.CAP_PROP_FPS)
        finally:
            video.release()
        return stated if 0 < stated < float("inf") else None

    def read(self) -> Iterator[tuple[np.ndarray, None]]:
        """Each frame, uint8 (H, W, 3), red first. There is no file of it: the second value is None.

        Frames are counted by decoding from the beginning on; the position that a container claims is not
        reliable.

        Raises:
          UserError: the file is missing, cannot be opened, or ends before `end`; without `end`, it ends
            more than `MISSING_FRAMES` before the number of frames that it states.
        """
        if not self.exists():
            raise UserError(f"there is no file {self.path}")
        video = self._open()
        try:
            if not video.isOpened():
                raise UserError(f"{self.path}: cannot be opened as a video")
            stated = int(video.get(cv2.CAP_PROP_FRAME_COUNT))  # not above 0 where nothing is stated
            number = 0
            while self.end is None or number < self.end:
                read, image = _next_frame(video, decoded=number >= self.first)
                if not read:
                    break
                if image is not None:
                    yield cv2.cvtColor(image, cv2.COLOR_BGR2RGB), None
                number += 1
        finally:
            video.release()
        if number <= self.first or (self.end is not None and number < self.end):
            wanted = "at least one" if self.end is None else f"frames {self.first} to {self.end - 1}"
            raise UserError(f"{self.path}: ends after {number} frames; {wanted} are needed")
        if self.end is None and number < stated - MISSING_FRAMES:
            raise UserError(
                f"{self.path}: ends after {number} frames; the {stated} that it states are needed,"
                " it is cut off or damaged"
            )

    def _open(self) -> cv2.VideoCapture:
        # As bytes: text that is no UTF-8 takes OpenCV, and with it the process, down.
        return cv2.VideoCapture(os.fsencode(self.path))


def _next_frame(video: cv2.VideoCapture, *, decoded: bool) -> tuple[bool, np.ndarray | None]:
    """Whether there is a next frame, and the frame if it is to be decoded. What is broken is the end."""
    try:
        if not video.grab():
            return False, None
        if not decoded:
            return True, None
        read, image = video.retrieve()
    except cv2.error:
        return False, None
    return read and image is not None and image.size > 0, image

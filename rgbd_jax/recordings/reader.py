"""What a recording is, and what reads it for a network."""

import abc
import dataclasses
from typing import Any

import numpy as np

from rgbd_jax.data.loader import Batch, row_of
from rgbd_jax.data.records import Record
from rgbd_jax.data.split import Split
from rgbd_jax.data.video_split import Formats
from rgbd_jax.errors import UserError

# Frames a second of all that does not state another rate.
FPS = 30.0


@dataclasses.dataclass(frozen=True)
class Recording:
    """A recording as the records of a data set hold clips.

    Attributes:
      name: for people.
      clip: `joints` (T, M, V, 3) in metres, or the encoded frames of each modality.
      fps: frames a second.
      formats: of video, the largest frame of each modality.
    """

    name: str
    clip: Record
    fps: float = FPS
    formats: Formats = dataclasses.field(default_factory=dict)

    @property
    def num_frames(self) -> int:
        """T."""
        return min(map(len, self.clip.values()))

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.num_frames / self.fps

    def part(self, first: int, end: int) -> "Recording":
        """The frames from `first` to the one before `end`."""
        return dataclasses.replace(self, clip={name: frames[first:end] for name, frames in self.clip.items()})


class Reader(abc.ABC):
    """Reads recordings for a network.

    Attributes:
      split: an empty split of the data set it was trained on: what a task must know of the data.
      window: frames that the network sees of a clip.
    """

    split: Split
    window: int

    @abc.abstractmethod
    def read(self, given: Any, fps: float | None = None) -> Recording:
        """Read a recording.

        Args:
          given: a `Given`, or arrays.
          fps: frames a second; what the files state, or `FPS`, if None.

        Raises:
          UserError: it cannot be read, or is not what the network reads.
        """

    @abc.abstractmethod
    def row(self, recording: Recording) -> Batch:
        """All of a recording as one clip: a batch of one, as evaluation would make it."""

    def is_empty(self, recording: Recording) -> bool:
        """Whether there is nothing in it to be recognised."""
        del recording
        return False


def check_fps(fps: float) -> None:
    """UserError if it is no number of frames a second."""
    if not 0 < fps < float("inf"):
        raise UserError(f"fps={fps}: frames a second are needed, more than 0")


def batch_of_one(split: Split, clip: Record) -> Batch:
    """The batch that evaluation would make of a record with this clip."""
    row = row_of({"id": b"", "label": 0}, split.clip_row(clip))
    return {name: np.asarray(value)[None] for name, value in row.items()}

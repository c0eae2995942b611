"""What is done when in a long recording: from the probabilities of windows to segments."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Window(NamedTuple):
    """A part of a recording: its first frame, and the one after its last."""

    first: int
    end: int


class Segment(NamedTuple):
    """A stretch of a recording in which one class is found.

    Attributes:
      start, end: in seconds.
      class_name: what is found.
      probability: its mean over the windows.
    """

    start: float
    end: float
    class_name: str
    probability: float


def windows(num_frames: int, length: int, stride: int) -> list[Window]:
    """Windows of `length` frames, one every `stride`; the last one ends with the recording.

    A recording that is shorter than a window is one as a whole.
    """
    last = max(num_frames - length, 0)
    return [Window(first, min(first + length, num_frames)) for first in (*range(0, last, stride), last)]


def smooth(probabilities: np.ndarray, width: int) -> np.ndarray:
    """The mean of each window's probabilities (N, K) and those of its neighbours, `width` in all.

    Args:
      width: an odd number; 1 leaves all as it is. At both ends there are fewer.
    """
    reach = width // 2
    return np.stack(
        [
            probabilities[max(place - reach, 0) : place + reach + 1].mean(0)
            for place in range(len(probabilities))
        ]
    )


def segments(
    found: Sequence[Window],
    probabilities: np.ndarray,
    class_names: Sequence[str],
    *,
    num_frames: int,
    fps: float,
) -> list[Segment]:
    """Join neighbouring windows whose most probable class is the same.

    A window speaks for the frames that are nearer to its middle than to that of another; the first and the
    last also for those up to the ends of the recording.

    Args:
      found: of the recording, in order.
      probabilities: (N, K).
      num_frames, fps: of the recording.
    """
    middles = [(window.first + window.end) / 2 for window in found]
    bounds = [0.0, *((a + b) / 2 for a, b in zip(middles[:-1], middles[1:], strict=True)), float(num_frames)]
    classes = probabilities.argmax(1)
    begins = [0, *(np.flatnonzero(np.diff(classes)) + 1), len(classes)]
    return [
        Segment(
            start=bounds[first] / fps,
            end=bounds[end] / fps,
            class_name=class_names[classes[first]],
            probability=float(probabilities[first:end, classes[first]].mean()),
        )
        for first, end in zip(begins[:-1], begins[1:], strict=True)
    ]

"""Which frames of a recording make a clip (MotionRGBD, CVPR 2022: one frame of each of T equal segments)."""

import numpy as np


def segments(available: int, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    """First and last frame, both int64 (wanted,), of the segments that a recording is cut into.

    Segment i runs from ⌊n·i/T⌋ to ⌊n·(i + 1)/T⌋ − 1 and holds at least one frame, so a recording of fewer
    frames than are wanted shows some of them several times. The quotients are those of double precision.

    Args:
      available: n, the frames of the recording, at least 1.
      wanted: T, the frames of the clip.
    """
    if available < 1:
        raise ValueError(f"a recording of {available} frames has none to sample")
    bounds = (available * np.arange(wanted + 1) / wanted).astype(np.int64)
    first, end = bounds[:-1], bounds[1:]
    return first, np.maximum(end - 1, first)


def sample_frames(available: int, wanted: int, rng: np.random.Generator | None = None) -> np.ndarray:
    """The numbers, counted from 0, of the frames of a clip, int64 (wanted,), in order.

    Args:
      available: how many frames the recording has, at least 1.
      wanted: how many frames the clip has.
      rng: draws one frame of each segment; without it, the one at (length − 1) // 2 is taken.
    """
    first, last = segments(available, wanted)
    if rng is None:
        return (first + last) // 2
    return rng.integers(first, last, endpoint=True)

"""What a sound clip is: asked when clips are prepared, and when they are read for training and evaluation.

Each of them looks at what it sees anyway: preparation at all frames of a clip, reading at those that are
sampled.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

# By so many of 256 steps the brightest and the darkest pixel of one colour may differ, after lossy coding.
BLANK_SPREAD = 2

# Pixels between those that are looked at first: nearly every frame shows something there already.
_COARSE = 8


class FaultyClip(Exception):
    """A clip that must not be learned from; the message says what was found and what is needed."""


def check_label(label: int, num_classes: int) -> None:
    """FaultyClip if there is no such class."""
    if not 0 <= label < num_classes:
        raise FaultyClip(f"found label {label}; allowed are 0 to {num_classes - 1}")


def check_joints(joints: np.ndarray) -> None:
    """See that joints (T, M, V, 3) are positions of somebody.

    People who are not there are zeros. All of them may be in some frames, and some of them in all.

    Raises:
      FaultyClip: a position is not finite, or nobody is there in any frame.
    """
    if not joints.size:
        raise FaultyClip(f"found joints {joints.shape}; at least one frame is needed")
    # One product tells nearly all sound clips: it is not finite if a position is not, and 0 if all are.
    if 0 < np.vdot(joints, joints) < np.inf:
        return
    if not np.isfinite(joints).all():
        frame, person, joint, axis = np.argwhere(~np.isfinite(joints))[0]
        raise FaultyClip(
            f"frame {frame}, person {person}, joint {joint}: {'xyz'[axis]} is"
            f" {joints[frame, person, joint, axis]}; finite positions are needed"
        )
    if not joints.any():
        raise FaultyClip(f"all joints of all {len(joints)} frames are 0; somebody must be there")


def check_shape(joints: np.ndarray, *, max_frames: int, num_bodies: int, num_joints: int) -> None:
    """FaultyClip if joints are not (T, M, V, 3) as in the rest of the data set, with no more frames T and
    people M."""
    if joints.ndim == 4 and joints.shape[2:] == (num_joints, 3):
        frames, bodies, *_ = joints.shape
        if 1 <= frames <= max_frames and 1 <= bodies <= num_bodies:
            return
    raise FaultyClip(
        f"found joints {joints.shape}; 1 to {max_frames} frames of 1 to {num_bodies} persons of {num_joints}"
        " joints, 3, are needed"
    )


def check_lengths(lengths: Mapping[str, int]) -> None:
    """FaultyClip if the modalities do not have equally many frames, or none."""
    found = " and ".join(f"{length} frames of {modality}" for modality, length in lengths.items())
    if len(set(lengths.values())) > 1:
        raise FaultyClip(f"found {found}; equally many are needed")
    if not all(lengths.values()):
        raise FaultyClip(f"found {found}; at least one is needed")


class FrameCheck:
    """Looks at the frames of a clip, uint8 (H, W, 3) or uint16 (H, W, 1), as they are decoded."""

    def __init__(self, cut_out: Sequence[str] = (), masked: Sequence[str] = ()):
        """
        Args:
          cut_out: modalities whose frames may be of several sizes.
          masked: modalities of which no frame need show anything.
        """
        self._cut_out = cut_out
        self._masked = masked
        self._first: dict[str, tuple[int, int]] = {}
        self._num_frames = Counter()
        self._shown: set[str] = set()

    def add(self, modality: str, number: int, frame: np.ndarray) -> None:
        """Look at a frame. FaultyClip if it has another size than the first of its modality."""
        self._num_frames[modality] += 1
        height, width, _ = frame.shape
        first_height, first_width = self._first.setdefault(modality, (height, width))
        if modality not in self._cut_out and (height, width) != (first_height, first_width):
            raise FaultyClip(
                f"{modality}, frame {number}: found {width}×{height}; {first_width}×{first_height} is needed,"
                " the size of the clip's first"
            )
        if modality not in self._shown and _shows_something(frame):
            self._shown.add(modality)

    def end(self) -> None:
        """FaultyClip if none of the frames of a modality shows anything."""
        for modality, count in self._num_frames.items():
            if modality not in self._shown and modality not in self._masked:
                raise FaultyClip(
                    f"{modality}: each of {count} frames is of one colour or one depth, such as black; one"
                    " that shows something is needed"
                )


def _shows_something(frame: np.ndarray) -> bool:
    """Whether a frame is more than one colour or one depth."""
    allowed = BLANK_SPREAD if frame.dtype == np.uint8 else 0
    return _spread(frame[::_COARSE, ::_COARSE]) > allowed or _spread(frame) > allowed


def _spread(pixels: np.ndarray) -> int:
    """The largest difference of two values of a channel."""
    high, low = pixels.max(axis=0).max(axis=0), pixels.min(axis=0).min(axis=0)
    return int((high - low).max())

"""A body with the 25 joints of NTU RGB+D (Kinect v2) and its forward kinematics.

The body's axes are x to its right, y up, z to its back. At rest it stands on the origin and looks along
−z, arms hanging, so that for a camera on that side the axes are those of the Kinect: x to the camera's left,
y up, z away.
"""

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np


class Joint(NamedTuple):
    """A joint, the one it hangs on (the root on itself), and where from there it is at rest, in metres."""

    name: str
    parent: int
    offset: tuple[float, float, float]


# In NTU's order. Lengths are those of a person of 1.70 m.
JOINTS = (
    Joint("spine base", 0, (0, 0, 0)),
    Joint("spine middle", 0, (0, 0.27, 0)),
    Joint("neck", 20, (0, 0.08, 0)),
    Joint("head", 2, (0, 0.16, -0.02)),
    Joint("left shoulder", 20, (-0.17, -0.04, 0)),
    Joint("left elbow", 4, (0, -0.27, 0)),
    Joint("left wrist", 5, (0, -0.24, 0)),
    Joint("left hand", 6, (0, -0.07, 0)),
    Joint("right shoulder", 20, (0.17, -0.04, 0)),
    Joint("right elbow", 8, (0, -0.27, 0)),
    Joint("right wrist", 9, (0, -0.24, 0)),
    Joint("right hand", 10, (0, -0.07, 0)),
    Joint("left hip", 0, (-0.08, -0.04, 0)),
    Joint("left knee", 12, (0, -0.40, 0)),
    Joint("left ankle", 13, (0, -0.38, 0)),
    Joint("left foot", 14, (0, -0.06, -0.12)),
    Joint("right hip", 0, (0.08, -0.04, 0)),
    Joint("right knee", 16, (0, -0.40, 0)),
    Joint("right ankle", 17, (0, -0.38, 0)),
    Joint("right foot", 18, (0, -0.06, -0.12)),
    Joint("spine shoulder", 1, (0, 0.23, 0)),
    Joint("left hand tip", 7, (0, -0.08, 0)),
    Joint("left thumb", 7, (0.03, -0.04, -0.03)),
    Joint("right hand tip", 11, (0, -0.08, 0)),
    Joint("right thumb", 11, (-0.03, -0.04, -0.03)),
)
NUM_JOINTS = len(JOINTS)
NUMBER = {joint.name: number for number, joint in enumerate(JOINTS)}

_ANKLES = [NUMBER["left ankle"], NUMBER["right ankle"]]
_ANKLE_HEIGHT = 0.09


@dataclasses.dataclass(frozen=True)
class Proportions:
    """Factors of the lengths above: of all of them, and of groups of them."""

    height: float = 1.0
    trunk: float = 1.0
    shoulders: float = 1.0
    arms: float = 1.0
    legs: float = 1.0

    def offsets(self) -> np.ndarray:
        """The joints' offsets from their parents at rest, (V, 3)."""
        offsets = np.array([joint.offset for joint in JOINTS], float)
        for number, joint in enumerate(JOINTS):
            if joint.name.startswith("spine"):
                offsets[number] *= self.trunk
            elif joint.name.endswith(("shoulder", "hip")):
                offsets[number, 0] *= self.shoulders
            elif joint.name.endswith(("elbow", "wrist")):
                offsets[number] *= self.arms
            elif joint.name.endswith(("knee", "ankle")):
                offsets[number] *= self.legs
        return self.height * offsets


def forward_kinematics(offsets: np.ndarray, turns: Mapping[str, np.ndarray]) -> np.ndarray:
    """Joint positions of a body that stands on the floor.

    Args:
      offsets: (V, 3), see `Proportions.offsets`.
      turns: rotation matrices, (T, 3, 3), by joint: that of "left elbow" turns the upper arm, which ends
        there, and all that hangs on it, about the shoulder. Joints not named do not turn.

    Returns:
      (T, V, 3) in the body's axes; the lower ankle is at its height over the floor, which is y = 0.
    """
    num_frames = len(next(iter(turns.values())))
    frames = np.empty((num_frames, NUM_JOINTS, 3, 3))
    positions = np.zeros((num_frames, NUM_JOINTS, 3))
    for number in _PARENTS_FIRST:
        joint = JOINTS[number]
        is_root = joint.parent == number
        frame = np.broadcast_to(np.eye(3), (num_frames, 3, 3)) if is_root else frames[:, joint.parent]
        frames[:, number] = frame @ turns[joint.name] if joint.name in turns else frame
        positions[:, number] = positions[:, joint.parent] + frames[:, number] @ offsets[number]
    lowest = positions[:, _ANKLES, 1].min(axis=1)
    positions[..., 1] += (_ANKLE_HEIGHT - lowest)[:, None]
    return positions


def turn(axis: str, angle: np.ndarray) -> np.ndarray:
    """Right-handed rotation matrices, (..., 3, 3), about "x", "y" or "z" by radians, (...)."""
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.zeros((*np.shape(angle), 3, 3))
    matrix[..., range(3), range(3)] = 1
    matrix[..., first, first] = matrix[..., second, second] = np.cos(angle)
    matrix[..., first, second] = -np.sin(angle)
    matrix[..., second, first] = np.sin(angle)
    return matrix


def _parents_first() -> tuple[int, ...]:
    order = [0]
    for number in order:
        order += [child for child, joint in enumerate(JOINTS) if joint.parent == number != child]
    return tuple(order)


_PARENTS_FIRST = _parents_first()

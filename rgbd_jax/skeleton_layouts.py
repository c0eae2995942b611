"""Joint layouts, one table each: what the joints are called, how they hang together, what they belong to.

A layout of one's own is one more table, and its name where they are collected (docs/skeletons.md). All joint
numbers count from 0.
"""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

# The groups of joints that a description of an action speaks of, in the order of its sentences.
PARTS = ("head", "hand", "hip", "foot")

_SIDES = {"left": "right", "right": "left"}


@dataclasses.dataclass(frozen=True)
class SkeletonLayout:
    """The joints that a sensor or a program delivers.

    Attributes:
      name: the key in `LAYOUTS`.
      joints: their names, in order; those of the two sides begin with `left_` and `right_`.
      parents: the parent of each joint; they span the body, and the root is its own.
      centre: the joint that a clip is moved by, so that it begins at the origin.
      parts: joints of each of `PARTS`.
      bone_parents: the parents in GAP's bone transform, whose tree may hang from another root.
      bone_parts: `parts` where the input has been turned into bones, each known by its child.
      parent_minus_children: turn the bone transform around, see `PUBLISHED_NW_UCLA`.
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    centre: int
    parts: Mapping[str, tuple[int, ...]]
    bone_parents: tuple[int, ...]
    bone_parts: Mapping[str, tuple[int, ...]]
    parent_minus_children: bool = False

    def __hash__(self):
        return hash(self.name)

    @property
    def num_joints(self) -> int:
        """V."""
        return len(self.joints)

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """(child, parent) pairs that span the body."""
        return _pairs(self.parents)

    @property
    def bone_edges(self) -> tuple[tuple[int, int], ...]:
        """(child, parent) pairs of the bone transform."""
        return _pairs(self.bone_parents)

    @property
    def opposites(self) -> tuple[int, ...]:
        """The joint on the other side of the body; those in the middle are their own."""
        return tuple(self.joints.index(_other_side(name)) for name in self.joints)


def _pairs(parents: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    return tuple((child, parent) for child, parent in enumerate(parents) if child != parent)


def _other_side(name: str) -> str:
    side, _, rest = name.partition("_")
    return f"{_SIDES[side]}_{rest}" if side in _SIDES else name


def _joints(*spans: int | range) -> tuple[int, ...]:
    return tuple(joint for span in spans for joint in ((span,) if isinstance(span, int) else span))


def _layout(
    name: str,
    tree: Mapping[str, str],
    *,
    centre: str,
    parts: Mapping[str, tuple[int, ...]],
    bone_tree: Mapping[str, str] | None = None,
    bone_parts: Mapping[str, tuple[int, ...]] | None = None,
) -> SkeletonLayout:
    """
    Args:
      tree: the parent of each joint, by name, in the order of the joints.
      bone_tree: what differs from `tree` in the bone transform.
      bone_parts: if they are not `parts`.
    """
    joints = tuple(tree)
    bones = {**tree, **(bone_tree or {})}
    return SkeletonLayout(
        name=name,
        joints=joints,
        parents=tuple(joints.index(tree[joint]) for joint in joints),
        centre=joints.index(centre),
        parts=MappingProxyType(parts),
        bone_parents=tuple(joints.index(bones[joint]) for joint in joints),
        bone_parts=MappingProxyType(parts if bone_parts is None else bone_parts),
    )


# fmt: off
# Kinect v2, as NTU RGB+D and PKU-MMD have it.
NTU = _layout(
    "ntu25",
    {
        "spine_base": "spine_middle", "spine_middle": "spine_shoulder", "neck": "spine_shoulder",
        "head": "neck",
        "left_shoulder": "spine_shoulder", "left_elbow": "left_shoulder", "left_wrist": "left_elbow",
        "left_hand": "left_wrist",
        "right_shoulder": "spine_shoulder", "right_elbow": "right_shoulder", "right_wrist": "right_elbow",
        "right_hand": "right_wrist",
        "left_hip": "spine_base", "left_knee": "left_hip", "left_ankle": "left_knee",
        "left_foot": "left_ankle",
        "right_hip": "spine_base", "right_knee": "right_hip", "right_ankle": "right_knee",
        "right_foot": "right_ankle",
        "spine_shoulder": "spine_shoulder",
        "left_hand_tip": "left_thumb", "left_thumb": "left_hand",
        "right_hand_tip": "right_thumb", "right_thumb": "right_hand",
    },
    centre="spine_middle",
    parts={
        "head": _joints(2, 3, 20),
        "hand": _joints(range(4, 12), range(21, 25)),
        "hip": _joints(0, 1, 2, 12, 16),
        "foot": _joints(range(12, 20)),
    },
    # The graph hangs from the shoulders' joint, the bones from the middle of the spine: as published.
    bone_tree={"spine_shoulder": "spine_middle", "spine_middle": "spine_middle"},
    bone_parts={
        "head": _joints(2, 3),
        "hand": _joints(range(4, 12), 20, range(22, 25)),
        "hip": _joints(0, 1, 12, 16),
        "foot": _joints(range(12, 20)),
    },
)

# Kinect v1, as NW-UCLA has it.
NW_UCLA = _layout(
    "ucla20",
    {
        "hip_centre": "spine", "spine": "shoulder_centre", "shoulder_centre": "shoulder_centre",
        "head": "shoulder_centre",
        "left_shoulder": "shoulder_centre", "left_elbow": "left_shoulder", "left_wrist": "left_elbow",
        "left_hand": "left_wrist",
        "right_shoulder": "shoulder_centre", "right_elbow": "right_shoulder", "right_wrist": "right_elbow",
        "right_hand": "right_wrist",
        "left_hip": "hip_centre", "left_knee": "left_hip", "left_ankle": "left_knee",
        "left_foot": "left_ankle",
        "right_hip": "hip_centre", "right_knee": "right_hip", "right_ankle": "right_knee",
        "right_foot": "right_ankle",
    },
    centre="spine",
    parts={
        "head": _joints(2, 3),
        "hand": _joints(range(4, 12)),
        "hip": _joints(0, 1, 12, 16),
        "foot": _joints(range(12, 20)),
    },
)

# The published NW-UCLA networks subtract all children from a joint instead of the parent from the child, and
# number the bones of the parts as if one joint were missing. Their weights need both.
PUBLISHED_NW_UCLA = dataclasses.replace(
    NW_UCLA,
    name="ucla20_published",
    bone_parts=MappingProxyType({
        "head": _joints(2),
        "hand": _joints(range(3, 11)),
        "hip": _joints(0, 1, 11, 15),
        "foot": _joints(range(11, 19)),
    }),
    parent_minus_children=True,
)

# The keypoints of people in COCO, which most detectors in images give.
COCO = _layout(
    "coco17",
    {
        "nose": "nose", "left_eye": "nose", "right_eye": "nose",
        "left_ear": "left_eye", "right_ear": "right_eye",
        "left_shoulder": "nose", "right_shoulder": "nose",
        "left_elbow": "left_shoulder", "right_elbow": "right_shoulder",
        "left_wrist": "left_elbow", "right_wrist": "right_elbow",
        "left_hip": "left_shoulder", "right_hip": "right_shoulder",
        "left_knee": "left_hip", "right_knee": "right_hip",
        "left_ankle": "left_knee", "right_ankle": "right_knee",
    },
    centre="nose",
    parts={
        "head": _joints(range(5)),
        "hand": _joints(range(5, 11)),
        "hip": _joints(11, 12),
        "foot": _joints(range(13, 17)),
    },
)

# OpenPose's body of 18 joints, as Kinetics-Skeleton has it.
OPENPOSE = _layout(
    "openpose18",
    {
        "nose": "neck", "neck": "neck",
        "right_shoulder": "neck", "right_elbow": "right_shoulder", "right_wrist": "right_elbow",
        "left_shoulder": "neck", "left_elbow": "left_shoulder", "left_wrist": "left_elbow",
        "right_hip": "right_shoulder", "right_knee": "right_hip", "right_ankle": "right_knee",
        "left_hip": "left_shoulder", "left_knee": "left_hip", "left_ankle": "left_knee",
        "right_eye": "nose", "left_eye": "nose", "right_ear": "right_eye", "left_ear": "left_eye",
    },
    centre="neck",
    parts={
        "head": _joints(0, 1, range(14, 18)),
        "hand": _joints(range(2, 8)),
        "hip": _joints(8, 11),
        "foot": _joints(9, 10, 12, 13),
    },
)

# MediaPipe Pose.
MEDIAPIPE = _layout(
    "mediapipe33",
    {
        "nose": "nose",
        "left_eye_inner": "nose", "left_eye": "left_eye_inner", "left_eye_outer": "left_eye",
        "right_eye_inner": "nose", "right_eye": "right_eye_inner", "right_eye_outer": "right_eye",
        "left_ear": "left_eye_outer", "right_ear": "right_eye_outer",
        "left_mouth": "nose", "right_mouth": "nose",
        "left_shoulder": "nose", "right_shoulder": "nose",
        "left_elbow": "left_shoulder", "right_elbow": "right_shoulder",
        "left_wrist": "left_elbow", "right_wrist": "right_elbow",
        "left_pinky": "left_wrist", "right_pinky": "right_wrist",
        "left_index": "left_wrist", "right_index": "right_wrist",
        "left_thumb": "left_wrist", "right_thumb": "right_wrist",
        "left_hip": "left_shoulder", "right_hip": "right_shoulder",
        "left_knee": "left_hip", "right_knee": "right_hip",
        "left_ankle": "left_knee", "right_ankle": "right_knee",
        "left_heel": "left_ankle", "right_heel": "right_ankle",
        "left_foot_index": "left_ankle", "right_foot_index": "right_ankle",
    },
    centre="nose",
    parts={
        "head": _joints(range(11)),
        "hand": _joints(range(11, 23)),
        "hip": _joints(23, 24),
        "foot": _joints(range(25, 33)),
    },
)
# fmt: on


def _by_size(*layouts: SkeletonLayout) -> dict[int, SkeletonLayout]:
    """Layouts by their numbers of joints, which is all that a recording tells of its own.

    Raises:
      ValueError: two have equally many.
    """
    by_size = {}
    for layout in layouts:
        other = by_size.setdefault(layout.num_joints, layout)
        if other is not layout:
            raise ValueError(
                f"the layouts {other.name} and {layout.name} have {layout.num_joints} joints each; recordings"
                " tell their layout by this number, so one of the two is allowed"
            )
    return by_size


_BY_SIZE = _by_size(NTU, NW_UCLA, COCO, OPENPOSE, MEDIAPIPE)
# Those that a config may name; the other one belongs to weights.
CHOICES = tuple(layout.name for layout in _BY_SIZE.values())
LAYOUTS = {layout.name: layout for layout in (*_BY_SIZE.values(), PUBLISHED_NW_UCLA)}


def layout_of(num_joints: int) -> SkeletonLayout:
    """The layout that has so many joints. KeyError if none has."""
    return _BY_SIZE[num_joints]

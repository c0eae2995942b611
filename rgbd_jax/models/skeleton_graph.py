"""Joint layouts as tables, and the matrices that the graph networks derive from them."""

import dataclasses
import functools
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

# The groups of joints that a description of an action speaks of, in the order of its sentences.
PARTS = ("head", "hand", "hip", "foot")


@dataclasses.dataclass(frozen=True)
class SkeletonLayout:
    """The joints that a sensor delivers. All joint numbers count from 0.

    Attributes:
      name: the key in `LAYOUTS`.
      edges: (child, parent) pairs that span the body.
      bone_edges: (child, parent) pairs of the bone transform; its tree may hang from another root.
      parts: joints of each of `PARTS`.
      bone_parts: the same where the input has been turned into bones, each known by its child.
      parent_minus_children: turn the bone transform around, see `PUBLISHED_NW_UCLA`.
    """

    name: str
    num_joints: int
    edges: tuple[tuple[int, int], ...]
    bone_edges: tuple[tuple[int, int], ...]
    parts: Mapping[str, tuple[int, ...]]
    bone_parts: Mapping[str, tuple[int, ...]]
    parent_minus_children: bool = False

    def __hash__(self):
        return hash(self.name)


def _joints(*spans: int | range) -> tuple[int, ...]:
    return tuple(joint for span in spans for joint in ((span,) if isinstance(span, int) else span))


def _pairs(*pairs: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """(child, parent) pairs in the sensors' own count, from 1, to ours."""
    return tuple((child - 1, parent - 1) for child, parent in pairs)


# fmt: off
# Kinect v2. 1 spine base, 2 spine middle, 3 neck, 4 head, 5-8 left and 9-12 right arm from shoulder to hand,
# 13-16 left and 17-20 right leg from hip to foot, 21 spine at the shoulders, 22 23 left and 24 25 right hand
# tip and thumb.
_NTU_LIMBS = _pairs(
    (1, 2), (3, 21), (4, 3),
    (5, 21), (6, 5), (7, 6), (8, 7), (9, 21), (10, 9), (11, 10), (12, 11),
    (13, 1), (14, 13), (15, 14), (16, 15), (17, 1), (18, 17), (19, 18), (20, 19),
    (22, 23), (23, 8), (24, 25), (25, 12),
)
NTU = SkeletonLayout(
    name="ntu25",
    num_joints=25,
    # The graph hangs from the shoulders' joint, the bones from the middle of the spine: as published.
    edges=(*_NTU_LIMBS, *_pairs((2, 21))),
    bone_edges=(*_NTU_LIMBS, *_pairs((21, 2))),
    parts=MappingProxyType({
        "head": _joints(2, 3, 20),
        "hand": _joints(range(4, 12), range(21, 25)),
        "hip": _joints(0, 1, 2, 12, 16),
        "foot": _joints(range(12, 20)),
    }),
    bone_parts=MappingProxyType({
        "head": _joints(2, 3),
        "hand": _joints(range(4, 12), 20, range(22, 25)),
        "hip": _joints(0, 1, 12, 16),
        "foot": _joints(range(12, 20)),
    }),
)

# Kinect v1. 1 hip centre, 2 spine, 3 shoulder centre, 4 head, 5-8 left and 9-12 right arm, 13-16 left and
# 17-20 right leg.
_UCLA_EDGES = _pairs(
    (1, 2), (2, 3), (4, 3),
    (5, 3), (6, 5), (7, 6), (8, 7), (9, 3), (10, 9), (11, 10), (12, 11),
    (13, 1), (14, 13), (15, 14), (16, 15), (17, 1), (18, 17), (19, 18), (20, 19),
)
_UCLA_PARTS = MappingProxyType({
    "head": _joints(2, 3),
    "hand": _joints(range(4, 12)),
    "hip": _joints(0, 1, 12, 16),
    "foot": _joints(range(12, 20)),
})
NW_UCLA = SkeletonLayout(
    name="ucla20",
    num_joints=20,
    edges=_UCLA_EDGES,
    bone_edges=_UCLA_EDGES,
    parts=_UCLA_PARTS,
    bone_parts=_UCLA_PARTS,
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
# fmt: on

LAYOUTS = {layout.name: layout for layout in (NTU, NW_UCLA, PUBLISHED_NW_UCLA)}


@functools.cache
def spatial_adjacency(layout: SkeletonLayout) -> np.ndarray:
    """The three-subset adjacency A (3, V, V), float64; A[k, u, v] weighs what joint v sends to joint u.

    Subset 0 is the joint itself, 1 leads from children to their parent, 2 from a parent to its children. The
    columns of each are normalised to sum 1 (ST-GCN, AAAI 2018, "spatial configuration" without the
    distances).
    """
    inward = _directed(layout.num_joints, layout.edges)
    return np.stack([np.eye(layout.num_joints), inward, _normalise_columns(inward.T)])


@functools.cache
def bone_transform(layout: SkeletonLayout, k: int) -> np.ndarray:
    """I − B^k (V, V), float32, to be multiplied to the joints from the left; B[child, parent] = 1.

    k = 1 turns joints into bones, child − parent, and leaves the root where it is; k = 0 gives the plain
    identity, and so does any k longer than the longest chain of bones (InfoGCN, CVPR 2022).
    """
    identity = np.eye(layout.num_joints, dtype=np.float32)
    if k == 0:
        return identity
    to_parent = _directed(layout.num_joints, layout.bone_edges).T
    if layout.parent_minus_children:
        to_parent = to_parent.T
    return identity - np.linalg.matrix_power(to_parent, k).astype(np.float32)


def part_means(layout: SkeletonLayout, *, bones: bool) -> np.ndarray:
    """The matrix (P, V), float32, that averages joints over each of `PARTS`."""
    parts = layout.bone_parts if bones else layout.parts
    matrix = np.zeros((len(PARTS), layout.num_joints), np.float32)
    for row, part in zip(matrix, PARTS, strict=True):
        row[list(parts[part])] = 1 / len(parts[part])
    return matrix


def _directed(num_joints: int, pairs: tuple[tuple[int, int], ...]) -> np.ndarray:
    """The 0/1 matrix with [to, from] = 1 for each (from, to)."""
    matrix = np.zeros((num_joints, num_joints))
    for source, target in pairs:
        matrix[target, source] = 1
    return matrix


def _normalise_columns(matrix: np.ndarray) -> np.ndarray:
    sums = matrix.sum(axis=0)
    return matrix / np.where(sums > 0, sums, 1)

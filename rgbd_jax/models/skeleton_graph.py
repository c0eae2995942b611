"""The matrices that the graph networks derive from joint layouts."""

import functools

import numpy as np

from rgbd_jax.skeleton_layouts import PARTS, SkeletonLayout


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

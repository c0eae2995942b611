"""Joint layouts and the matrices made from them."""

import numpy as np
import pytest

from rgbd_jax.models.skeleton_graph import bone_transform, part_means, spatial_adjacency
from rgbd_jax.skeleton_layouts import NTU, NW_UCLA, PARTS, PUBLISHED_NW_UCLA


@pytest.mark.parametrize(("name", "layout"), [("ntu", NTU), ("ucla", PUBLISHED_NW_UCLA)])
def test_matrices_are_the_published_ones(name, layout, golden):
    expected = golden("gap/graphs.npz")
    np.testing.assert_array_equal(spatial_adjacency(layout), expected[f"{name}_A"])
    powers = [int(key.split("_k")[1]) for key in expected if key.startswith(f"{name}_Avec_k")]
    assert len(powers) >= 4
    for k in powers:
        transform = bone_transform(layout, k)
        assert transform.dtype == np.float32
        np.testing.assert_array_equal(transform, expected[f"{name}_Avec_k{k}"])


def test_bones_run_from_parent_to_child():
    positions = np.arange(NW_UCLA.num_joints, dtype=np.float32)[:, None] ** 2
    bones = bone_transform(NW_UCLA, 1) @ positions
    for child, parent in NW_UCLA.bone_edges:
        assert bones[child] == positions[child] - positions[parent]
    assert bones[2] == positions[2]


def test_part_means():
    means = part_means(NTU, bones=False)
    np.testing.assert_allclose(means.sum(1), 1, 1e-6)
    assert means[PARTS.index("head")].nonzero()[0].tolist() == [2, 3, 20]
    assert part_means(NTU, bones=True)[PARTS.index("head")].nonzero()[0].tolist() == [2, 3]

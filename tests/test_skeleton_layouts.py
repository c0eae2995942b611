"""The tables of joints: each is one body, and networks are made of it."""

import dataclasses
import functools
import re
import types
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from rgbd_jax import skeleton_layouts
from rgbd_jax.config import load_file, override
from rgbd_jax.data.random_clips import SkeletonShape, random_batch
from rgbd_jax.models.skeleton_graph import part_means, spatial_adjacency
from rgbd_jax.skeleton_layouts import CHOICES, LAYOUTS, NTU, NW_UCLA, PARTS, layout_of
from rgbd_jax.tasks import make_task
from rgbd_jax.training.state import Network


def test_the_published_trees_and_sides():
    """As the feeders of CTR-GCN (ICCV 2021) have them."""
    limbs = (4, 5, 6), (8, 9, 10)
    assert NTU.parents == (1, 20, 20, 2, 20, *limbs[0], 20, *limbs[1], 0, 12, 13, 14, 0, 16, 17, 18) + (
        20, 22, 7, 24, 11,
    )  # fmt: skip
    assert NW_UCLA.parents == (1, 2, 2, 2, 2, *limbs[0], 2, *limbs[1], 0, 12, 13, 14, 0, 16, 17, 18)
    sides = (0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 16, 17, 18, 19, 12, 13, 14, 15)
    assert NW_UCLA.opposites == sides
    assert NTU.opposites == (*sides, 20, 23, 24, 21, 22)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_layout_is_one_body(layout):
    joints = set(range(layout.num_joints))
    for edges in (layout.edges, layout.bone_edges):
        children = [child for child, _ in edges]
        assert len(set(children)) == len(children) == layout.num_joints - 1
        assert {joint for edge in edges for joint in edge} == joints
        (root,) = joints - set(children)
        parents = dict(edges)
        for joint in children:
            for _ in joints:
                joint = parents.get(joint, root)
            assert joint == root
    for parts in (layout.parts, layout.bone_parts):
        assert tuple(parts) and set(parts) == set(PARTS)
        assert all(set(part) <= joints and len(set(part)) == len(part) for part in parts.values())


@pytest.mark.parametrize("name", CHOICES)
def test_the_sides_of_a_layout_are_alike(name):
    """A mirror leaves the tree and the parts as they are."""
    layout = LAYOUTS[name]
    mirrored = {(layout.opposites[child], layout.opposites[parent]) for child, parent in layout.edges}
    assert mirrored == set(layout.edges)
    assert layout.opposites[layout.centre] == layout.centre
    for part in layout.parts.values():
        assert {layout.opposites[joint] for joint in part} == set(part)
    assert set().union(*layout.parts.values()) == set(range(layout.num_joints))
    sided = [joint for joint in layout.joints if joint.startswith(("left_", "right_"))]
    assert len(sided) == sum(joint != place for place, joint in enumerate(layout.opposites))
    assert layout_of(layout.num_joints) is layout


def test_the_number_of_joints_is_in_the_name():
    assert all(name.endswith(str(LAYOUTS[name].num_joints)) for name in CHOICES)
    assert CHOICES == ("ntu25", "ucla20", "coco17", "openpose18", "mediapipe33")


@pytest.fixture
def with_mine4():
    """The module with what the page of skeletons adds to it."""
    page = Path(__file__).parents[1] / "docs" / "skeletons.md"
    (block,) = re.findall(r"^```python\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    source = Path(skeleton_layouts.__file__).read_text()
    (line,) = re.findall(r"^_BY_SIZE = .*\n", source, flags=re.MULTILINE)
    module = types.ModuleType("with_mine4")
    exec(source.replace(line, block), vars(module))
    return module


def test_a_layout_of_ones_own_joins_the_others(with_mine4):
    assert (*CHOICES, "mine4") == with_mine4.CHOICES
    layout = with_mine4.layout_of(4)
    assert layout is with_mine4.LAYOUTS["mine4"] and layout.centre == 0 and layout.opposites == (0, 1, 3, 2)
    assert spatial_adjacency(layout)[1].tolist() == [[0, 1, 1, 1], *np.zeros((3, 4)).tolist()]
    np.testing.assert_allclose(part_means(layout, bones=True).sum(axis=1), 1)


def test_two_layouts_with_equally_many_joints_are_refused():
    other = dataclasses.replace(NTU, name="mine25")
    with pytest.raises(
        ValueError, match="ntu25 and mine25 have 25 joints each; .* one of the two is allowed"
    ):
        skeleton_layouts._by_size(NW_UCLA, NTU, other)


@pytest.mark.parametrize("kind", ["ctrgcn", "gap"])
@pytest.mark.parametrize("name", CHOICES)
def test_networks_of_each_layout_train_and_evaluate(name, kind):
    """In shapes alone, with the flip, from raw joints to logits and the vectors of the parts."""
    config = override(
        load_file("configs/demo.py:debug"),
        [f"--config.model.layout={name}", f"--config.model.name={kind}", "--config.task.flip=0.5"]
        + ["--config.task.stream=bone"] * (kind == "ctrgcn")
        + ["--config.model.k=1"] * (kind == "gap"),
    )
    shape = SkeletonShape(num_classes=4, max_frames=20, num_bodies=1, num_joints=LAYOUTS[name].num_joints)
    task = make_task(config, shape)
    batch = {key: value for key, value in random_batch(shape, 2).items() if value.dtype.kind != "U"}

    network = Network(task.network(nnx.Rngs(0)))

    def outputs(params, batch_stats, train):
        inputs = task.prepare(batch, jax.random.key(0), train=train)
        return network.apply(params, batch_stats, inputs, train=train)[0]

    for train in (True, False):
        found = jax.eval_shape(functools.partial(outputs, train=train), network.params, network.batch_stats)
        assert found["logits"].shape == (2, 4)
        assert "text_features" not in found or found["text_features"].shape == (1 + len(PARTS), 2, 384)


@pytest.mark.parametrize("name", CHOICES)
def test_a_flip_changes_what_is_seen(name):
    """Of one clip, for real: mirrored twice it is what it was, mirrored once it is not."""
    config = override(
        load_file("configs/demo.py:debug"), [f"--config.model.layout={name}", "--config.task.flip=1.0"]
    )
    shape = SkeletonShape(num_classes=4, max_frames=20, num_bodies=1, num_joints=LAYOUTS[name].num_joints)
    batch = {key: jnp.asarray(x) for key, x in random_batch(shape, 2).items() if x.dtype.kind != "U"}

    def clips(flip):
        task = make_task(override(config, [f"--config.task.flip={flip}"]), shape)
        return np.asarray(task.clips(batch, jax.random.key(0), train=True))

    flipped, plain = clips(1.0), clips(0.0)
    opposites = np.array(LAYOUTS[name].opposites)
    np.testing.assert_array_equal(flipped[..., opposites, :] * np.float32([-1, 1, 1]), plain)
    assert np.abs(flipped - plain).max() > 0.1

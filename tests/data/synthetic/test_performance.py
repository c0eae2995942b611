"""Generated people: bodies that hold together, and actions that can be told apart."""

import dataclasses

import numpy as np
import pytest

from rgbd_jax.data.builders import synthetic
from rgbd_jax.data.builders.synthetic import Clip, Synthetic
from rgbd_jax.data.synthetic import actions, body, performance


def drawn(action: str = "march", seed: int = 0) -> performance.Performance:
    return performance.draw_performance(action, np.random.default_rng(seed))


def test_layout_is_that_of_ntu():
    # Joint numbers from 1, as the data set's paper gives them.
    names = {
        1: "spine base",
        4: "head",
        5: "left shoulder",
        8: "left hand",
        12: "right hand",
        16: "left foot",
    }
    names |= {20: "right foot", 21: "spine shoulder", 22: "left hand tip", 25: "right thumb"}
    assert len(body.JOINTS) == 25
    assert {number: body.JOINTS[number - 1].name for number in names} == names


def test_tables_name_only_what_there_is():
    for parts in actions.ACTIONS.values():
        for part, movement in parts.items():
            assert movement in actions.MOVEMENTS[actions.PARTS[part]]
    for kind, movements in actions.MOVEMENTS.items():
        for movement in movements.values():
            assert set(movement.curves) <= set(actions.DEGREES_OF_FREEDOM[kind])
    assert len(set(map(str, actions.ACTIONS.values()))) == len(actions.ACTIONS) == 10


@pytest.mark.parametrize("action", actions.ACTIONS)
def test_bones_keep_their_lengths_and_a_foot_stays_on_the_floor(action):
    chosen = dataclasses.replace(drawn(action), pitch=0.0)
    joints = performance.perform(chosen)
    assert joints.shape == (chosen.num_frames, 25, 3)
    parents = [joint.parent for joint in body.JOINTS]
    lengths = np.linalg.norm(joints - joints[:, parents], axis=-1)
    want = np.linalg.norm(chosen.proportions.offsets(), axis=-1)
    np.testing.assert_allclose(lengths, np.broadcast_to(want, lengths.shape), atol=1e-9)
    ankles = joints[:, [14, 18], 1].min(axis=1)
    np.testing.assert_allclose(ankles - chosen.position[1], 0.09, atol=1e-9)


def at_rest(action: str) -> performance.Performance:
    """The action with nothing left to chance, seen from the front, at its height halfway through the clip."""
    zeros = np.zeros(len(performance.ANGLES))
    return dataclasses.replace(
        drawn(action),
        num_frames=61,
        proportions=body.Proportions(),
        begins=0.0,
        ends=1.0,
        tempo=0.5,
        first_cycle=0.0,
        amplitude=zeros + 1,
        posture=zeros,
        sway=np.zeros((len(zeros), 1, 3)),
        yaw=0.0,
        pitch=0.0,
        position=np.zeros(3),
    )


def test_movements_go_where_their_names_say():
    def joint(action, name):
        return performance.perform(at_rest(action))[30, body.NUMBER[name]]

    # The camera sees a person from the front: right is +x, up is +y, forward is −z.
    assert joint("raise both arms", "left hand")[1] > joint("raise both arms", "head")[1]
    assert joint("wave", "right hand")[1] > joint("wave", "right shoulder")[1]
    assert joint("wave", "right hand")[0] > 0.3
    assert joint("wave", "left hand")[1] < joint("wave", "spine base")[1]
    assert joint("kick", "right foot")[2] < -0.5
    assert joint("kick", "left foot")[2] > -0.2
    assert joint("bow", "head")[2] < -0.3
    assert joint("push and squat", "right hand")[2] < -0.4


def test_drawing_is_repeatable_and_varied():
    np.testing.assert_array_equal(performance.perform(drawn()), performance.perform(drawn()))
    assert drawn(seed=1).num_frames != drawn(seed=2).num_frames
    joints = performance.perform(drawn())
    np.testing.assert_array_equal(performance.sense(drawn(), joints), performance.sense(drawn(), joints))
    noise = performance.sense(drawn(), joints) - joints
    assert 0 < np.median(np.abs(noise)) < 0.02


def test_items_do_not_depend_on_each_other():
    builder = Synthetic(data_dir="unused")
    assert builder.PUBLISHED_SIZES == {"train": 600, "test": 200}
    one = builder.read(Clip("train", 3, 5))
    np.testing.assert_array_equal(one.joints, builder.read(Clip("train", 3, 5)).joints)
    assert one.class_name == "raise both arms"
    assert one.id == "train_a04_n005"
    others = [Clip("test", 3, 5), Clip("train", 4, 5), Clip("train", 3, 6)]
    assert all(len(builder.read(other).joints) != len(one.joints) for other in others)


def test_ids_are_unique():
    builder = Synthetic(data_dir="unused")
    items = builder.items()
    assert len(items) == 800
    sampled = [builder.read(item).id for item in items[:: len(items) // 40]]
    assert len(set(sampled)) == len(sampled)


def test_actions_can_be_told_apart():
    """By the nearest class mean of positions and their spread, seen from the front: well, not perfectly."""

    def features(split: str, number: int, label: int) -> np.ndarray:
        seed = [list(synthetic.CLIPS_PER_ACTION).index(split), label, number]
        chosen = performance.draw_performance(list(actions.ACTIONS)[label], np.random.default_rng(seed))
        joints = performance.sense(chosen, performance.perform(dataclasses.replace(chosen, yaw=0.0)))
        centred = joints - joints[:, :1]
        return np.concatenate([centred.mean(0).ravel(), centred.std(0).ravel()])

    means = np.array([np.mean([features("train", n, k) for n in range(12)], 0) for k in range(10)])
    right = [
        np.argmin(np.linalg.norm(means - features("test", n, k), axis=1)) == k
        for k in range(10)
        for n in range(6)
    ]
    assert 0.6 < np.mean(right) < 1

"""Who acts, against the published scripts' results on the reference files, and what they stop at."""

import json
from pathlib import Path

import numpy as np
import pytest
from data.skeleton_files import person

from rgbd_jax.data.formats.ntu_skeleton import Body, Recording, read_ntu_skeleton
from rgbd_jax.data.ntu.actors import NoActor, centre, find_actors

GOLDEN = Path(__file__).parents[2] / "golden" / "gap"


def read(name):
    return read_ntu_skeleton(GOLDEN / "skeletons" / f"{name}.skeleton")


def recording(num_frames, *bodies):
    """Bodies (first frame, number of frames) that move about as much as their number says."""
    shifts = [(1 + number) * np.sin(np.arange(n)) / 10 for number, (_, n) in enumerate(bodies)]
    joints = [np.stack([person(x) for x in shift]).astype(np.float32) for shift in shifts]
    return Recording(
        num_frames,
        num_frames,
        tuple(Body(str(i), first, joints[i]) for i, (first, _) in enumerate(bodies)),
    )


@pytest.mark.parametrize("pipeline", ["pipeline_ntu", "pipeline_ntu120"])
def test_finds_the_actors_of_the_reference_files_to_the_bit(golden, pipeline):
    reference = golden(f"gap/{pipeline}.npz")
    for name in reference["names"]:
        joints = find_actors(read(name))
        want = reference[f"denoised/{name}"]
        assert joints.dtype == np.float32
        np.testing.assert_array_equal(joints.reshape(len(joints), -1), want, err_msg=name)


def test_what_the_published_scripts_stop_at_has_a_reason():
    errors = json.loads((GOLDEN / "skeletons" / "expected_errors.json").read_text())
    reasons = {}
    for name in errors:
        with pytest.raises(NoActor) as raised:
            find_actors(read(name))
        reasons[name] = str(raised.value)
    assert reasons == {
        "S006C001P011R001A007": "there is no body in any of its 6 frames",
        "S006C002P011R001A008": "there is no body in any of its 0 frames",
        "S006C003P012R001A057": "none of its 2 bodies is there in more than 11 frames",
    }


def test_a_body_that_is_there_twice_in_a_frame_has_no_place():
    with pytest.raises(NoActor, match="the body 0 is there more than once in a frame"):
        find_actors(recording(5, (0, 6)))


def test_who_moves_most_is_first_and_others_continue_the_actors():
    bodies = recording(60, (0, 30), (20, 20), (29, 31), (10, 20))
    # By motion 3, 2, 1, 0: 2 begins in the last frame of 3; 1 overlaps both; 0 overlaps both actors.
    joints = find_actors(bodies)
    assert joints.shape == (50, 2, 25, 3)
    want = np.zeros((60, 2, 25, 3), np.float32)
    want[10:30, 0], want[29:60, 0] = bodies.bodies[3].joints, bodies.bodies[2].joints
    want[20:40, 1] = bodies.bodies[1].joints
    np.testing.assert_array_equal(joints, want[10:])


def test_the_centre_is_the_first_actors_spine_when_he_comes():
    joints = np.zeros((4, 2, 25, 3), np.float32)
    joints[1:, 0], joints[:3, 1] = person(1.0), person(-1.0)
    moved = centre(joints)
    np.testing.assert_array_equal(moved[1, 0, 1], 0)
    origin = joints[1, 0, 1]
    np.testing.assert_array_equal(moved[:3, 1], joints[:3, 1] - origin)
    assert not moved[0, 0].any()
    assert not moved[3, 1].any()
    # Of one actor, every frame is moved.
    alone = centre(joints[:, :1])
    np.testing.assert_array_equal(alone[0, 0], np.tile(-origin, (25, 1)))


def test_an_actor_who_is_never_there_has_no_centre():
    joints = np.zeros((4, 2, 25, 3), np.float32)
    joints[:, 1] = 1
    with pytest.raises(NoActor, match="first actor are 0"):
        centre(joints)

"""Filmed people: both cameras see the same body, where it is, and the nearer part of it."""

import dataclasses

import numpy as np
import pytest

from rgbd_jax.data.synthetic import actions, body, rendering
from rgbd_jax.data.synthetic.performance import draw_performance, perform


def performed(action: str, seed: int = 0, every: int = 8) -> np.ndarray:
    return perform(draw_performance(action, np.random.default_rng(seed)))[::every]


def scene(seed: int = 0) -> rendering.Scene:
    return rendering.draw_scene(np.random.default_rng(seed))


@pytest.fixture(scope="module", params=actions.ACTIONS)
def shot(request):
    """Joints of a performance, what flawless sensors see of it, and the pixels of the joints."""
    joints, seen_in = performed(request.param), scene()
    row, column = rendering.aim(joints, seen_in).project(*np.moveaxis(joints, -1, 0))
    return joints, seen_in, rendering.render(joints, seen_in), (row, column)


def test_every_joint_lies_on_or_behind_a_pixel_of_the_body(shot):
    joints, _, (_, depth), (row, column) = shot
    frames = np.arange(len(joints))[:, None]
    thumbs = [body.NUMBER["left thumb"], body.NUMBER["right thumb"]]  # stand out from the hands
    seen = np.delete(depth[frames, row, column], thumbs, axis=1)
    assert (seen > 0).all()
    assert (seen <= 1000 * np.delete(joints[..., 2], thumbs, axis=1) + 1).all()


def test_what_is_nearest_hides_the_rest(shot):
    joints, _, (_, depth), (row, column) = shot
    frames = np.arange(len(joints))
    nearest = joints[..., 2].argmin(1)
    behind = 1000 * joints[frames, nearest, 2] - depth[frames, row[frames, nearest], column[frames, nearest]]
    assert (behind < 150).all()


def test_depth_is_that_of_the_body_and_zero_around_it(shot):
    joints, seen_in, (colour, depth), _ = shot
    is_body = depth > 0
    assert 0.03 < is_body.mean() < 0.5
    assert depth[is_body].min() > 1000 * joints[..., 2].min() - 150
    assert depth[is_body].max() < 1000 * joints[..., 2].max() + 150
    # Colour shows the room exactly where depth shows nothing.
    is_room = (colour == seen_in.backdrop.astype(np.float32)).all(-1)
    assert (is_room[~is_body]).all()
    assert (is_room[is_body]).mean() < 0.01


def test_the_body_fills_the_frame_and_has_no_holes(shot):
    _, _, (_, depth), _ = shot
    is_body = depth > 0
    assert not (is_body[:, [0, -1]].any() or is_body[:, :, [0, -1]].any())
    rows, columns = (np.flatnonzero(is_body.any(axis)) for axis in ((0, 2), (0, 1)))
    assert max(np.ptp(rows) / rendering.HEIGHT, np.ptp(columns) / rendering.WIDTH) > 0.75
    neighbours = [np.roll(is_body, step, axis) for axis in (1, 2) for step in (1, -1)]
    surrounded = np.logical_and.reduce(neighbours)
    assert np.mean(~is_body[surrounded]) < 2e-3


def test_the_camera_sees_its_left_on_the_left_and_up_above():
    joints, seen_in = performed("raise both arms", every=20), scene()
    row, column = rendering.aim(joints, seen_in).project(*np.moveaxis(joints, -1, 0))
    frontal = joints[..., body.NUMBER["right shoulder"], 0] > joints[..., body.NUMBER["left shoulder"], 0]
    shoulders = column[:, [body.NUMBER["right shoulder"], body.NUMBER["left shoulder"]]]
    assert frontal.all()  # the person's right is the camera's left
    assert (shoulders[:, 0] < shoulders[:, 1]).all()
    assert (row[:, body.NUMBER["head"]] < row[:, body.NUMBER["spine base"]]).all()


def test_the_side_that_faces_the_light_is_brighter():
    joints = performed("bow")
    white = dataclasses.replace(scene(), colours=np.ones_like(scene().colours), ambience=0.2)
    one, other = (
        rendering.render(joints, dataclasses.replace(white, light=np.array(light, float)))
        for light in ([1, 0, 0], [-1, 0, 0])
    )
    np.testing.assert_array_equal(one[1], other[1])
    frame, row, column = np.nonzero(one[1])
    shades = one[0][frame, row, column]
    assert shades.min() == pytest.approx(0.2) and 0.9 < shades.max() <= 1
    difference = (one[0] - other[0])[frame, row, column, 0]
    middle = np.array([column[frame == number].mean() for number in range(len(joints))])[frame]
    assert difference[column < middle - 3].mean() > 0.2
    assert difference[column > middle + 3].mean() < -0.2


def test_sensors_add_a_little():
    joints = performed("kick and push")
    colour, depth = rendering.film(joints, np.random.default_rng(3))
    true_colour, true_depth = rendering.render(joints, scene(3))
    assert (colour.shape, colour.dtype) == ((len(joints), 64, 64, 3), np.uint8)
    assert (depth.shape, depth.dtype) == ((len(joints), 64, 64, 1), np.uint16)
    depth = depth[..., 0]
    assert not depth[true_depth == 0].any()
    assert 0.005 < np.mean(depth[true_depth > 0] == 0) < 0.1
    error = (depth.astype(int) - true_depth)[depth > 0]
    assert 0 < np.std(error) < 15
    assert abs(np.mean(error)) < 1
    assert 1 < np.std(colour - 255 * true_colour) < 15


def test_filming_is_repeatable_and_varied():
    joints = performed("march")
    first, again, other = (rendering.film(joints, np.random.default_rng(seed)) for seed in (1, 1, 2))
    for modality in range(2):
        np.testing.assert_array_equal(first[modality], again[modality])
        assert (first[modality] != other[modality]).mean() > 0.05

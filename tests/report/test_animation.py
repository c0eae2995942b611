"""That an animated picture shows each frame, and each person where they are."""

import numpy as np
import pytest
from PIL import Image, ImageSequence

from rgbd_jax.report.pictures.animation import skeleton_animation, video_animation
from rgbd_jax.skeleton_layouts import NTU


def frames_of(path):
    with Image.open(path) as image:
        return np.stack([np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(image)])


def blue(frames):
    return (frames[..., 2].astype(int) - frames[..., 0] > 80).sum(axis=(1, 2))


def orange(frames):
    return (frames[..., 0].astype(int) - frames[..., 2] > 80).sum(axis=(1, 2))


def test_persons_move_and_are_drawn_while_they_are_there(tmp_path):
    body = np.random.default_rng(0).normal(size=(25, 3)).astype(np.float32)
    joints = np.zeros((4, 2, 25, 3), np.float32)
    joints[:, 0] = body + np.linspace(0, 1, 4)[:, None, None].astype(np.float32)
    joints[2, 1] = body
    skeleton_animation(tmp_path / "sub" / "a.gif", joints, NTU.parents, title="$one\n挥手 $two")
    frames = frames_of(tmp_path / "sub" / "a.gif")
    assert len(frames) == 4
    assert (blue(frames) > 100).all()
    assert (orange(frames) > 100).tolist() == [False, False, True, False]
    # To the right and upwards.
    across = [
        np.argwhere(frame[..., 2].astype(int) - frame[..., 0] > 80)[:, ::-1].mean(0) for frame in frames
    ]
    assert (np.diff(across, axis=0)[:, 0] > 0).all()
    assert (np.diff(across, axis=0)[:, 1] < 0).all()
    assert [path.name for path in (tmp_path / "sub").iterdir()] == ["a.gif"]


@pytest.mark.parametrize(
    "joints", [np.zeros((2, 1, 25, 3)), np.ones((1, 1, 25, 3))], ids=["nobody", "a point"]
)
def test_a_clip_without_extent_is_drawn(tmp_path, joints):
    skeleton_animation(tmp_path / "a.gif", joints.astype(np.float32), NTU.parents)
    assert len(frames_of(tmp_path / "a.gif")) >= 1


def test_modalities_stand_side_by_side(tmp_path):
    colour = [np.full((6, 8, 3), (255, 0, 40 * frame), np.uint8) for frame in range(3)]
    depth = [np.full((4, 5, 1), 1000 + 100 * frame, np.uint16) for frame in range(3)]
    depth[2][0, 0] = 0
    video_animation(tmp_path / "a.gif", {"rgb": colour, "depth": depth})
    frames = frames_of(tmp_path / "a.gif").astype(int)
    assert frames.shape == (3, 6, 13, 3)
    for frame, (red, grey) in enumerate(zip(frames[:, 2, 3], frames[:, 2, 10], strict=True)):
        np.testing.assert_allclose(red, (255, 0, 40 * frame), atol=24)
        np.testing.assert_allclose(grey, 127 * frame, atol=24)
    np.testing.assert_allclose(frames[2, 0, 8], 0, atol=24)  # no measurement
    np.testing.assert_allclose(frames[:, 5, 10], 0, atol=24)  # below the smaller picture


def test_frames_of_other_sizes_have_black_around_them(tmp_path):
    """As where the box about a person reaches the border, in one frame of a clip."""
    colour = [np.full((6, width, 3), (255, 0, 0), np.uint8) for width in (8, 5)]
    depth = [np.full((height, 4, 1), 1000 + height, np.uint16) for height in (3, 7)]
    video_animation(tmp_path / "a.gif", {"rgb": colour, "depth": depth})
    frames = frames_of(tmp_path / "a.gif").astype(int)
    assert frames.shape == (2, 7, 12, 3)
    red = frames[..., 0] - frames[..., 1] > 80
    assert red.sum((1, 2)).tolist() == [6 * 8, 6 * 5]
    assert red[0, :6, :8].all() and red[1, :6, :5].all()
    np.testing.assert_allclose(frames[1, :, 8:], 255, atol=24)  # the depth is where it was
    np.testing.assert_allclose(frames[1, :, 5:8], 0, atol=24)

"""Windows over a recording, and the segments made of what is found in them."""

import numpy as np
import pytest

from rgbd_jax.report.timeline import Segment, segments, smooth, windows


@pytest.mark.parametrize(
    ("num_frames", "length", "stride", "expected"),
    [
        (10, 4, 2, [(0, 4), (2, 6), (4, 8), (6, 10)]),
        (11, 4, 2, [(0, 4), (2, 6), (4, 8), (6, 10), (7, 11)]),
        (10, 4, 9, [(0, 4), (6, 10)]),
        (4, 4, 2, [(0, 4)]),
        (3, 4, 2, [(0, 3)]),
        (1, 1, 1, [(0, 1)]),
    ],
)
def test_windows_cover_a_recording(num_frames, length, stride, expected):
    assert windows(num_frames, length, stride) == expected


def test_smoothing_is_a_mean_over_neighbours():
    found = np.array([[1, 0], [0, 1], [1, 0], [1, 0]], np.float32)
    np.testing.assert_array_equal(smooth(found, 1), found)
    np.testing.assert_allclose(smooth(found, 3)[:, 0], [1 / 2, 2 / 3, 2 / 3, 1])
    np.testing.assert_allclose(smooth(found, 9)[:, 0], 3 / 4)


def test_equal_neighbours_are_one_segment():
    """A segment changes half-way between the middles of two windows; the ends of a recording belong to it."""
    found = windows(60, 20, 10)  # middles at 10, 20, 30, 40, 50
    probabilities = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.6, 0.4], [0.8, 0.2]], np.float32)
    got = segments(found, probabilities, ("wave", "sit"), num_frames=60, fps=10.0)
    assert [segment[:3] for segment in got] == [(0, 2.5, "wave"), (2.5, 3.5, "sit"), (3.5, 6, "wave")]
    np.testing.assert_allclose([segment.probability for segment in got], [0.8, 0.8, 0.7], rtol=1e-6)


def test_a_short_recording_is_one_segment():
    (got,) = segments(windows(15, 20, 10), np.array([[0.25, 0.75]]), ("wave", "sit"), num_frames=15, fps=30.0)
    assert got == Segment(0, 0.5, "sit", 0.75)

"""Counting and finding characters in a text by bits."""

import numpy as np
import pytest

from rgbd_jax.data.formats.marks import Marks


@pytest.mark.parametrize("length", [1, 7, 8, 63, 64, 65, 128, 1000])
@pytest.mark.parametrize("share", [0, 0.02, 0.3, 1])
def test_counts_those_before_every_place(length, share):
    is_marked = np.random.default_rng(length).random(length) < share
    counted = Marks(is_marked).number_before(np.arange(length + 1))
    assert counted.tolist() == [0, *np.cumsum(is_marked)]


def test_finds_the_next_ones_behind_every_place():
    is_marked = np.random.default_rng(0).random(1000) < 0.3
    there = np.flatnonzero(is_marked)
    places = np.arange(950)
    expected = [there[there >= place][:3] for place in places]
    np.testing.assert_array_equal(Marks(is_marked).next(places, 3).T, expected)


@pytest.mark.parametrize("place", range(64, 72))
def test_those_that_stand_far_away_are_not_found(place):
    for distance in range(57):
        marks = Marks(np.arange(200) == place + distance)
        assert marks.next(np.array([place]), 1).tolist() == [[place + distance]]
        assert marks.next(np.array([place]), 2) is None
    for distance in (57, 60, 64, 100):
        assert Marks(np.arange(200) == place + distance).next(np.array([place]), 1) is None

"""Confidence intervals against published values, and whether they cover what they promise to."""

import math

import numpy as np
import pytest

from rgbd_jax.report.intervals import mean, mean_of_proportions, wilson


@pytest.mark.parametrize(
    "right, count, expected",
    [
        # Newcombe, Statistics in Medicine 1998, table I, method 3.
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
        (1, 29, (0.0061, 0.1718)),
    ],
)
def test_wilson_gives_the_published_values(right, count, expected):
    np.testing.assert_allclose(wilson(right, count), expected, atol=5e-5)


def test_the_limits_stay_within_0_and_1_and_mirror_each_other():
    right, count = np.array([0, 3, 7, 7, 0]), np.array([7, 7, 7, 7, 0])
    low, high = wilson(right, count)
    assert 0 <= low[0] < 1e-12 and 1 - 1e-12 < high[2] <= 1
    np.testing.assert_allclose(low[:4], 1 - wilson(count - right, count)[1][:4], rtol=0, atol=1e-12)
    assert np.isnan([low[4], high[4]]).all()


def test_of_classes_of_one_size_the_mean_has_the_interval_of_the_whole():
    right, count = np.array([10, 20, 17, 0]), np.array([20, 20, 20, 0])
    np.testing.assert_allclose(mean_of_proportions(right, count), wilson(47, 60), rtol=1e-12)


def test_a_small_class_widens_the_interval_of_the_mean():
    even = mean_of_proportions(np.array([80, 40]), np.array([100, 50]))
    uneven = mean_of_proportions(np.array([116, 4]), np.array([145, 5]))
    assert np.mean(even) == pytest.approx(0.79, abs=0.01)
    assert uneven[1] - uneven[0] > 2 * (even[1] - even[0])


def test_intervals_cover_the_truth_as_often_as_they_say():
    """Of 2000 evaluations of 12 classes, 20 samples each, 1900 should: less than 3.3 σ = 32 fewer or 60 more,
    as the interval takes the classes for more alike than they are."""
    rng = np.random.default_rng(0)
    share, count = np.linspace(0.6, 0.98, 12), np.full(12, 20)
    found = [mean_of_proportions(rng.binomial(count, share), count) for _ in range(2000)]
    covered = sum(low <= share.mean() <= high for low, high in found)
    assert 1868 <= covered <= 1960


def test_the_interval_of_a_mean_is_the_normal_one():
    values = np.array([1.0, 2.0, 4.0, 5.0])
    low, high = mean(values)
    assert (low + high) / 2 == 3
    assert high - low == pytest.approx(2 * 1.959964 * math.sqrt(10 / 3) / 2)
    assert np.isnan(mean(values[:1])).all()
    assert np.isnan(mean(np.array([1.0, np.nan, 2.0]))).all()

"""Confidence intervals of the figures of an evaluation, for samples drawn independently of each other."""

import math

import numpy as np

CONFIDENCE = 0.95
_Z = 1.959963984540054  # the normal quantile of (1 + CONFIDENCE) / 2

Interval = tuple[float, float]


def wilson(right: np.ndarray | float, count: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's score interval of a proportion (Wilson, JASA 1927).

    Unlike the plain normal interval it stays within 0 and 1, and says something where all or none are right.

    Args:
      right, count: how many of how many, of any one shape; they need not be whole.

    Returns:
      Lower and upper limit, of that shape; NaN where `count` is 0.
    """
    count = np.asarray(count, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.asarray(right, np.float64) / count
        scale = 1 + _Z**2 / count
        middle = (share + _Z**2 / (2 * count)) / scale
        reach = _Z / scale * np.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    return np.maximum(middle - reach, 0), np.minimum(middle + reach, 1)


def mean_of_proportions(right: np.ndarray, count: np.ndarray) -> Interval:
    """The interval of the mean of independent proportions.

    It is Wilson's for the effective number of samples: that of which one proportion would vary as much as the
    mean does if all were equal. Where all have the same count, that is the sum of the counts.

    Args:
      right, count: (K,), how many of how many; those with a count of 0 are left out.
    """
    right, count = right[count > 0], count[count > 0]
    effective = len(count) ** 2 / (1 / count).sum()
    low, high = wilson(effective * (right / count).mean(), effective)
    return float(low), float(high)


def mean(values: np.ndarray) -> Interval:
    """The normal interval of the mean of values (N,); NaN for fewer than two, or where one is not finite."""
    if len(values) < 2:
        return math.nan, math.nan
    middle, reach = float(values.mean()), _Z * float(values.std(ddof=1)) / math.sqrt(len(values))
    return middle - reach, middle + reach

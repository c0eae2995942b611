"""Maps of one size in another."""

import numpy as np


def resize(maps: np.ndarray, height: int, width: int) -> np.ndarray:
    """(..., H, W) to (..., height, width): bilinear, half-pixel centres, smoothed where a map shrinks."""
    *_, old_height, old_width = maps.shape
    return _taps(old_height, height) @ maps @ _taps(old_width, width).T


def _taps(old: int, new: int) -> np.ndarray:
    """The weight of each of `old` places in each of `new`: (new, old), rows of sum 1."""
    scale = old / new
    centres = (np.arange(new) + 0.5) * scale - 0.5
    distance = np.abs(centres[:, None] - np.arange(old)) / max(scale, 1)
    weights = np.maximum(1 - distance, 0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)

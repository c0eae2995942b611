"""How well a text can be read on its ground."""

import numpy as np


def contrast(one, other):
    """Contrast of two colours, red, green and blue from 0 to 1, from 1 to 21 (WCAG 2.1)."""
    low, high = sorted(_luminance(np.asarray(colour, float)) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour):
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def rows_of_all_shares(classes):
    """Counts: of row i, i samples lie in the first column and the others in the second."""
    confusion = np.zeros((classes, classes), np.int64)
    confusion[:, 0] = np.arange(classes)
    confusion[:, 1] = classes - 1 - np.arange(classes)
    return confusion

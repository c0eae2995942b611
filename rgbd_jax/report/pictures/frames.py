"""What the spatial network sees in the frames of a clip: grids with one tile for each frame."""

import math

import matplotlib
import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from rgbd_jax.report.pictures.resampling import resize

_GAP = 0.02  # between tiles, as a share of their width
_TILE_INCHES = 1.15
# What of the picture is activation and what is frame; as published.
_OVERLAY = (0.6, 0.4)
_HEAT_MAX = 2.0
_PAIRS = 18  # fill three columns


def activation_picture(frames: np.ndarray, activation: np.ndarray) -> Figure:
    """Lay the activation over each frame, in colours from blue (0) to red (the largest of the clip).

    Args:
      frames: uint8 (T, H, W, 3).
      activation: (T, h, w), 0 or more.
    """
    share = activation / max(activation.max(), np.finfo(np.float32).tiny)
    share = np.clip(resize(share, *frames.shape[1:3]), 0, 1)
    colours = matplotlib.colormaps["jet"](share, bytes=True)[..., :3]
    mixed = sum(weight * part for weight, part in zip(_OVERLAY, (colours, frames), strict=True))
    figure, axes = _grid(np.rint(mixed).astype(np.uint8), np.arange(len(frames)))
    axes.set_title("activation (mean over the channels of mixed_5c) over the frames", fontsize=10)
    figure.colorbar(
        ScalarMappable(Normalize(0, 1), "jet"),
        ax=axes,
        label="share of the clip's largest activation",
        aspect=40,
    )
    return figure


def feature_map_picture(maps: np.ndarray) -> Figure:
    """Draw a map for each frame, (T, h, w): the sum over the channels of mixed_4b."""
    figure, axes = _grid(maps, np.arange(len(maps)), cmap="viridis")
    axes.set_title("sum over the channels of mixed_4b, frame by frame", fontsize=10)
    figure.colorbar(axes.images[0], ax=axes, label="activation", aspect=40)
    return figure


def rank_pooling_picture(frames: np.ndarray, heat: np.ndarray) -> Figure:
    """Draw frames, 18 of them or fewer, each with the heat map of rank pooling to its right.

    Args:
      frames: uint8 (T, H, W, 3).
      heat: (T, H, W), 0 to 2.
    """
    shown = np.linspace(0, len(frames) - 1, min(_PAIRS, len(frames))).astype(int)
    colours = matplotlib.colormaps["magma"](heat[shown] / _HEAT_MAX, bytes=True)[..., :3]
    figure, axes = _grid(np.concatenate((frames[shown], colours), axis=2), shown)
    axes.set_title("frames and their heat maps of rank pooling", fontsize=10)
    figure.colorbar(
        ScalarMappable(Normalize(0, _HEAT_MAX), "magma"),
        ax=axes,
        label="heat: what became brighter",
        aspect=40,
    )
    return figure


def _grid(tiles: np.ndarray, numbers: np.ndarray, **style) -> tuple[Figure, Axes]:
    """Tiles (N, h, w) or (N, h, w, 3) in a grid, each with the number of its frame, counted from 1."""
    count, height, width = tiles.shape[:3]
    columns = math.ceil(math.sqrt(count * height / width))
    rows = math.ceil(count / columns)
    gap = max(1, round(_GAP * width))
    shape = (rows * (height + gap) - gap, columns * (width + gap) - gap, *tiles.shape[3:])
    # White between coloured tiles; between values, which have no white, nothing.
    sheet = np.full(shape, 255, np.uint8) if tiles.ndim == 4 else np.full(shape, np.nan)
    aspect = shape[0] / shape[1]
    inches = _TILE_INCHES * max(columns * width / height, rows, 4)
    figure = Figure(figsize=(inches + 1, inches * aspect + 0.6), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    for place, (tile, number) in enumerate(zip(tiles, numbers, strict=True)):
        top, left = (place // columns) * (height + gap), (place % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = tile
        axes.text(
            left + 0.04 * height,
            top + 0.04 * height,
            str(number + 1),
            color="white",
            fontsize=7,
            va="top",
            path_effects=[patheffects.withStroke(linewidth=1.5, foreground="black")],
        )
    axes.imshow(sheet, **style)
    axes.set_axis_off()
    return figure, axes

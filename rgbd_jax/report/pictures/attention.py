"""What the temporal network attends to: its branches' heads, and the weights of the recoupling module."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from rgbd_jax.report.pictures.resampling import resize


def attention_picture(branches: Mapping[str, np.ndarray]) -> Figure:
    """Draw the attention of each head, from its smallest weight (dark) to its largest (light).

    Args:
      branches: by name, weights (heads, n, n) of n queries (rows) and keys (columns), the class token first.
    """
    heads = max(map(len, branches.values()))
    size = (max(1.35 * heads, 4) + 1, 1.4 * len(branches) + 0.8)
    figure = Figure(figsize=size, dpi=150, layout="constrained")
    panels = figure.subplots(len(branches), heads, squeeze=False)
    for row, (name, maps) in zip(panels, branches.items(), strict=True):
        low, high = maps.min((1, 2), keepdims=True), maps.max((1, 2), keepdims=True)
        unit = (maps - low) / np.maximum(high - low, np.finfo(np.float32).tiny)
        for head, (axes, unit_map) in enumerate(zip(row, unit, strict=True)):
            image = axes.imshow(unit_map, cmap="viridis", vmin=0, vmax=1, interpolation="nearest")
            axes.set(xticks=(), yticks=())
            if axes in panels[0]:
                axes.set_title(f"head {head + 1}", fontsize=9)
        row[0].set_ylabel(f"{name}: {maps.shape[1] - 1} frames", fontsize=9)
    figure.supxlabel("key: class token, then frames", fontsize=9)
    figure.supylabel("query: class token, then frames", fontsize=9)
    figure.colorbar(image, ax=panels, label="attention, scaled for each head", aspect=40, ticks=(0, 1))
    return figure


def head_similarity(branches: Mapping[str, np.ndarray]) -> np.ndarray:
    """The cosine similarity of all heads' attention, whatever their branch.

    The maps are first brought to the size of the smallest. (The published program cuts them off in memory,
    where rows of different queries then stand side by side.)

    Args:
      branches: by name, weights (heads, n, n) of each branch.

    Returns:
      (R, R) for R heads of all branches together, symmetric, 1 on the diagonal.
    """
    side = min(maps.shape[-1] for maps in branches.values())
    rows = np.concatenate([resize(maps, side, side).reshape(len(maps), -1) for maps in branches.values()])
    rows = rows.astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows @ rows.T


def similarity_picture(similarity: np.ndarray, heads: Mapping[str, int], title: str) -> Figure:
    """Draw a similarity of heads.

    Args:
      similarity: (R, R), see `head_similarity`.
      heads: how many of the R belong to each branch, by name, in their order.
    """
    figure = Figure(figsize=(6.6, 5.6), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=10)
    image = axes.imshow(similarity, cmap="viridis", vmax=1, interpolation="nearest")
    figure.colorbar(image, label="cosine similarity of the attention")
    borders = np.cumsum([0, *heads.values()])
    for border in borders[1:-1]:
        axes.axhline(border - 0.5, color="white", linewidth=1.5)
        axes.axvline(border - 0.5, color="white", linewidth=1.5)
    numbers = [head + 1 for count in heads.values() for head in range(count)]
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(range(len(numbers)), numbers, fontsize=7)
    middles = (borders[:-1] + borders[1:]) / 2 - 0.5
    across = axes.secondary_xaxis(-0.04)
    across.set_xticks(middles, [f"heads of {name}" for name in heads])
    along = axes.secondary_yaxis(-0.04)
    along.set_yticks(middles, [f"heads of {name}" for name in heads], rotation=90, va="center")
    for axis in (across, along):
        axis.tick_params(length=0)
        for spine in axis.spines.values():
            spine.set_visible(False)
    return figure


def enhancement_picture(weights: np.ndarray) -> Figure:
    """Draw the recoupling module's weights (T, C) of frames (rows) and features (columns), 0 to 1."""
    figure = Figure(figsize=(10, 3.4), dpi=150, layout="constrained")
    frames, features = weights.shape
    axes = figure.add_subplot(xlabel="feature", ylabel="frame")
    axes.set_title("recoupling: weight of each feature in each frame", fontsize=10)
    extent = (0.5, features + 0.5, frames + 0.5, 0.5)
    image = axes.imshow(weights, cmap="viridis", aspect="auto", interpolation="nearest", extent=extent)
    figure.colorbar(image, label="weight")
    return figure

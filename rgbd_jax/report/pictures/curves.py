"""The course of a training run."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

_COLOURS = {"train": "tab:blue", "valid": "tab:orange"}


def curves_picture(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw loss and accuracy of training and validation, and the learning rate, over the epochs.

    Args:
      rows: of `metrics.jsonl`; those of `kind` "epoch" are drawn. A number that is missing or None, because
        it was not finite, is a gap.
    """
    figure = Figure(figsize=(7, 8), dpi=150, layout="constrained")
    panels = figure.subplots(3, sharex=True, height_ratios=(3, 3, 2))
    for split, colour in _COLOURS.items():
        epochs = [row for row in rows if row["kind"] == "epoch" and row["split"] == split]
        numbers = [row["epoch"] + 1 for row in epochs]
        for axes, name, factor in zip(panels, ("loss", "top1", "lr"), (1, 100, 1), strict=True):
            found = factor * np.array([row.get(name) for row in epochs], float)
            if np.isfinite(found).any():
                # One epoch alone is no line.
                marker = "o" if len(numbers) < 30 else None
                axes.plot(numbers, found, color=colour, marker=marker, markersize=3, label=split)
    for axes, label in zip(panels, ("loss", "top-1 accuracy in %", "learning rate"), strict=True):
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
    panels[0].set_title("mean loss and accuracy of each epoch, learning rate at its end", fontsize=10)
    if panels[0].lines:
        panels[0].legend()
    panels[2].set_xlabel("epoch")
    panels[2].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure

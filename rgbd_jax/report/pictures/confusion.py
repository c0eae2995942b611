"""The confusion matrix."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from rgbd_jax.report.metrics import column_names
from rgbd_jax.report.pictures.labels import ROOMY, name_classes

_STRONG = 0.51  # share up to which black is easier to read on the cell than white


def confusion_picture(confusion: np.ndarray, class_names: Sequence[str]) -> Figure:
    """Draw a confusion matrix: the colour is the share of the true class, the text the number of samples.

    Args:
      confusion: counts, true class by predicted class, of `metrics.confusion_matrix`.
      class_names: K names.
    """
    classes = len(class_names)
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    side = float(np.clip(0.45 * classes, 4, 16))
    figure = Figure(figsize=(side + 3, side + 2), dpi=150, layout="constrained")
    axes = figure.add_subplot(
        xlabel="predicted class",
        ylabel="true class",
        title=f"{np.trace(confusion)} of {confusion.sum()} samples recognised",
    )
    # The root lifts single mistakes, a few per cent of a class, out of the background.
    image = axes.imshow(share, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=1), interpolation="nearest")
    figure.colorbar(
        image,
        label="share of the true class",
        shrink=0.8,
        aspect=30,
        ticks=(0, 0.05, 0.2, 0.5, 1),
        format="%g",
    )
    name_classes(axes.xaxis, column_names(class_names, confusion), side)
    name_classes(axes.yaxis, class_names, side)
    if classes <= ROOMY:
        for row, column in np.argwhere(confusion):
            colour = "white" if share[row, column] > _STRONG else "black"
            count = str(confusion[row, column])
            axes.text(column, row, count, ha="center", va="center", color=colour, fontsize=8)
    return figure

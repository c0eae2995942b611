"""How well each class is recognised."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from rgbd_jax.report.metrics import class_figures
from rgbd_jax.report.pictures.labels import name_classes


def accuracy_precision_picture(confusion: np.ndarray, class_names: Sequence[str]) -> Figure:
    """Draw two bars for each class, its accuracy (recall) and its precision, and the means over all classes.

    A class without samples has no accuracy, one that nothing is taken for no precision: there is no bar, and
    it does not count in the mean.

    Args:
      confusion: counts, true class by predicted class, of `metrics.confusion_matrix`.
      class_names: K names.
    """
    classes = len(class_names)
    _, recall, precision = class_figures(confusion)
    width = float(np.clip(0.35 * classes, 5, 36))
    figure = Figure(figsize=(width + 1, 7), dpi=150, layout="constrained")
    upper, lower = figure.subplots(2, sharex=True)
    for axes, name, colour, shares in (
        (upper, "accuracy", "tab:blue", recall),
        (lower, "precision", "tab:orange", precision),
    ):
        percent = 100 * shares
        axes.bar(range(classes), np.nan_to_num(percent), color=colour, width=0.8)
        known = percent[np.isfinite(percent)]
        if known.size:
            axes.axhline(known.mean(), color="black", linestyle="--", linewidth=1)
        mean = f"{known.mean():.1f} %" if known.size else "none"
        axes.set_title(f"{name} of each class; dashed: the mean over the classes, {mean}", fontsize=10)
        axes.set(ylabel=f"{name} in %", ylim=(0, 103), xlim=(-0.6, classes - 0.4))
        axes.grid(axis="y", alpha=0.3)
        axes.set_axisbelow(True)
    name_classes(lower.xaxis, class_names, width)
    return figure

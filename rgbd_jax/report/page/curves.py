"""The section of the learning curves."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from rgbd_jax.report.page.markup import Html, element, joined, table

Row = Mapping[str, Any]

_WIDTH, _HEIGHT = 560, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 14, 14, 50  # room for the larger letters of a narrow page
_DOTTED = 60  # epochs up to which each has a dot
_SPLITS = {"train": "training", "valid": "validation"}


def curves_section(rows: Sequence[Row]) -> Html:
    """Loss and top-1 accuracy of training and validation over the epochs, and the same in a table.

    Args:
      rows: of `metrics.jsonl`; those of `kind` "epoch" count. A number that is missing or None, because it
        was not finite, is a gap.
    """
    epochs = {
        split: {row["epoch"] + 1: row for row in rows if row["kind"] == "epoch" and row["split"] == split}
        for split in _SPLITS
    }
    if not any(epochs.values()):
        return element("p", "There is no log of a finished epoch beside this checkpoint.")
    panels = element(
        "div",
        _panel("loss (mean of the epoch, nats)", _points(epochs, "loss"), lambda x: f"{x:.4g}"),
        _panel("top-1 accuracy in %", _points(epochs, "top1", 100.0), lambda x: f"{x:.4g}"),
        class_="panels",
    )
    legend = element(
        "p",
        *(element("span", name, class_=f"key {split}") for split, name in _SPLITS.items()),
        class_="legend",
    )
    note = element(
        "p",
        "The two losses are not of one kind. That of validation is the plain cross entropy; that of training"
        " is of augmented clips and contains what the config adds: label smoothing, the losses of branches"
        " and of descriptions, distillation.",
        class_="note",
    )
    return joined((legend, panels, note, _best(epochs["valid"]), _numbers(epochs)))


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers within low and high, at most so many."""
    if not high > low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(power * m for m in (1, 2, 5, 10, 20) if (high - low) / (power * m) <= most - 1)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [step * k for k in range(first, last + 1)]


def _points(epochs: Mapping[str, Mapping[int, Row]], name: str, factor: float = 1.0) -> dict[str, np.ndarray]:
    """(E, 2) epoch and value by split, those only that have a finite one; others are gaps of NaN."""
    return {
        split: np.array(
            [
                (number, factor * (math.nan if row.get(name) is None else row[name]))
                for number, row in found.items()
            ],
            np.float64,
        ).reshape(-1, 2)
        for split, found in epochs.items()
    }


def _panel(title: str, curves: Mapping[str, np.ndarray], text: Any) -> Html:
    every = np.concatenate(list(curves.values()))
    known = every[np.isfinite(every[:, 1])]
    if not len(known):
        return element("figure", element("figcaption", f"{title}: nothing finite was logged"))
    (first, low), (last, high) = known.min(axis=0), known.max(axis=0)
    first, last = min(first, every[:, 0].min()), max(last, every[:, 0].max())
    margin = 0.05 * (high - low) or 0.5
    low, high = (max(low - margin, 0.0) if low >= 0 else low - margin), high + margin

    def x_of(epoch: float) -> float:
        share = (epoch - first) / (last - first) if last > first else 0.5
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y_of(value: float) -> float:
        return _TOP + (high - value) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    grid = []
    for value in ticks(low, high):
        y = f"{y_of(value):.1f}"
        grid.append(element("line", x1=_LEFT, x2=_WIDTH - _RIGHT, y1=y, y2=y, class_="grid"))
        grid.append(element("text", f"{value:.6g}", x=_LEFT - 8, y=y, class_="y"))
    for epoch in (tick for tick in ticks(first, last, 8) if tick == round(tick)):
        grid.append(
            element("text", round(epoch), x=f"{x_of(epoch):.1f}", y=_HEIGHT - _BOTTOM + 20, class_="x")
        )
    grid.append(element("text", "epoch", x=(_LEFT + _WIDTH - _RIGHT) / 2, y=_HEIGHT - 8, class_="x"))
    drawn = []
    for split, points in curves.items():
        places = [(x_of(epoch), y_of(value)) for epoch, value in points]
        drawn.append(element("path", d=_path(places), class_=f"curve {split}"))
        if len(points) <= _DOTTED:
            drawn.extend(
                element(
                    "circle",
                    element("title", f"{_SPLITS[split]}, epoch {epoch:.0f}: {text(value)}"),
                    cx=f"{x:.1f}",
                    cy=f"{y:.1f}",
                    r=3,
                    class_=split,
                )
                for (x, y), (epoch, value) in zip(places, points, strict=True)
                if math.isfinite(value)
            )
    label = "; ".join(
        f"{_SPLITS[split]} ends at {text(finite[-1])}"
        for split, points in curves.items()
        if len(finite := points[np.isfinite(points[:, 1]), 1])
    )
    picture = element(
        "svg", *grid, *drawn, viewBox=f"0 0 {_WIDTH} {_HEIGHT}", role="img", aria_label=f"{title}: {label}"
    )
    return element("figure", element("figcaption", title), picture)


def _path(places: Sequence[tuple[float, float]]) -> str:
    """Straight lines from point to point; where one is missing, a new line begins."""
    steps, pen = [], "M"
    for x, y in places:
        if math.isfinite(y):
            steps.append(f"{pen}{x:.1f} {y:.1f}")
        pen = "L" if math.isfinite(y) else "M"
    return "".join(steps)


def _best(valid: Mapping[int, Row]) -> Html:
    known = {number: row["top1"] for number, row in valid.items() if row.get("top1") is not None}
    if not known:
        return Html("")
    best = max(known, key=lambda number: (known[number], number))  # of equals the last, as --which=best
    return element(
        "p", f"The best validation is that of epoch {best}: {100 * known[best]:.2f} %.", class_="note"
    )


def _numbers(epochs: Mapping[str, Mapping[int, Row]]) -> Html:
    def cell(split: str, number: int, name: str, factor: float, digits: int) -> str:
        value = epochs[split].get(number, {}).get(name)
        return "–" if value is None else f"{factor * value:.{digits}f}"

    numbers = sorted(set().union(*epochs.values()))
    rows = [
        (
            number,
            *(cell(split, number, "loss", 1, 4) for split in _SPLITS),
            *(cell(split, number, "top1", 100, 2) for split in _SPLITS),
        )
        for number in numbers
    ]
    header = (
        "epoch",
        *(f"{name}, loss" for name in _SPLITS.values()),
        *(f"{name}, top-1 in %" for name in _SPLITS.values()),
    )
    return element(
        "details",
        element("summary", "The numbers"),
        table("losses and accuracies of each epoch", header, rows, class_="numbers"),
    )

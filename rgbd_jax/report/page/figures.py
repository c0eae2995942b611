"""The section of the headline figures."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from rgbd_jax.report import intervals
from rgbd_jax.report.intervals import CONFIDENCE, Interval
from rgbd_jax.report.metrics import SHORT, class_figures, cross_entropy, samples_line
from rgbd_jax.report.page.markup import Html, element, joined, percent, table
from rgbd_jax.report.scores import Scores

_WITHOUT_SHORT = f"_over_{SHORT}_frames"
_UNKNOWN: Interval = (math.nan, math.nan)

_NAMES = {
    "top1": "top-1 accuracy",
    "top5": "top-5 accuracy",
    "mean_class_accuracy": "mean class accuracy",
    "loss": "cross entropy (nats)",
    "top1_unseen": "unseen classes, among themselves",
    "top1_seen": "seen classes, among themselves",
    "harmonic_mean": "harmonic mean of both",
    "generalised_unseen": "unseen classes, all classes competing",
    "generalised_seen": "seen classes, all classes competing",
    "generalised_harmonic_mean": "harmonic mean of both, all classes competing",
    "top1_published": "best of the published sums",
}
_HEADLINES = ("top1", "top5", "mean_class_accuracy", "loss")
_ZERO_SHOT_HEADLINES = ("top1_unseen", "top1_seen", "harmonic_mean")


class Figure(NamedTuple):
    """One figure: what it is, its value, its interval (NaN: none is given), of how many samples."""

    name: str
    value: float
    interval: Interval
    count: int


def figures_section(scores: Scores, metrics: Mapping[str, Any], confusion: np.ndarray) -> Html:
    """Tiles of the figures that count, a table of the others, and how the intervals were made."""
    figures = all_figures(scores, metrics, confusion)
    shown = [*_HEADLINES, *(_ZERO_SHOT_HEADLINES if scores.held_out else ())]
    if len(scores.class_names) <= 5:  # among the first five are all
        del figures["top5"], shown[shown.index("top5")]
    tiles = element("div", *(_tile(figures[key], key == "loss") for key in shown), class_="tiles")
    rest = [figure for key, figure in figures.items() if key not in shown]
    more = Html("")
    if rest:
        rows = [
            (figure.name, percent(figure.value, 2), _range(figure.interval), figure.count) for figure in rest
        ]
        more = table(
            "further figures",
            ("figure", "value", f"{percent(CONFIDENCE, 0)} interval", "samples"),
            rows,
            class_="numbers",
        )
    return joined((tiles, more, element("p", _method(scores, metrics, rest), class_="note")))


def all_figures(scores: Scores, metrics: Mapping[str, Any], confusion: np.ndarray) -> dict[str, Figure]:
    """The figures of `metrics.json` by their key there.

    Args:
      metrics: what is in `metrics.json`.
      confusion: of `scores`, (K, K).
    """
    unseen = int(np.isin(np.array(scores.class_names)[scores.labels], scores.held_out).sum())
    found = {}
    for key, value in metrics.items():
        is_accuracy = key.startswith(("top1", "top5", "generalised_")) or key in _NAMES
        if not is_accuracy or not isinstance(value, float):
            continue
        count = metrics["count"]
        if key.endswith(_WITHOUT_SHORT):
            count = metrics[f"count{_WITHOUT_SHORT}"]
        elif key in ("top1_unseen", "generalised_unseen"):
            count = unseen
        elif key in ("top1_seen", "generalised_seen"):
            count -= unseen
        if key == "loss":
            interval = intervals.mean(cross_entropy(scores))
        elif key == "mean_class_accuracy":
            interval = intervals.mean_of_proportions(np.diag(confusion), class_figures(confusion)[0])
        elif key.endswith("harmonic_mean"):
            interval = _UNKNOWN
        else:
            right = 0 if math.isnan(value) else round(value * count)
            interval = tuple(float(limit) for limit in intervals.wilson(right, count))
        found[key] = Figure(_name(key, scores), value, interval, count)
    return found


def _name(key: str, scores: Scores) -> str:
    short = key.removesuffix(_WITHOUT_SHORT)
    without = f", recordings of more than {SHORT} frames" if short != key else ""
    if short in _NAMES:
        return _NAMES[short] + without
    of = short.removeprefix("top1_")
    if of in [part.stream for part in scores.streams]:
        return f"top-1 of the stream {of}{without}"
    what = f"the sum {of.replace('+', ' + ')}" if "+" in of else f"the branch {of}"
    return f"top-1 of {what}{without}"


def _tile(figure: Figure, is_loss: bool) -> Html:
    value = _number(figure.value) if is_loss else percent(figure.value)
    low, high = figure.interval
    known = not math.isnan(low)
    limits, track = Html(""), Html("")
    if known:
        text = f"{_number(low)} – {_number(high)}" if is_loss else _range(figure.interval)
        limits = element("p", text, class_="range", title=f"interval of {percent(CONFIDENCE, 0)} confidence")
    if known and not is_loss:
        band = f"left:{100 * low:.2f}%;width:{100 * (high - low):.2f}%"
        mark = f"left:{100 * figure.value:.2f}%"
        track = element("div", element("i", style=band), element("b", style=mark), class_="track")
    return element("div", element("h3", figure.name), element("p", value, class_="value"), limits, track)


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _range(interval: Interval) -> str:
    low, high = interval
    return "–" if math.isnan(low) else f"{100 * low:.1f} – {100 * high:.1f} %"


def _method(scores: Scores, metrics: Mapping[str, Any], rest: list[Figure]) -> str:
    text = (
        f"Of {samples_line(metrics)}. Ranges are intervals of {percent(CONFIDENCE, 0)} confidence:"
        " Wilson's for accuracies, for the mean class accuracy with the effective number of samples; the"
        " normal one for the cross entropy. They take samples as independent of each other, and say nothing"
        " about how a run with another seed would end."
    )
    if any(figure.name.startswith(_NAMES["top1_published"]) for figure in rest):
        text += " A figure that is the best of several is a little too high, and so is its interval."
    return text

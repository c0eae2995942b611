"""The section of the figures of each class."""

import math

import numpy as np

from rgbd_jax.report import intervals
from rgbd_jax.report.intervals import CONFIDENCE
from rgbd_jax.report.metrics import class_figures, prediction_names
from rgbd_jax.report.page.markup import Html, element, joined, percent, scrolling
from rgbd_jax.report.scores import Scores

_COLUMNS = (
    ("#", "number"),
    ("class", "text"),
    ("samples", "number"),
    ("recall", "number"),
    (f"{percent(CONFIDENCE, 0)} interval", "number"),
    ("precision", "number"),
    ("F1", "number"),
    ("most often taken for", "text"),
)


def classes_section(scores: Scores, confusion: np.ndarray) -> Html:
    """A table with a row for each class, which a click on a column's name sorts."""
    support, recall, precision = class_figures(confusion)
    low, high = intervals.wilson(np.diag(confusion), support)
    with np.errstate(invalid="ignore", divide="ignore"):
        f1 = 2 * np.diag(confusion) / (support + confusion.sum(axis=0)[: len(support)])
    mistakes, names = confusion.copy(), prediction_names(scores)
    np.fill_diagonal(mistakes, 0)
    rows = []
    for i, name in enumerate(scores.class_names):
        other = int(mistakes[i].argmax())
        taken_for = f"{names[other]} ({mistakes[i, other]})" if mistakes[i, other] else ""
        badge = element("small", "held out", class_="badge") if name in scores.held_out else ""
        rows.append(
            element(
                "tr",
                _number(i + 1, str(i + 1)),
                element("th", name, " ", badge, scope="row", data_value=name),
                _number(support[i], f"{support[i]:,}"),
                _share(recall[i], bar=True),
                _number(low[i], _range(low[i], high[i])),
                _share(precision[i]),
                _share(f1[i]),
                element("td", taken_for, data_value=taken_for),
            )
        )
    header = element("tr", *(_header(name, kind, i) for i, (name, kind) in enumerate(_COLUMNS)))
    whole = element("table", element("thead", header), element("tbody", *rows), class_="classes sortable")
    note = element(
        "p",
        "A click on a column's name sorts by it, a second one the other way round. Recall is the share of"
        " the class that is recognised (with Wilson's interval), precision the share of right ones among all"
        " that are taken for the class, F1 their harmonic mean.",
        class_="note",
    )
    return joined((scrolling(whole, "figures of each class"), note))


def _header(name: str, kind: str, column: int) -> Html:
    # In the beginning the rows stand in the order of the classes.
    sort = "ascending" if column == 0 else None
    return element(
        "th", element("button", name, type="button"), scope="col", data_kind=kind, aria_sort=sort, class_=kind
    )


def _share(share: float, *, bar: bool = False) -> Html:
    style = f"--share:{share:.4f}" if bar and not math.isnan(share) else None
    return _number(share, percent(share), style=style, class_="share" if bar else None)


def _number(value: float, text: str, **attributes: str | None) -> Html:
    """A cell; without a number it is sorted behind all others."""
    key = None if math.isnan(value) else f"{value:.6g}"
    return element("td", text, data_value=key, **attributes)


def _range(low: float, high: float) -> str:
    return "–" if math.isnan(low) else f"{100 * low:.0f} – {100 * high:.0f} %"

"""The sections of the confusion matrix and of the pairs of classes most often confused."""

import base64
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from rgbd_jax.report.metrics import column_names, prediction_names, predictions, sureness
from rgbd_jax.report.page.markup import Html, data_block, element, joined, percent, table
from rgbd_jax.report.scores import Scores

_COLOUR = (31, 105, 178)  # of a full cell; the stylesheet's --cell-colour
_STRONG = 0.8  # share up to which black is easier to read on the cell of a light page than white
_NUMBERED = 30  # classes up to which the cells hold their counts
_SIDE = 980  # pixels that the matrix may take before its cells get too small
_CELLS = (8, 30)  # the smallest and the largest side of a cell at first, in pixels
_TAIL = 9  # letters of a long label that stay when it is cut: many names differ at their ends alone
_EXAMPLES = 3


class Pair(NamedTuple):
    """Samples of class `label` that were taken for class `predicted`; examples are ids, the surest first.

    K as `predicted` stands for none, see `metrics.predictions`.
    """

    label: int
    predicted: int
    count: int
    share: float
    examples: tuple[str, ...]


def confusion_section(confusion: np.ndarray, class_names: Sequence[str]) -> Html:
    """The matrix with its labels, what a pointer or the arrow keys read from it, and the size of its cells.

    Colour is the share of the true class; its square root, so that single mistakes stand out from nothing.

    Args:
      confusion: counts, true class by predicted class, of `metrics.confusion_matrix`.
      class_names: K names.
    """
    classes, columns = len(class_names), column_names(class_names, confusion)
    cell = int(np.clip(_SIDE // classes, *_CELLS))
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    counts = Html("")
    if classes <= _NUMBERED:
        counts = joined(
            element(
                "span",
                confusion[row, column],
                style=f"grid-area:{row + 1}/{column + 1}",
                class_="strong" if share[row, column] > _STRONG else None,
            )
            for row, column in np.argwhere(confusion)
        )
    cells = element(
        "div",
        counts,
        element("div", class_="cursor", hidden=True),
        id="cells",
        class_="cells",
        style=f"background-image:url({_picture(share)})",
        tabindex=0,
        role="application",
        aria_roledescription="confusion matrix",
        aria_label="Confusion matrix; the arrow keys go from cell to cell",
        aria_describedby="cell",
    )
    matrix = element(
        "div",
        element("div", element("span", "true ↓ predicted →"), class_="corner"),
        element("div", *map(_label, columns), class_="columns", aria_hidden="true"),
        element("div", *map(_label, class_names), class_="rows", aria_hidden="true"),
        cells,
        id="matrix",
        class_="matrix few" if classes <= _NUMBERED else "matrix",
        style=f"--classes:{classes};--columns:{len(columns)};--cell:{cell}px;"
        f"--longest:{max(map(len, columns))}",
    )
    zoom = element(
        "p",
        element("button", "−", type="button", data_zoom=-1, aria_label="smaller cells"),
        element("button", "+", type="button", data_zoom=1, aria_label="larger cells"),
        class_="zoom",
    )
    nothing = "Point at a cell, or go there with the arrow keys."
    readout = element("p", nothing, id="cell", class_="readout", aria_live="polite")
    note = element(
        "p",
        "Rows are true classes. The colour is the share of the row, from 0 (none) to 1 (full); its square"
        " root, so that rare mistakes can be seen.",
        class_="note",
    )
    rows = [[int(x) for x in _flat_sparse(row)] for row in confusion]
    data = data_block("confusion", {"classes": list(columns), "rows": rows})
    return joined(
        (element("div", readout, zoom, class_="bar"), element("div", matrix, class_="frame"), note, data)
    )


def most_confused(scores: Scores, limit: int = 20) -> list[Pair]:
    """The pairs with most samples; of equal ones those that are more of their class, then in class order."""
    predicted, columns = predictions(scores), len(prediction_names(scores))
    wrong = np.flatnonzero(predicted != scores.labels)
    wrong = wrong[np.lexsort((scores.ids[wrong], -sureness(scores)[wrong]))]
    numbers, first, counts = np.unique(
        scores.labels[wrong].astype(np.int64) * columns + predicted[wrong],
        return_inverse=True,
        return_counts=True,
    )
    support = np.bincount(scores.labels, minlength=len(scores.class_names))
    share = counts / support[numbers // columns]
    pairs = []
    for place in np.lexsort((numbers, -share, -counts))[:limit]:
        label, taken_for = divmod(int(numbers[place]), columns)
        examples = scores.ids[wrong[first == place][:_EXAMPLES]]
        pairs.append(
            Pair(label, taken_for, int(counts[place]), float(share[place]), tuple(map(str, examples)))
        )
    return pairs


def pairs_section(scores: Scores) -> Html:
    """A table of `most_confused`."""
    pairs = most_confused(scores)
    if not pairs:
        return element("p", "Every sample was recognised.")
    names = prediction_names(scores)
    rows = [
        (
            names[pair.label],
            names[pair.predicted],
            pair.count,
            percent(pair.share),
            joined(element("code", example) for example in pair.examples),
        )
        for pair in pairs
    ]
    header = ("true class", "taken for", "samples", "of the class", "examples, the surest mistakes first")
    return table("most confused pairs", header, rows, class_="pairs")


def _picture(share: np.ndarray) -> str:
    """A pixel for each cell, as a data URI: one colour, more or less transparent, on light and dark pages."""
    pixels = np.empty((*share.shape, 4), np.uint8)
    pixels[..., :3] = _COLOUR
    pixels[..., 3] = np.rint(255 * np.sqrt(share))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _label(name: str) -> Html:
    """A name that loses letters of its middle where it is too long."""
    return element("span", element("i", name[:-_TAIL]), element("i", name[-_TAIL:]), title=name)


def _flat_sparse(row: np.ndarray) -> list[int]:
    """Column, count, column, count, … of what is not 0."""
    columns = np.flatnonzero(row)
    return np.stack((columns, row[columns]), axis=1).ravel().tolist()

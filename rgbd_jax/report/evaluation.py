"""The files of an evaluation: what a run's folder `eval/` holds."""

import csv
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rgbd_jax.files import remove, replacing, to_json
from rgbd_jax.report.metrics import (
    class_figures,
    column_names,
    confusion_matrix,
    prediction_names,
    predictions,
    summary,
    sureness,
)
from rgbd_jax.report.pictures import confusion_picture, save
from rgbd_jax.report.scores import Scores, write_scores


def write_evaluation(folder: Path, scores: Scores, extra: dict[str, Any]) -> dict[str, Any]:
    """Write everything that follows from `scores` into `folder`:

        scores.npz             the scores themselves
        per_class.csv          class, count, recall, precision
        confusion_matrix.csv   true class by predicted class; .png is its picture
        errors.csv             id, label, prediction, probability of each wrong sample, the surest first
        metrics.json           data set, split, the summary and `extra`

    and of an ensemble the same of each stream, in a folder of its name.
    `metrics.json` is removed first and written last: its presence says that all the rest is there.

    Returns:
      What is in `metrics.json`.

    Raises:
      OutsideError: if the disk refuses.
    """
    remove(folder / "metrics.json")
    for part in scores.streams:
        write_evaluation(folder / part.stream, part, extra)
    confusion = confusion_matrix(scores)
    write_scores(folder / "scores.npz", scores)
    write_per_class(folder / "per_class.csv", confusion, scores.class_names)
    write_confusion_matrix(folder / "confusion_matrix.csv", confusion, scores.class_names)
    with replacing(folder / "confusion_matrix.png") as temporary:
        save(confusion_picture(confusion, scores.class_names), temporary)
    write_errors(folder / "errors.csv", scores)
    metrics = {"data_set": scores.data_set, "split": scores.split} | summary(scores) | extra
    with replacing(folder / "metrics.json") as temporary:
        temporary.write_text(to_json(metrics, indent=2) + "\n", encoding="utf-8")
    return metrics


def write_per_class(path: Path, confusion: np.ndarray, class_names: Sequence[str]) -> None:
    """One line for each class; a fraction of nothing is an empty cell."""
    figures = zip(class_names, *class_figures(confusion), strict=True)
    _write_csv(
        path,
        ("class", "count", "recall", "precision"),
        (
            (name, count, _fraction(recall), _fraction(precision))
            for name, count, recall, precision in figures
        ),
    )


def write_confusion_matrix(path: Path, confusion: np.ndarray, class_names: Sequence[str]) -> None:
    """Counts with the predicted classes as columns and the true ones as rows."""
    rows = zip(class_names, confusion.tolist(), strict=True)
    columns = column_names(class_names, confusion)
    _write_csv(path, ("true class", *columns), ((name, *counts) for name, counts in rows))


def write_errors(path: Path, scores: Scores) -> None:
    """Each wrong sample with the names of its true and predicted class and the probability of the latter."""
    predicted, probability = predictions(scores), sureness(scores)
    wrong = np.flatnonzero(predicted != scores.labels)
    wrong = wrong[np.lexsort((scores.ids[wrong], -probability[wrong]))]
    names = prediction_names(scores)
    _write_csv(
        path,
        ("id", "label", "prediction", "probability"),
        (
            (scores.ids[i], names[scores.labels[i]], names[predicted[i]], _fraction(probability[i]))
            for i in wrong
        ),
    )


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _fraction(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.6f}"

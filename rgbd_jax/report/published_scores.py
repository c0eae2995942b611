"""Scores and labels in the files of the published skeleton programs (GAP, ICCV 2023; CTR-GCN, ICCV 2021).

A score pickle, `epoch1_test_score.pkl`, maps samples to scores and knows neither labels nor class names. It
calls its samples by their place: `test_<i>` on NTU RGB+D, `i` on NW-UCLA. Both are read as `test_<i>`. The
labels are taken from the file that was tested on:

    NTU60_CS.npz and its like   one-hot `y_test` and `y_train` in the order of the places
    val_label.pkl of NW-UCLA    a dict for each place: `file_name`, which is the sample's id; `label`, from 1
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rgbd_jax.array_archive import ArrayArchive, Damaged
from rgbd_jax.errors import UserError
from rgbd_jax.pickles import read_pickle
from rgbd_jax.report.scores import Scores, read_scores


@dataclass(frozen=True)
class UnlabelledScores:
    """Scores as a score pickle has them.

    Attributes:
      ids: (N,) str, each sample once; `test_<i>` where the file says a place.
      logits: (N, K) float32.
    """

    ids: np.ndarray
    logits: np.ndarray


@dataclass(frozen=True)
class Labels:
    """True classes from another file than the scores.

    Attributes:
      source: the file, for messages.
      classes: class by sample id.
      class_names: names of the classes; () if unknown.
      num_classes: how many classes there are; 0 if unknown.
      ids: sample id by place, `test_<i>`; empty if the file names no samples.
    """

    source: str
    classes: Mapping[str, int]
    class_names: tuple[str, ...] = ()
    num_classes: int = 0
    ids: Mapping[str, str] = field(default_factory=dict)


def read_score_pickle(path: Path) -> UnlabelledScores:
    """Read a score pickle.

    Raises:
      UserError: if it is none, or its scores are not finite.
    """
    found = read_pickle(path)
    what = "a score pickle is a dict of float arrays, all of one length, by sample"
    if not isinstance(found, dict) or not found:
        raise UserError(f"{path}: holds {_describe(found)}; {what}")
    ids, rows, shape = [], [], None
    for key, scores in found.items():
        if not isinstance(key, str | int | np.integer):
            raise UserError(f"{path}: a sample is called by {_describe(key)}; text and integers are allowed")
        if not isinstance(scores, np.ndarray) or scores.dtype.kind != "f" or scores.ndim != 1:
            raise UserError(f"{path}: sample {key} has {_describe(scores)}; {what}")
        shape = shape or scores.shape
        if scores.shape != shape:
            raise UserError(f"{path}: sample {key} has {len(scores)} scores, not {shape[0]}; {what}")
        with np.errstate(over="ignore"):  # is not finite then
            rows.append(scores.astype(np.float32))
        if not np.isfinite(rows[-1]).all():
            raise UserError(f"{path}: sample {key} has scores that are not finite")
        ids.append(key if isinstance(key, str) else f"test_{key}")
    if len(set(ids)) < len(ids):
        raise UserError(f"{path}: names a sample twice, as `test_<i>` and as `i`")
    return UnlabelledScores(np.array(ids), np.stack(rows))


def read_labels(path: Path) -> Labels:
    """Read labels from one of the files above or from a score file.

    Raises:
      UserError: if it is none of these.
    """
    if path.suffix == ".pkl":
        return _labels_of_nw_ucla(path)
    try:
        # Of the clips beside them, gigabytes, nothing is read.
        with ArrayArchive(path) as archive:
            parts = [part for part in ("train", "test") if f"y_{part}" in archive]
            one_hot = {part: archive.read(f"y_{part}") for part in parts}
    except (OSError, Damaged):
        one_hot = {}
    return _labels_of_ntu(path, one_hot) if one_hot else labels_of(str(path), read_scores(path))


def labels_of(source: str, scores: Scores) -> Labels:
    """The labels in the scores of the file `source`."""
    classes = dict(zip(scores.ids.tolist(), scores.labels.tolist(), strict=True))
    return Labels(source, classes, scores.class_names, len(scores.class_names))


def labelled(
    name: str, scores: UnlabelledScores, labels: Labels, class_names: tuple[str, ...], *, common: bool
) -> Scores:
    """Give the scores of the file `name` their labels, and ids where `labels` has them by place.

    Args:
      class_names: as other files have them. Without, and of another number of classes, they are numbered.
      common: leave out samples that have no label.

    Raises:
      UserError: if a sample has no label, all if `common`; if the number of classes is another.
    """
    num_classes = scores.logits.shape[1]
    if labels.num_classes not in (0, num_classes):
        raise UserError(f"{name}: has {num_classes} classes; {labels.source} has {labels.num_classes}")
    if len(class_names) != num_classes:
        class_names = tuple(f"class_{number + 1:03d}" for number in range(num_classes))
    ids = np.array([labels.ids.get(place, place) for place in scores.ids.tolist()])
    known = np.array([sample in labels.classes for sample in ids.tolist()])
    if not (known.any() if common else known.all()):
        raise UserError(
            f"{name}: {np.count_nonzero(~known)} of its {len(ids)} samples have no label in {labels.source},"
            f" the first is {ids[~known][0]}; --labels names another file"
        )
    try:
        return Scores(
            ids=ids[known],
            logits=scores.logits[known],
            labels=np.array([labels.classes[sample] for sample in ids[known].tolist()], np.int32),
            class_names=class_names,
        )
    except ValueError as error:
        raise UserError(f"{name} with the labels of {labels.source}: {error}") from error


def _labels_of_ntu(path: Path, one_hot: Mapping[str, np.ndarray]) -> Labels:
    classes, num_classes = {}, 0
    for part, rows in one_hot.items():
        if rows.ndim != 2 or rows.dtype.kind not in "biuf" or not ((rows > 0).sum(axis=1) == 1).all():
            raise UserError(f"{path}: y_{part} is not one-hot, a row a sample")
        if num_classes not in (0, rows.shape[1]):
            raise UserError(f"{path}: y_{part} has {rows.shape[1]} classes, the other {num_classes}")
        num_classes = rows.shape[1]
        classes |= {f"{part}_{place}": int(label) for place, label in enumerate((rows > 0).argmax(axis=1))}
    return Labels(str(path), classes, num_classes=num_classes)


def _labels_of_nw_ucla(path: Path) -> Labels:
    clips = read_pickle(path)
    if not isinstance(clips, list) or not all(map(_is_clip, clips)):
        raise UserError(
            f"{path}: holds no labels; a label pickle is a list of dicts with file_name and label, from 1"
        )
    return Labels(
        source=str(path),
        classes={clip["file_name"]: int(clip["label"]) - 1 for clip in clips},
        ids={f"test_{place}": clip["file_name"] for place, clip in enumerate(clips)},
    )


def _is_clip(clip: Any) -> bool:
    return (
        isinstance(clip, dict)
        and isinstance(clip.get("file_name"), str)
        and isinstance(clip.get("label"), int | np.integer)
        and 1 <= clip["label"] <= np.iinfo(np.int32).max
    )


def _describe(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of type {value.dtype} and shape {value.shape}"
    return f"an empty {type(value).__name__}" if value in ({}, [], (), "") else f"a {type(value).__name__}"

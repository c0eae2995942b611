"""Figures of merit, each from the scores of all samples at once.

Classes are ranked by score; of equal scores the lower class index comes first. So each figure follows from
the scores alone, whatever the order of samples. A sample whose scores are not finite is taken for no class
and counts as a mistake.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rgbd_jax.report.scores import Scores

# Recordings of so many frames or fewer are no part of the published figures of MotionRGBD (CVPR 2022).
SHORT = 16

NO_CLASS = "not finite"  # what a sample is taken for whose scores are not


def summary(scores: Scores) -> dict[str, float]:
    """The figures of `metrics.json`.

    Returns:
      top1, top5: fraction of samples whose class is the first, or among the first five.
      mean_class_accuracy: mean over the classes that have samples of the fraction recognised.
      loss: mean cross entropy over the samples, without smoothing, in nats.
      count: number of samples.
      not_finite: how many of these have scores that are not finite, if there are any.
      top1_seen and so on: where classes were held out from training, see `zero_shot_figures`.
      top1_<name>: where there are branches, of each of them, and `top1_<name>+<name>` of the sum of their
        logits for each pair and each published sum; top1_published: the best of the published sums.
      top1_over_16_frames, top1_published_over_16_frames, count_over_16_frames: where some recordings are
        known to have 16 frames or fewer, the same figures without these, as published.
      top1_<stream>: of an ensemble, of each of its streams.
    """
    support, recall, _ = class_figures(confusion_matrix(scores))
    not_finite = int(np.count_nonzero(~_is_finite(scores.logits)))
    return {
        "top1": top_k(scores, 1),
        "top5": top_k(scores, 5),
        "mean_class_accuracy": float(recall[support > 0].mean()),
        "loss": float(cross_entropy(scores).mean()),
        "count": len(scores.ids),
        **({"not_finite": not_finite} if not_finite else {}),
        **zero_shot_figures(scores),
        **branch_accuracies(scores),
        **figures_without_short(scores),
        **{f"top1_{part.stream}": top_k(part, 1) for part in scores.streams},
    }


def zero_shot_figures(scores: Scores) -> dict[str, float]:
    """How well classes are recognised that training has not seen, beside those that it has.

    Returns:
      Nothing if no class was held out, else
      top1_unseen: fraction of the samples of held-out classes that are recognised among these classes alone.
      top1_seen: fraction of the other samples that are recognised among the other classes.
      harmonic_mean: of both.
      generalised_unseen, generalised_seen, generalised_harmonic_mean: the same where all classes compete.
      A figure is NaN where there are no such samples.
    """
    if not scores.held_out:
        return {}
    is_unseen = np.isin(scores.class_names, scores.held_out)
    apart, together = {}, {}
    for name, chosen in (("unseen", is_unseen), ("seen", ~is_unseen)):
        classes = np.flatnonzero(chosen)
        samples = np.flatnonzero(chosen[scores.labels])
        labels = scores.labels[samples]
        among = _first(scores.logits[np.ix_(samples, classes)])
        apart[name] = _mean(np.append(classes, -1)[among] == labels)
        together[name] = _mean(_first(scores.logits[samples]) == labels)
    return {
        **{f"top1_{name}": value for name, value in apart.items()},
        "harmonic_mean": _harmonic_mean(*apart.values()),
        **{f"generalised_{name}": value for name, value in together.items()},
        "generalised_harmonic_mean": _harmonic_mean(*together.values()),
    }


def samples_line(figures: Mapping[str, Any]) -> str:
    """Of how many samples the figures of `metrics.json` are, in words, and what is amiss with some."""
    parts = [f"{figures['count']:,} samples"]
    if figures.get("skipped"):
        parts.append(f"{figures['skipped']:,} more were left out as faulty")
    if figures.get("not_finite"):
        parts.append(f"the scores of {figures['not_finite']:,} are not finite, which counts as mistakes")
    return "; ".join(parts)


def zero_shot_line(figures: Mapping[str, float]) -> str:
    """The first of the figures of `zero_shot_figures` in words, in percent."""
    unseen, seen, mean = (100 * figures[name] for name in ("top1_unseen", "top1_seen", "harmonic_mean"))
    if math.isnan(unseen):
        return "zero-shot: there are no samples of the unseen classes"
    return (
        f"zero-shot: top-1 {unseen:.2f} % among the unseen classes, {seen:.2f} % among the seen,"
        f" harmonic mean {mean:.2f} %"
    )


def branch_accuracies(scores: Scores) -> dict[str, float]:
    """Top-1 of the branches and of sums of them, see `summary`."""
    singles = [(name,) for name in scores.branches]
    pairs = list(itertools.combinations(scores.branches, 2))
    found = {
        names: top_k(replace(scores, logits=sum(scores.branches[name] for name in names)), 1)
        for names in dict.fromkeys((*singles, *pairs, *scores.published))
    }
    figures = {f"top1_{'+'.join(names)}": accuracy for names, accuracy in found.items()}
    if scores.published:
        figures["top1_published"] = max(found[names] for names in scores.published)
    return figures


def figures_without_short(scores: Scores) -> dict[str, float]:
    """Figures without the recordings that the published ones leave out, see `summary`."""
    if scores.lengths is None or not 0 < np.count_nonzero(scores.lengths > SHORT) < len(scores.ids):
        return {}
    rest = scores.take(scores.lengths > SHORT)
    figures = {"top1": top_k(rest, 1), "count": len(rest.ids)}
    if rest.published:
        figures["top1_published"] = branch_accuracies(rest)["top1_published"]
    return {f"{name}_over_{SHORT}_frames": figure for name, figure in figures.items()}


def predictions(scores: Scores) -> np.ndarray:
    """The class that each sample is taken for: (N,) int, K where its scores are not finite."""
    return _first(scores.logits)


def prediction_names(scores: Scores) -> tuple[str, ...]:
    """What `predictions` count: the class names, and a word for what has no class."""
    return (*scores.class_names, NO_CLASS)


def column_names(class_names: Sequence[str], confusion: np.ndarray) -> tuple[str, ...]:
    """What the columns of a `confusion_matrix` count: the classes, and what has none if there is such."""
    return (*class_names, NO_CLASS)[: confusion.shape[1]]


def sureness(scores: Scores) -> np.ndarray:
    """The probability of what each sample is taken for: (N,) float64, NaN where its scores are not finite."""
    return np.exp(log_probabilities(scores).max(axis=1))


def top_k(scores: Scores, k: int) -> float:
    """The fraction of samples whose true class is among the first `k` (all, if there are fewer)."""
    found = (_ranked(scores.logits)[:, :k] == scores.labels[:, None]).any(axis=1)
    return float((found & _is_finite(scores.logits)).mean())


def log_probabilities(scores: Scores) -> np.ndarray:
    """Logarithm of the softmax: (N, K) float64."""
    logits = scores.logits.astype(np.float64)
    with np.errstate(invalid="ignore"):  # inf - inf: the result is not a number, as it should
        shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def cross_entropy(scores: Scores) -> np.ndarray:
    """The loss of each sample, without smoothing: (N,) float64."""
    return -np.take_along_axis(log_probabilities(scores), scores.labels[:, None], axis=1)[:, 0]


def confusion_matrix(scores: Scores) -> np.ndarray:
    """How many samples of true class i (rows) are taken for class j (columns): (K, K) int64.

    Where there are samples whose scores are not finite, a last column counts these: (K, K + 1).
    """
    classes = len(scores.class_names)
    pairs = scores.labels.astype(np.int64) * (classes + 1) + predictions(scores)
    counts = np.bincount(pairs, minlength=classes * (classes + 1)).reshape(classes, classes + 1)
    return counts if counts[:, -1].any() else counts[:, :-1]


def class_figures(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a confusion matrix says about each class.

    Args:
      confusion: of `confusion_matrix`.

    Returns:
      support: (K,) number of samples of the class.
      recall: (K,) fraction of these that are recognised; NaN for a class without samples.
      precision: (K,) fraction of right ones among all taken for this class; NaN where there are none.
    """
    right, support, taken = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)[: len(confusion)]
    with np.errstate(invalid="ignore"):
        return support, right / support, right / taken


def _ranked(logits: np.ndarray) -> np.ndarray:
    """The columns of each row from the highest value to the lowest; of rows that are not finite any order."""
    return np.argsort(-logits, axis=1, kind="stable")


def _first(logits: np.ndarray) -> np.ndarray:
    """The column of the highest value of each row: (N,), one that does not exist where none is finite."""
    return np.where(_is_finite(logits), logits.argmax(axis=1), logits.shape[1])


def _is_finite(logits: np.ndarray) -> np.ndarray:
    """Of which rows there is a softmax: (N,) bool. A class may be excluded by a score of -inf."""
    return np.isfinite(logits.max(axis=1))


def _mean(right: np.ndarray) -> float:
    return float(right.mean()) if right.size else math.nan


def _harmonic_mean(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b else 0.0

"""Several networks' scores of the same samples as one: joined by sample id, summed with weights."""

import functools
import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from tqdm import tqdm

from rgbd_jax.errors import UserError
from rgbd_jax.report.scores import Scores

# GAP (ICCV 2023) has the same weights for all of its data sets. The second sum is stated, but the program
# stops before it comes to it.
_PUBLISHED_DATA_SETS = ("nw_ucla", "ntu60", "ntu120")
_PUBLISHED_WEIGHTS = (
    {"joint": 1.0, "bone": 1.0},
    {"joint": 0.6, "bone": 0.6, "joint_motion": 0.4},
    {"joint": 0.8, "bone": 0.8, "joint_motion": 0.2, "bone_motion": 0.2},
)

# How many weightings a search tries at most.
_MOST_CANDIDATES = 4000
_SAMPLES_AT_ONCE = 16


def join(names: Sequence[str], files: Sequence[Scores], *, common: bool = False) -> list[Scores]:
    """The same samples of all files in the same order, that of their ids.

    Args:
      names: of the files, for messages.
      files: the scores, of the same classes.
      common: leave out samples that some file lacks.

    Raises:
      UserError: if the classes differ, the ids (unless `common`), or the label of a sample; if no sample is
        in all files.
    """
    first_name, first = names[0], files[0]
    for name, scores in zip(names, files, strict=True):
        check_classes(name, scores, first_name, first)
        if not common:
            _check_ids(name, scores, first_name, first)
    ids = functools.reduce(np.intersect1d, (scores.ids for scores in files))
    if not ids.size:
        raise UserError(
            f"{names[-1]}: no sample is in all {len(names)} files; its ids are like {files[-1].ids[0]}, "
            f"those of {first_name} like {first.ids[0]}"
        )
    joined = [_take(scores, ids) for scores in files]
    for name, scores in zip(names, joined, strict=True):
        different = np.flatnonzero(scores.labels != joined[0].labels)
        if different.size:
            raise UserError(
                f"{name}: {different.size} samples have another label than in {first_name}, the first is "
                f"{ids[different[0]]}: {_label(scores, different[0])}, not {_label(joined[0], different[0])}"
            )
    return joined


def combine(files: Sequence[Scores], weights: Sequence[float]) -> Scores:
    """The weighted sum of the logits of files that `join` gave, with what all of them say of themselves."""
    # In float64: the order of the files changes nothing but the last digits.
    logits = sum(
        weight * scores.logits.astype(np.float64) for weight, scores in zip(weights, files, strict=True)
    )
    streams = [scores.stream for scores in files]
    return replace(
        files[0],
        logits=logits.astype(np.float32),
        data_set=_only({scores.data_set for scores in files}),
        split=_only({scores.split for scores in files}),
        stream="+".join(streams) if all(streams) else "",
    )


def combine_streams(streams: Sequence[Scores]) -> Scores:
    """The sum of streams of the same samples in the same order with the default weights; it keeps them."""
    return replace(combine(streams, default_weights(streams)), streams=tuple(streams))


def default_weights(files: Sequence[Scores]) -> tuple[float, ...]:
    """The published weights of files that say to be streams of a published ensemble; otherwise all 1."""
    return published_weights(
        _only({scores.data_set for scores in files}), [scores.stream for scores in files]
    )


def published_weights(data_set: str, streams: Sequence[str]) -> tuple[float, ...]:
    """The published weights of the ensemble of these streams; all 1 where none is published."""
    if data_set in _PUBLISHED_DATA_SETS:
        for weights in _PUBLISHED_WEIGHTS:
            if sorted(weights) == sorted(streams):
                return tuple(weights[stream] for stream in streams)
    return (1.0,) * len(streams)


def search_weights(files: Sequence[Scores], start: Sequence[float]) -> tuple[float, ...]:
    """The weights with which most samples of files that `join` gave are recognised.

    Tried are `start` and a mesh of weights that sum to 1, in steps of 0.05 for up to four files, 0.1 for up
    to six, wider for more. Of equally good ones the nearest to `start` is taken.

    Returns:
      Weights that sum to 1, in the order of the files.
    """
    logits, labels = np.stack([scores.logits for scores in files]), files[0].labels
    # What every file recognises, every weighting recognises.
    undecided = (logits.argmax(axis=2) != labels).any(axis=0)
    logits, labels = logits[:, undecided], labels[undecided]
    origin = np.asarray(start, np.float64) / sum(start)
    candidates = np.concatenate([origin[None], _mesh(len(files))])
    right = np.zeros(len(candidates), np.int64)
    # A few samples at a time, all weightings at once: their sums stay near the processor.
    starts = range(0, len(labels), _SAMPLES_AT_ONCE)
    for first in tqdm(starts, desc="searching", unit="part", disable=None, leave=False):
        part = logits[:, first : first + _SAMPLES_AT_ONCE]
        sums = (candidates.astype(np.float32) @ part.reshape(len(part), -1)).reshape(-1, *part.shape[1:])
        right += np.count_nonzero(sums.argmax(axis=2) == labels[first : first + _SAMPLES_AT_ONCE], axis=1)
    best = candidates[right == right.max()]
    nearest = np.square(best - origin).sum(axis=1).argmin()
    return tuple(best[nearest].tolist())


def check_classes(name: str, scores: Scores, first_name: str, first: Scores) -> None:
    """UserError if two files are not of the same classes in the same order, the same of them held out."""
    if len(scores.class_names) != len(first.class_names):
        raise UserError(
            f"{name}: has {len(scores.class_names)} classes; {first_name} has {len(first.class_names)}"
        )
    for number, (found, allowed) in enumerate(zip(scores.class_names, first.class_names, strict=True)):
        if found != allowed:
            raise UserError(f"{name}: class {number} is {found!r}; in {first_name} it is {allowed!r}")
    if set(scores.held_out) != set(first.held_out):
        raise UserError(
            f"{name}: the classes held out from training are {', '.join(scores.held_out) or 'none'}; in"
            f" {first_name} they are {', '.join(first.held_out) or 'none'}"
        )


def _check_ids(name: str, scores: Scores, first_name: str, first: Scores) -> None:
    more, lacking = np.setdiff1d(scores.ids, first.ids), np.setdiff1d(first.ids, scores.ids)
    if more.size or lacking.size:
        raise UserError(
            f"{name}: has other samples than {first_name}: {more.size} more, {lacking.size} lacking, "
            f"the first is {(*more, *lacking)[0]}; --common joins those that all files have"
        )


def _take(scores: Scores, ids: np.ndarray) -> Scores:
    """The samples `ids`, in this order."""
    order = np.argsort(scores.ids)
    rows = order[np.searchsorted(scores.ids, ids, sorter=order)]
    return replace(scores.take(rows), branches={}, published=(), lengths=None)


def _mesh(num_files: int) -> np.ndarray:
    """All weights that are multiples of one step and sum to 1: (candidates, files)."""
    parts = next(
        parts
        for parts in (20, 10, 5, 4, 3, 2, 1)
        if math.comb(parts + num_files - 1, num_files - 1) <= _MOST_CANDIDATES or parts == 1
    )
    # Each weighting is a way to put dividers between the parts.
    dividers = itertools.combinations(range(parts + num_files - 1), num_files - 1)
    edges = np.array([(-1, *places, parts + num_files - 1) for places in dividers])
    return (np.diff(edges, axis=1) - 1) / parts


def _label(scores: Scores, sample: int) -> str:
    label = scores.labels[sample]
    return f"{label} ({scores.class_names[label]})"


def _only(words: set[str]) -> str:
    """The one word that all say, "" if they do not agree."""
    return words.pop() if len(words) == 1 else ""

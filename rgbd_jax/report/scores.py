"""Scores of a network on a data set, and the file that carries them: `scores.npz`, keyed by sample id."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from rgbd_jax.array_archive import ArrayArchive, Damaged
from rgbd_jax.errors import UserError
from rgbd_jax.files import replacing

_REQUIRED = ("ids", "logits", "labels", "class_names")
_OPTIONAL = ("data_set", "split", "stream")
_HELD_OUT = "held_out"  # also optional, a list


@dataclass(frozen=True)
class Scores:
    """What a network says about N samples of K classes.

    Attributes:
      ids: (N,) str, each sample once.
      logits: (N, K) float32.
      labels: (N,) int32, the true classes.
      class_names: K names, in the order of the logits.
      data_set, split, stream: where the samples come from and what of them was seen; "" if unknown.
      branches: logits of the network's branches by name, each like `logits`; empty if it has but one.
      published: sums of branches, by name, the best of which is the published figure.
      lengths: (N,) int32, how many frames each recording has; None if that is not said.
      streams: of an ensemble, the scores that it is the sum of; `write_scores` leaves them to files of their
        own.
      held_out: those of `class_names` that training has not seen.

    Raises:
      ValueError: if these do not fit together.
    """

    ids: np.ndarray
    logits: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]
    data_set: str = ""
    split: str = ""
    stream: str = ""
    branches: Mapping[str, np.ndarray] = field(default_factory=dict)
    published: tuple[tuple[str, ...], ...] = ()
    lengths: np.ndarray | None = None
    streams: tuple["Scores", ...] = ()
    held_out: tuple[str, ...] = ()

    def __post_init__(self):
        count, classes = self.ids.size, len(self.class_names)
        if self.ids.shape != (count,) or not count:
            raise ValueError(f"ids have shape {self.ids.shape}; a list of at least one is needed")
        if self.logits.shape != (count, classes):
            raise ValueError(
                f"logits have shape {self.logits.shape}, not {(count, classes)}"
                f" for {count} ids and {classes} class_names"
            )
        if self.labels.shape != (count,):
            raise ValueError(f"labels have shape {self.labels.shape}, not {(count,)} for {count} ids")
        if self.lengths is not None and self.lengths.shape != (count,):
            raise ValueError(f"lengths have shape {self.lengths.shape}, not {(count,)} for {count} ids")
        for name, kind, allowed in (
            ("ids", "U", "text"),
            ("logits", "f", "float"),
            ("labels", "iu", "integer"),
        ):
            found = getattr(self, name).dtype
            if found.kind not in kind:
                raise ValueError(f"{name} are of type {found}, not {allowed}")
        if outside := sorted({int(label) for label in self.labels if not 0 <= label < classes}):
            raise ValueError(f"labels {outside[:5]} lie outside 0 to {classes - 1}")
        if unknown := [name for name in self.held_out if name not in self.class_names]:
            raise ValueError(f"held_out names {unknown[0]!r}, which is none of the class_names")
        unique, counts = np.unique(self.ids, return_counts=True)
        if len(unique) < count:
            raise ValueError(f"id {unique[counts > 1][0]} occurs {counts.max()} times")

    def take(self, rows: np.ndarray) -> "Scores":
        """Some of the samples, by their places or as a mask (N,)."""
        return replace(
            self,
            ids=self.ids[rows],
            logits=self.logits[rows],
            labels=self.labels[rows],
            branches={name: logits[rows] for name, logits in self.branches.items()},
            lengths=None if self.lengths is None else self.lengths[rows],
            streams=tuple(part.take(rows) for part in self.streams),
        )


def write_scores(path: Path, scores: Scores) -> None:
    """Write a score file; read it with `read_scores`, or with `numpy.load`, no pickle inside.

    The logits of a branch, as `logits_<name>`, and `lengths` stand there for other programs; `read_scores`
    passes them over.
    """
    with replacing(path) as temporary:
        np.savez(
            temporary,
            ids=scores.ids,
            logits=scores.logits.astype(np.float32),
            labels=scores.labels.astype(np.int32),
            class_names=np.asarray(scores.class_names, np.str_),
            **{
                name: np.asarray(getattr(scores, name), np.str_)
                for name in (*_OPTIONAL, _HELD_OUT)
                if getattr(scores, name)
            },
            **({} if scores.lengths is None else {"lengths": scores.lengths}),
            **{f"logits_{name}": logits.astype(np.float32) for name, logits in scores.branches.items()},
        )


def read_scores(path: Path) -> Scores:
    """Read a score file, ours or another program's.

    Raises:
      UserError: if it is no score file, lacks something, does not fit together, or is not finite.
    """
    try:
        with ArrayArchive(path) as archive:
            wanted = (*_REQUIRED, *_OPTIONAL, _HELD_OUT)
            arrays = {name: archive.read(name) for name in wanted if name in archive}
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such score file") from None
    except (OSError, Damaged) as error:
        raise UserError(f"{path}: is no score file (.npz with {', '.join(_REQUIRED)}): {error}") from error
    if missing := [name for name in _REQUIRED if name not in arrays]:
        raise UserError(f"{path}: lacks {', '.join(missing)}; a score file has {', '.join(_REQUIRED)}")
    for name, ndim in (("class_names", 1), (_HELD_OUT, 1), *((name, 0) for name in _OPTIONAL)):
        if name in arrays and (arrays[name].ndim != ndim or arrays[name].dtype.kind != "U"):
            found, needed = arrays[name], ("one text", "a list of texts")[ndim]
            raise UserError(f"{path}: {name} is {found.dtype} {found.shape}; {needed} is needed")
    try:
        with np.errstate(over="ignore"):  # is not finite then
            logits = (
                arrays["logits"].astype(np.float32)
                if arrays["logits"].dtype.kind == "f"
                else arrays["logits"]
            )
        scores = Scores(
            ids=arrays["ids"],
            logits=logits,
            labels=arrays["labels"],
            class_names=tuple(map(str, arrays["class_names"])),
            held_out=tuple(map(str, arrays.get(_HELD_OUT, ()))),
            **{name: str(arrays[name]) for name in _OPTIONAL if name in arrays},
        )
    except (TypeError, ValueError) as error:
        raise UserError(f"{path}: {error}") from error
    faulty = scores.ids[~np.isfinite(scores.logits).all(axis=1)]
    if len(faulty):
        raise UserError(
            f"{path}: {len(faulty)} samples have scores that are not finite, the first is {faulty[0]}"
        )
    return replace(scores, labels=scores.labels.astype(np.int32))

"""What a network finds in recordings: the result of a prediction, and its forms for people and programs."""

import csv
import dataclasses
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from rgbd_jax.files import to_json
from rgbd_jax.report.timeline import Segment


@dataclasses.dataclass(frozen=True, eq=False)
class Prediction:
    """What is done in one clip.

    Attributes:
      classes: the K names, in the order of the scores.
      logits: (K,) float32.
      probabilities: (K,) float32, their softmax.
    """

    classes: tuple[str, ...]
    logits: np.ndarray
    probabilities: np.ndarray

    @classmethod
    def of(cls, classes: tuple[str, ...], logits: np.ndarray) -> "Prediction":
        """From the logits alone."""
        powers = np.exp(logits - logits.max())
        return cls(classes, logits, powers / powers.sum())

    def top(self, count: int = 5) -> list[tuple[str, float]]:
        """The most probable classes and their probabilities, the best first; of equals the first in order."""
        order = np.argsort(-self.probabilities, kind="stable")[:count]
        return [(self.classes[label], float(self.probabilities[label])) for label in order]


@dataclasses.dataclass(frozen=True)
class Result:
    """What was found in a recording.

    Attributes:
      name: of the recording.
      num_frames, seconds: its length.
      top: classes and their probabilities; empty if there are segments.
      segments: of a long recording.
    """

    name: str
    num_frames: int
    seconds: float
    top: Sequence[tuple[str, float]] = ()
    segments: Sequence[Segment] = ()


def as_table(results: Sequence[Result]) -> str:
    """For people."""
    return "\n".join(line for result in results for line in _table_lines(result)) + "\n"


def as_json(results: Sequence[Result]) -> str:
    """A list of objects, one a recording, with the key `top` or `timeline`."""
    return to_json(list(map(_object, results)), indent=2) + "\n"


def as_csv(results: Sequence[Result]) -> str:
    """A line for each class of a clip, and for each segment of a long recording; times are in seconds."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("input", "start", "end", "rank", "class", "probability"))
    for result in results:
        for rank, (name, probability) in enumerate(result.top, start=1):
            writer.writerow((result.name, 0, f"{result.seconds:.3f}", rank, name, f"{probability:.6f}"))
        for start, end, name, probability in result.segments:
            writer.writerow((result.name, f"{start:.3f}", f"{end:.3f}", 1, name, f"{probability:.6f}"))
    return text.getvalue()


FORMATS = {"table": as_table, "json": as_json, "csv": as_csv}


def _table_lines(result: Result) -> list[str]:
    names = [name for name, _ in result.top] + [segment.class_name for segment in result.segments]
    width = max(map(len, names))
    lines = [f"{result.name}: {result.num_frames} frames, {result.seconds:.1f} s"]
    for rank, (name, probability) in enumerate(result.top, start=1):
        lines.append(f"{rank:>4}  {name:<{width}}  {100 * probability:5.1f} %")
    for start, end, name, probability in result.segments:
        lines.append(f"{start:8.1f} s to {end:8.1f} s  {name:<{width}}  {100 * probability:5.1f} %")
    return lines


def _object(result: Result) -> dict[str, Any]:
    found = {"input": result.name, "frames": result.num_frames, "seconds": result.seconds}
    if result.segments:
        keys = ("start", "end", "class", "probability")
        return found | {"timeline": [dict(zip(keys, segment, strict=True)) for segment in result.segments]}
    return found | {"top": [{"class": name, "probability": value} for name, value in result.top]}

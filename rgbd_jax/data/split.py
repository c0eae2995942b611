"""One split of a prepared data set, as the loader sees it: records that can be made rows of a batch."""

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np

from rgbd_jax.data.records import Record

Row = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Split(abc.ABC):
    """What all data sets have; what a clip consists of is known to the subclass of its modality.

    Attributes:
      name: the data set.
      version: of its records; another version may hold other values.
      split: the split.
      source: the records by index, each with `id` and `label`, and the clip.
      class_names: in label order.
      reads: whether making a row takes so long that threads or processes are worth their while.
    """

    reads: ClassVar[bool] = True

    name: str
    version: str
    split: str
    source: Sequence[Record]
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.source)

    @property
    def num_classes(self) -> int:
        """K."""
        return len(self.class_names)

    @property
    def identity(self) -> dict[str, Any]:
        """What must be the same when a run is resumed, ready for JSON."""
        return {
            "name": self.name,
            "version": self.version,
            "split": self.split,
            "num_samples": len(self),
            "class_names": list(self.class_names),
        }

    @property
    def channels(self) -> dict[str, int]:
        """Of video, those of the frames of each modality that is read."""
        return {}

    def take(self, numbers: Sequence[int]) -> Self:
        """Some of the records, by their numbers and in the order of these."""
        return dataclasses.replace(self, source=_Chosen(self.source, np.array(numbers, np.int64)))

    @abc.abstractmethod
    def clip_row(self, record: Record) -> Row:
        """The clip of a record as arrays that have one shape for all records of the data set.

        Where something is to be drawn, `record["seed"]` decides; it is absent in evaluation.

        Raises:
          FaultyClip: it cannot be decoded.
        """

    @abc.abstractmethod
    def sound_row(self, record: Record) -> Row:
        """The `clip_row` of a record of the data set, once it is known to be sound.

        Raises:
          FaultyClip: it is not, see `data.sound_clips`.
        """

    @abc.abstractmethod
    def empty_clip(self) -> Record:
        """The clip of no sample, as a record holds it: it pads the last batch of an evaluation."""


class _Chosen(Sequence[Record]):
    """Some of the records, by their numbers. It can be sent to other processes."""

    def __init__(self, source: Sequence[Record], numbers: np.ndarray):
        self._source = source
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: int) -> Record:
        return self._source[int(self._numbers[index])]

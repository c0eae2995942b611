"""Skeleton clips that are read once, for the devices' memory; rows of a batch only say which clip it is."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
from tqdm import tqdm

from rgbd_jax.data.records import Record
from rgbd_jax.data.skeleton_split import SkeletonSplit
from rgbd_jax.data.sound_clips import FaultyClip
from rgbd_jax.data.split import Row
from rgbd_jax.errors import OutsideError


class PackedClips(NamedTuple):
    """The clips of a split and, as the last one, that of no sample, which has no frames.

    Attributes:
      joints: the frames of all clips, one after another, float32 (F, M, V, C); then zeros, so that from the
        start of each on there are as many frames as the longest has.
      first, num_frames: where in them a clip begins and how long it is, int32 (N + 1,).
    """

    joints: np.ndarray
    first: np.ndarray
    num_frames: np.ndarray


@dataclasses.dataclass(frozen=True)
class NumberedSplit(SkeletonSplit):
    """The records of a split without their clips; what is wrong with a clip is found and reported as in it.

    Attributes:
      faults: why clips cannot be used, by their number.
    """

    reads: ClassVar[bool] = False

    faults: dict[int, str] = dataclasses.field(default_factory=dict)

    def clip_row(self, record: Record) -> Row:
        """`clip` int32, the place of the clip in `PackedClips`."""
        return {"clip": np.int32(record["clip"])}

    def sound_row(self, record: Record) -> Row:
        """See `clip_row`."""
        if record["clip"] in self.faults:
            raise FaultyClip(self.faults[record["clip"]])
        return self.clip_row(record)

    def empty_clip(self) -> Record:
        return {"clip": len(self)}


def read_clips(split: SkeletonSplit, *, progress: bool = True) -> tuple[NumberedSplit, PackedClips]:
    """Read all clips of a split; of those that are faulty, nothing but what is wrong.

    Args:
      progress: whether to show how far it is.
    """
    records: list[Record | OutsideError] = []
    faults: dict[int, str] = {}
    clips = []
    numbers = tqdm(
        range(len(split)),
        desc=f"reading {split.name}, split {split.split}",
        unit="clip",
        disable=None if progress else True,
        leave=False,
    )
    for number in numbers:
        row = split.clip_row(split.empty_clip())
        try:
            record = split.source[number]
            records.append({"id": record["id"], "label": record["label"], "clip": number})
            row = split.sound_row(record)
        except OutsideError as error:
            records.append(error)
        except FaultyClip as fault:
            faults[number] = str(fault)
        clips.append(row["joints"][: row["num_frames"]].copy())
    lengths = np.array([*map(len, clips), 0], np.int32)
    beyond = np.zeros((split.max_frames, *clips[0].shape[1:]), np.float32)
    packed = PackedClips(
        np.concatenate([*clips, beyond]), np.cumsum(lengths, dtype=np.int32) - lengths, lengths
    )
    kept = {field.name: getattr(split, field.name) for field in dataclasses.fields(split)}
    return NumberedSplit(**kept | {"source": _Numbers(records)}, faults=faults), packed


class _Numbers(Sequence[Record]):
    """Records; those that could not be read raise the same error again. They can be sent to processes."""

    def __init__(self, records: list[Record | OutsideError]):
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> Record:
        record = self._records[index]
        if isinstance(record, OutsideError):
            raise record
        return record

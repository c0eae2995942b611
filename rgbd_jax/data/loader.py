"""From records to batches: shuffle, read, decode, pad. Everything else is done on the device.

The order of the samples and the random number each one carries depend on the seed alone: not on the number
of workers, nor on the number of processes, which share every global batch by rows. Only where clips are left
out because they are faulty does the place of those after them depend on the number of processes.

Faults are found where a clip is read, in a worker if there are some. There it becomes a row that says why,
which the process that trains or evaluates takes out and reports: all is said and counted in one place.
"""

import dataclasses
import os
from collections.abc import Iterator, Mapping
from typing import Any

import grain
import numpy as np

from rgbd_jax.allocator import keep_freed_memory, share_one_heap
from rgbd_jax.data.builders import BUILDERS, builder_class, reading_of
from rgbd_jax.data.clip_errors import ClipErrors
from rgbd_jax.data.held_out import without_classes
from rgbd_jax.data.records import Record
from rgbd_jax.data.sound_clips import FaultyClip, check_label
from rgbd_jax.data.split import Row, Split
from rgbd_jax.errors import OutsideError, UserError

Batch = dict[str, np.ndarray]

# Read by threads where there are no workers; decoding lets them run side by side.
READ_THREADS = min(4, os.cpu_count() or 1)

# In place of a record, where the last batch of an evaluation needs more than there are.
_PADDING: Record = {"id": b"", "label": 0, "mask": False}


def is_prepared(name: str, data_dir: str | os.PathLike) -> bool:
    """Whether the records of the data set `name` lie in `data_dir`."""
    return name in BUILDERS and BUILDERS[name].is_prepared(data_dir)


def open_configured_split(data: Mapping[str, Any], split: str) -> Split:
    """Open a split as `config.data` says; see `open_split`."""
    return open_split(data["name"], data["data_dir"], split, limit=data["limit"], **reading_of(data))


def open_training_split(data: Mapping[str, Any]) -> Split:
    """The split that `config.data` trains on: of its first `limit` clips those of the classes that are not
    held out. Errors are those of `open_split` and `without_classes`."""
    return without_classes(open_configured_split(data, data["train_split"]), data["held_out"])


def open_split(
    name: str, data_dir: str | os.PathLike, split: str, *, limit: int = 0, **reading: Any
) -> Split:
    """Open a split of a prepared data set; a data set that is generated is prepared first if need be.

    Args:
      name: one of `BUILDERS`.
      data_dir: the folder of all prepared data sets.
      split: such as `train` or `test`.
      limit: take only so many of the first samples; 0 takes all, as does a number larger than there are.
      reading: how clips are read, where this kind of data set has a choice: of video `modalities` and
        `num_frames`.

    Raises:
      UserError: the data set or the split does not exist, is not prepared, or is damaged.
    """
    dataset = builder_class(name)
    if not dataset.is_prepared(data_dir):
        if dataset.NEEDS_SOURCE:
            raise UserError(
                f"{dataset.folder(data_dir)}: {name} is not prepared there; "
                f"run python -m rgbd_jax.prepare {name} --source=DIR --data_dir={data_dir}"
            )
        dataset(data_dir=data_dir).prepare()
    return dataset.open_split(data_dir, split, limit=limit, **reading)


def steps_per_epoch(split: Split, *, batch_size: int, repeat: int = 1) -> int:
    """Full batches in one pass over `repeat` copies of the split; the remainder is dropped.

    Raises:
      UserError: there is not even one.
    """
    steps = len(split) * repeat // batch_size
    if steps == 0:
        raise UserError(
            f"batch_size={batch_size} is more than one epoch of {split.name}, split {split.split}, holds "
            f"({len(split)} clips, repeat={repeat}); allowed is at most {len(split) * repeat}"
        )
    return steps


def training_batches(
    split: Split,
    *,
    batch_size: int,
    seed: int,
    num_workers: int = 0,
    repeat: int = 1,
    process_index: int = 0,
    process_count: int = 1,
    errors: ClipErrors | None = None,
) -> "Batches":
    """Batches without end, newly shuffled in every epoch of `steps_per_epoch` batches.

    Args:
      batch_size: rows of the global batch; each process gets `batch_size / process_count` of them.
      seed: of the order and of the samples' random numbers.
      num_workers: processes that read; 0 reads in `READ_THREADS` threads of this one, or at once where there
        is nothing to read.
      repeat: how many copies of the split make an epoch.
      process_index: which rows: the global batch is the processes' rows one after another.
      process_count: how many processes share the global batch.
      errors: what is done about faulty clips; without it, they end the run. Clips that are left out are
        missing from the order before batches are cut from it: batches stay full.

    Returns:
      An iterator over dicts of arrays of B = batch_size / process_count rows: what the data set's `clip_row`
      gives, and `label` int32 (B,); `id` str (B,); `mask` bool (B,), True;
      `seed` uint32 (B,), one random number for each sample drawn.
      Its `get_state` and `set_state` resume exactly; a state belongs to the number of workers it was taken
      with.

    Raises:
      UserError: the batch is larger than an epoch or does not divide among the processes.
      OutsideError: when a clip that must not be left out is faulty, or a worker is lost.
    """
    steps = steps_per_epoch(split, batch_size=batch_size, repeat=repeat)
    rows = _local_rows(batch_size, process_count)
    dataset = grain.MapDataset.source(_Guarded(split, len(split))).seed(seed).repeat(repeat).shuffle()
    dataset = dataset[: steps * batch_size].random_map(DrawSeed()).map(ToRow(split))
    dataset = _ProcessRows(dataset, rows, process_index, process_count).repeat()
    stream = _read(dataset, split, rows, num_workers).filter(LeaveOut(errors or ClipErrors(), len(split)))
    return Batches(stream.batch(rows, drop_remainder=True))


def evaluation_batches(
    split: Split,
    *,
    batch_size: int,
    num_workers: int = 0,
    process_index: int = 0,
    process_count: int = 1,
    errors: ClipErrors | None = None,
) -> "Batches":
    """Every sample once, in the order of the records, in the same number of batches in every process.

    The arguments and the batches are those of `training_batches`. The last global batch is filled up with
    rows of zeros whose `mask` is False and whose `id` is empty; so are the places of clips that are left out.
    `seed` is 0 everywhere.
    """
    rows = _local_rows(batch_size, process_count)
    num_batches = -(-len(split) // batch_size)
    dataset = grain.MapDataset.source(_Guarded(split, num_batches * batch_size)).map(ToRow(split))
    dataset = _ProcessRows(dataset, rows, process_index, process_count)
    stream = _read(dataset, split, rows, num_workers).map(Blank(errors or ClipErrors(), split))
    return Batches(stream.batch(rows))


class Batches(Iterator[Batch]):
    """Grain's iterator; a worker that is lost is trouble from outside."""

    def __init__(self, stream: grain.IterDataset[Batch]):
        self._batches = iter(stream)

    def __next__(self) -> Batch:
        try:
            return next(self._batches)
        except RuntimeError as error:
            # Grain has no class for it. The code of what a signal ends is negative; others are our own bugs.
            if "terminated unexpectedly with exit code -" not in str(error):
                raise
            raise OutsideError("a process that reads clips was lost, such as to a lack of memory") from error

    def get_state(self) -> dict[str, Any]:
        return self._batches.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        self._batches.set_state(state)


class DrawSeed(grain.transforms.RandomMap):
    """Gives a record its random number, from the seed and the record's place in the endless order."""

    def random_map(self, record: Record, rng: np.random.Generator) -> Record:
        return {**record, "seed": rng.integers(2**32, dtype=np.uint32)}


@dataclasses.dataclass(frozen=True)
class ToRow(grain.transforms.Map):
    """Turns a record into one row of a batch; that of a faulty clip into `id` and `fault`, which says why."""

    split: Split

    def map(self, record: Record) -> Row:
        name = record["id"].decode()
        if "fault" in record:
            return {"id": np.str_(name), "fault": np.str_(record["fault"])}
        if not record.get("mask", True):
            return _padding_row(self.split)
        try:
            check_label(record["label"], self.split.num_classes)
            clip = self.split.sound_row(record)
        except FaultyClip as fault:
            reason = f"{self.split.name}, split {self.split.split}, clip {name}: cannot be used ({fault})"
            return {"id": np.str_(name), "fault": np.str_(reason)}
        return row_of(record, clip)


def row_of(record: Record, clip: Row) -> Row:
    """The row of a batch with this clip of a record."""
    return {
        **clip,
        "label": np.int32(record["label"]),
        "seed": np.uint32(record.get("seed", 0)),
        "mask": np.bool_(record.get("mask", True)),
        "id": np.str_(record["id"].decode()),
    }


@dataclasses.dataclass(frozen=True)
class LeaveOut(grain.transforms.Filter):
    """Leaves out the rows of faulty clips, of a split of so many clips."""

    errors: ClipErrors
    num_clips: int

    def filter(self, row: Row) -> bool:
        if "fault" in row:
            self.errors.report(str(row["id"]), str(row["fault"]), of=self.num_clips)
        return "fault" not in row


@dataclasses.dataclass(frozen=True)
class Blank(grain.transforms.Map):
    """Puts a row of zeros, as padding is, in the place of one of a faulty clip."""

    errors: ClipErrors
    split: Split

    def map(self, row: Row) -> Row:
        if "fault" not in row:
            return row
        self.errors.report(str(row["id"]), str(row["fault"]), of=len(self.split))
        return _padding_row(self.split)


class _Guarded:
    """The records of a split, then padding up to a given length; for a damaged one, what is wrong with it."""

    def __init__(self, split: Split, length: int):
        self._split = split
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Record:
        if index >= len(self._split):
            return _PADDING
        try:
            return self._split.source[index]
        except OutsideError as error:
            name = f"record {index} of {self._split.split}"
            return {"id": name.encode(), "fault": str(error)}


class _ProcessRows(grain.MapDataset[Row]):
    """The rows of one process: a global batch is the rows of the processes one after another."""

    def __init__(self, parent: grain.MapDataset, rows: int, process_index: int, process_count: int):
        super().__init__(parent)
        self._rows = rows
        self._process_index = process_index
        self._process_count = process_count

    def __len__(self) -> int:
        return len(self._parent) // self._process_count

    def __getitem__(self, index: int) -> Row:
        batch, row = divmod(index, self._rows)
        return self._parent[(batch * self._process_count + self._process_index) * self._rows + row]


def _padding_row(split: Split) -> Row:
    return row_of(_PADDING, split.clip_row(split.empty_clip()))


def _local_rows(batch_size: int, process_count: int) -> int:
    if batch_size % process_count:
        raise UserError(
            f"batch_size={batch_size} is not divisible by the {process_count} processes that share it"
        )
    return batch_size // process_count


def _read(dataset: grain.MapDataset, split: Split, rows: int, num_workers: int) -> grain.IterDataset:
    """The rows in order, those of two batches read ahead, by all workers together."""
    threads = 0 if not split.reads else 1 if num_workers else READ_THREADS
    ahead = -(-2 * rows // max(num_workers, 1))
    stream = dataset.to_iter_dataset(grain.ReadOptions(num_threads=threads, prefetch_buffer_size=ahead))
    if num_workers:
        options = grain.MultiprocessingOptions(num_workers=num_workers)
        stream = stream.mp_prefetch(options, worker_init_fn=_start_worker)
    return stream


def _start_worker(index: int, count: int) -> None:
    """What a process that reads does first: clips are of one size, and need the memory of those before."""
    del index, count
    share_one_heap()
    keep_freed_memory()

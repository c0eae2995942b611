"""From records to batches: shuffle, read, pad. Everything else is done on the device.

The order of the samples and the random number each one carries depend on the seed alone: not on the number
of workers, nor on the number of processes, which share every global batch by rows.
"""

import dataclasses
import os
from collections.abc import Iterator

import grain
import numpy as np

from rgbd_jax.data.builders import BUILDERS, builder_class
from rgbd_jax.data.records import Record
from rgbd_jax.data.split import Row, Split
from rgbd_jax.errors import UserError

Batch = dict[str, np.ndarray]


def is_prepared(name: str, data_dir: str | os.PathLike) -> bool:
    """Whether the records of the data set `name` lie in `data_dir`."""
    return name in BUILDERS and BUILDERS[name].is_prepared(data_dir)


def open_split(name: str, data_dir: str | os.PathLike, split: str, *, limit: int = 0) -> Split:
    """Open a split of a prepared data set; a data set that is generated is prepared first if need be.

    Args:
      name: one of `BUILDERS`.
      data_dir: the folder of all prepared data sets.
      split: `train` or `test`.
      limit: take only so many of the first samples; 0 takes all, as does a number larger than there are.

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
    return dataset.open_split(data_dir, split, limit=limit)


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
) -> grain.DatasetIterator[Batch]:
    """Batches without end, newly shuffled in every epoch of `steps_per_epoch` batches.

    Args:
      batch_size: rows of the global batch; each process gets `batch_size / process_count` of them.
      seed: of the order and of the samples' random numbers.
      num_workers: processes that read; 0 reads in a thread of this one.
      repeat: how many copies of the split make an epoch.
      process_index: which rows: the global batch is the processes' rows one after another.
      process_count: how many processes share the global batch.

    Returns:
      An iterator over dicts of arrays of B = batch_size / process_count rows: what the data set's `clip_row`
      gives, and `label` int32 (B,); `id` str (B,); `mask` bool (B,), True;
      `seed` uint32 (B,), one random number for each sample drawn.
      Its `get_state` and `set_state` resume exactly; a state belongs to the number of workers it was taken
      with.

    Raises:
      UserError: the batch is larger than an epoch or does not divide among the processes.
    """
    steps = steps_per_epoch(split, batch_size=batch_size, repeat=repeat)
    dataset = grain.MapDataset.source(split.source).seed(seed).repeat(repeat).shuffle()
    dataset = dataset[: steps * batch_size].random_map(DrawSeed()).map(ToRow(split))
    # Cut into the rows of one process: a global batch is process_count such batches, one after another.
    dataset = dataset.batch(_local_rows(batch_size, process_count))[process_index::process_count].repeat()
    return _iterate(dataset, num_workers)


def evaluation_batches(
    split: Split,
    *,
    batch_size: int,
    num_workers: int = 0,
    process_index: int = 0,
    process_count: int = 1,
) -> Iterator[Batch]:
    """Every sample once, in the order of the records, in the same number of batches in every process.

    The arguments and the batches are those of `training_batches`. The last global batch is filled up with
    rows of zeros whose `mask` is False and whose `id` is empty; `seed` is 0 everywhere.
    """
    num_batches = -(-len(split) // batch_size)
    dataset = grain.MapDataset.source(_Filled(split, num_batches * batch_size))
    dataset = dataset.map(ToRow(split))
    dataset = dataset.batch(_local_rows(batch_size, process_count))[process_index::process_count]
    return _iterate(dataset, num_workers)


class DrawSeed(grain.transforms.RandomMap):
    """Gives a record its random number, from the seed and the record's place in the endless order."""

    def random_map(self, record: Record, rng: np.random.Generator) -> Record:
        return {**record, "seed": rng.integers(2**32, dtype=np.uint32)}


@dataclasses.dataclass(frozen=True)
class ToRow(grain.transforms.Map):
    """Turns a record into one row of a batch."""

    split: Split

    def map(self, record: Record) -> Row:
        return {
            **self.split.clip_row(record),
            "label": np.int32(record["label"]),
            "seed": np.uint32(record.get("seed", 0)),
            "mask": np.bool_(record.get("mask", True)),
            "id": np.str_(record["id"].decode()),
        }


class _Filled:
    """The records of a split followed by empty ones up to a given length."""

    def __init__(self, split: Split, length: int):
        self._split = split
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Record:
        if index < len(self._split):
            return self._split.source[index]
        return {"id": b"", "label": 0, "mask": False, **self._split.empty_clip()}


def _local_rows(batch_size: int, process_count: int) -> int:
    if batch_size % process_count:
        raise UserError(
            f"batch_size={batch_size} is not divisible by the {process_count} processes that share it"
        )
    return batch_size // process_count


def _iterate(dataset: grain.MapDataset, num_workers: int) -> grain.DatasetIterator:
    # A thread reads a few batches ahead of the step. In a worker the same options hold.
    options = grain.ReadOptions(num_threads=1, prefetch_buffer_size=4)
    batches = dataset.to_iter_dataset(options)
    if num_workers:
        batches = batches.mp_prefetch(grain.MultiprocessingOptions(num_workers=num_workers))
    return iter(batches)

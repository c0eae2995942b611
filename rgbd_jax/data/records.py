"""Prepared records: checked when they are opened, then read one by one. What is damaged is named."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordReader
from tqdm import tqdm

from rgbd_jax.errors import OutsideError, UserError, one_line
from rgbd_jax.json_lines import parse_json

# Beside the records themselves, what reading needs.
_DESCRIPTION = ("dataset_info.json", "features.json", "metadata.json")

# Splits that overlap, such as two protocols of one data set, are stored in the parts that they share: the
# part that belongs to `a` and `b` is called `a__b`.
JOINT = "__"

Record = dict[str, Any]


class Records(Sequence[Record]):
    """The records of a split by index. It can be sent to other processes."""

    def __init__(self, source: Sequence[Record], length: int, *, name: str, split: str, folder: Path):
        """
        Args:
          source: reads a record.
          length: how many of the first records there are to be.
          name, split, folder: of the data set, for messages.
        """
        self._source = source
        self._length = length
        self._place = f"{folder}: {name}, split {split}"

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Record:
        """Read a record. OutsideError if it is damaged or the disk refuses."""
        if not 0 <= index < self._length:
            raise IndexError(index)
        try:
            record = self._source[index]
        except Exception as error:  # whatever reader and decoder raise: they have no class of errors for it
            raise self._damaged(index, one_line(error)) from error
        if missing := [feature for feature, value in record.items() if value is None]:
            raise self._damaged(index, f"no {', '.join(missing)}")
        return record

    def _damaged(self, index: int, reason: str) -> OutsideError:
        return OutsideError(
            f"{self._place}, record {index}: cannot be read ({reason}); remove the folder and prepare again"
        )


def open_records(folder: Path, split: str, *, limit: int = 0) -> tuple[tfds.core.DatasetInfo, Records]:
    """Open the records of a split, after a look at its files that does not read them through.

    Args:
      folder: of one prepared version of a data set.
      split: its split, stored as one or in parts.
      limit: take only so many of the first records; 0 takes all.

    Returns:
      What the data set says about itself, and its records.

    Raises:
      UserError: there is no such split, the limit is negative, or a file is missing, cut off, damaged or does
        not fit the others.
    """
    if limit < 0:
        raise UserError(f"limit={limit}: is no number of samples; 0 takes all")
    builder = _open(folder)
    splits = builder.info.splits
    parts = [name for name in splits if split in name.split(JOINT)]
    if not parts:
        raise UserError(f"{builder.name} has no split {split!r}; it has {', '.join(split_names(splits))}")
    for part in parts:
        for path, expected in zip(splits[part].filepaths, splits[part].shard_lengths, strict=True):
            found = _count_records(Path(path))
            if found != expected:
                raise damaged(Path(path), f"holds {found} records; dataset_info.json says {expected}")
    count = sum(splits[part].num_examples for part in parts)
    length = min(limit, count) if limit else count
    source = builder.as_data_source("+".join(parts))
    return builder.info, Records(source, length, name=builder.name, split=split, folder=folder)


def stored_splits(folder: Path) -> list[str]:
    """The splits of a prepared version of a data set. UserError if it is damaged."""
    return split_names(_open(folder).info.splits)


def find_record(folder: Path, sample_id: str) -> Record:
    """The record of a clip, whichever split it is in; the first, if splits use an id twice.

    Raises:
      UserError: there is none, or the data set is damaged.
      OutsideError: a record on the way cannot be read.
    """
    builder = _open(folder)
    sizes = {part: info.num_examples for part, info in builder.info.splits.items()}
    name = ""
    progress = tqdm(
        desc=f"looking for {sample_id}", total=sum(sizes.values()), unit="clip", disable=None, leave=False
    )
    with progress:
        for part, size in sizes.items():
            source = builder.as_data_source(part)
            for record in Records(source, size, name=builder.name, split=part, folder=folder):
                name = record["id"].decode()
                if name == sample_id:
                    return record
                progress.update()
    raise UserError(f"{folder}: there is no clip {sample_id}; clips are called such as {name}")


def split_names(stored: Iterable[str]) -> list[str]:
    """The splits that are stored under these names, each once, those for training first."""
    names = {name for parts in stored for name in parts.split(JOINT)}
    return sorted(names, key=lambda name: ("train" not in name, name))


def damaged(path: Path, reason: str) -> UserError:
    """The error that says that a file of a prepared data set cannot be used, and what to do."""
    return UserError(f"{path}: is damaged ({reason}); remove the folder {path.parent} and prepare again")


def _open(folder: Path) -> tfds.core.DatasetBuilder:
    for name in _DESCRIPTION:
        _check_json(folder / name)
    try:
        return tfds.builder_from_directory(folder)
    except Exception as error:  # of any class: it takes for granted what the files contain
        raise UserError(
            f"{folder}: dataset_info.json or features.json is damaged ({one_line(error)});"
            " remove the folder and prepare again"
        ) from error


def _check_json(path: Path) -> None:
    try:
        parse_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise damaged(path, error.strerror) from error
    except ValueError as error:  # bad JSON and bad UTF-8
        raise damaged(path, one_line(error)) from error


def _count_records(path: Path) -> int:
    """What the index at the end of the file says."""
    if not path.is_file():
        raise damaged(path, "there is no such file")
    try:
        reader = ArrayRecordReader(str(path), options="readahead_buffer_size:0")
        count = reader.num_records()
        reader.close()  # says what was wrong with the file
    except RuntimeError as error:
        raise damaged(path, one_line(error) or "no ArrayRecord file, or cut off") from error
    return count

"""NTU RGB+D as CTR-GCN's scripts (ICCV 2021) leave it: one `.npz` a protocol, clips padded with zeros.

    NTU60_CS.npz     x_train (n, T, 150), y_train (n, 60) one-hot, x_test, y_test; likewise the others

A row of 150 holds two bodies of 25 joints of x, y, z, cleaned and centred. The files say nothing of who is in
a clip: the ids are `train_<row>` and `test_<row>`, and a clip that two protocols share is there twice.
"""

import contextlib
import math
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from rgbd_jax.array_archive import ArrayArchive, Damaged, Header
from rgbd_jax.data.formats.ntu_skeleton import NUM_JOINTS
from rgbd_jax.data.formats.positions import NEEDED, are_positions
from rgbd_jax.data.left_out import LeftOut
from rgbd_jax.data.ntu.edition import Edition
from rgbd_jax.data.skeleton_sample import Sample
from rgbd_jax.errors import UserError, one_line

NUM_BODIES = 2
_COLUMNS = NUM_BODIES * NUM_JOINTS * 3
_PARTS = ("train", "test")


class Row(NamedTuple):
    """A clip of an archive."""

    path: Path
    protocol: str
    part: str
    number: int
    label: int

    def __str__(self) -> str:
        return f"{self.path}, x_{self.part}, row {self.number}"


class Archives:
    """The rows of archives, read one after another: the files are far larger than memory may be."""

    def __init__(self, paths: Sequence[Path], edition: Edition):
        """
        Args:
          paths: the archives.
          edition: what they hold.

        Raises:
          UserError: a file's name is not that of a protocol.
        """
        self._edition = edition
        self._protocols = {}
        for path in paths:
            if path.name not in edition.archives:
                raise UserError(
                    f"{path}: the name says no protocol; allowed are {', '.join(edition.archives)}"
                )
            self._protocols[path] = edition.protocols[edition.archives.index(path.name)]
        self._open: tuple[Path, str, Iterator[tuple[int, np.ndarray]]] | None = None

    def items(self) -> list[Row]:
        return [
            Row(path, protocol, part, number, int(label))
            for path, protocol in self._protocols.items()
            for part in _PARTS
            for number, label in enumerate(self._labels(path, part))
        ]

    def remarks(self) -> list[str]:
        return []

    def splits(self, row: Row) -> tuple[str, ...]:
        return (f"{row.protocol}_{row.part}",)

    def pool(self) -> Executor:
        return ThreadPoolExecutor(1)  # the rows lie in a row

    def read(self, row: Row) -> Sample:
        """Read a clip; those of one part must be asked for in their order.

        Raises:
          UserError: the archive is damaged, or a number is not finite.
          LeftOut: the clip is empty.
        """
        if self._open is None or self._open[:2] != (row.path, row.part):
            self._open = (row.path, row.part, _rows(row.path, f"x_{row.part}"))
        with _told(row.path):
            number, columns = next(self._open[2], (None, None))
        if columns is None:
            raise UserError(f"{row}: cannot be read, the archive is damaged before it")
        assert number == row.number, "rows are read in their order"
        if not are_positions(columns).all():
            raise UserError(f"{row}: a number is no position; {NEEDED}")
        joints = columns.reshape(-1, NUM_BODIES, NUM_JOINTS, 3)
        is_there = joints.any(axis=(1, 2, 3))
        if not is_there.any():
            raise LeftOut(f"{row}: is left out: it is empty")
        joints = joints[: is_there.nonzero()[0][-1] + 1]
        # One body, as this edition pads it: the loader does the same.
        padding = joints[:, 0] if self._edition.repeats_lone_body else 0
        if (joints[:, 1] == padding).all():
            joints = joints[:, :1]
        return Sample(str(row), f"{row.part}_{row.number}", self._edition.class_names[row.label], joints)

    def _labels(self, path: Path, part: str) -> np.ndarray:
        """Labels (n,) of as many clips as there are."""
        with _told(path), ArrayArchive(path) as archive:
            one_hot = archive.read(f"y_{part}")
            _, (shape, *_) = _rows_file(archive, f"x_{part}")
        if shape[1:2] == (0,) or len(shape) != 3 or shape[2] != _COLUMNS:
            raise UserError(f"{path}: x_{part} has the shape {shape}; (clips, frames, {_COLUMNS}) is needed")
        if one_hot.shape != (shape[0], self._edition.actions):
            raise UserError(
                f"{path}: y_{part} has the shape {one_hot.shape};"
                f" {(shape[0], self._edition.actions)} is needed for the clips of x_{part}"
            )
        is_one_hot = ((one_hot == 0) | (one_hot == 1)).all(axis=1) & (one_hot.sum(axis=1) == 1)
        if not is_one_hot.all():
            raise UserError(f"{path}: y_{part}, row {(~is_one_hot).argmax()}: is no one-hot label")
        return one_hot.argmax(axis=1)


def _rows(path: Path, name: str) -> Iterator[tuple[int, np.ndarray]]:
    """Each row of an array of an archive, float32, with its number."""
    with ArrayArchive(path) as archive:
        file, (shape, _, dtype) = _rows_file(archive, name)
        size = dtype.itemsize * math.prod(shape[1:])
        for number in range(shape[0]):
            content = file.read(size)
            if len(content) < size:
                raise EOFError(f"{name} ends in row {number}")
            with np.errstate(over="ignore"):  # is not finite then
                columns = np.frombuffer(content, dtype).reshape(shape[1:]).astype(np.float32)
            yield number, columns


def _rows_file(archive: ArrayArchive, name: str) -> tuple[BinaryIO, Header]:
    """The numbers of an array, row by row, and what it is said to be. Damaged if it is of another kind."""
    file, header = archive.open(name)
    if header.is_fortran or header.dtype.kind != "f":
        order = "Fortran" if header.is_fortran else "C"
        raise Damaged(f"an array of type {header.dtype} in {order} order")
    return file, header


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Makes what reading an archive raises a UserError."""
    try:
        yield
    except (OSError, EOFError, Damaged, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(
            f"{path}: is no archive of x_train, y_train, x_test, y_test ({one_line(error)})"
        ) from error

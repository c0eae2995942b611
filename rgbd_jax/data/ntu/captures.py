"""NTU RGB+D as published: a folder of `.skeleton` files, read by all cores."""

import dataclasses
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path

import numpy as np

from rgbd_jax.allocator import keep_freed_memory
from rgbd_jax.data.formats.ntu_skeleton import read_ntu_skeleton
from rgbd_jax.data.in_place import InPlace
from rgbd_jax.data.journal import Journal
from rgbd_jax.data.left_out import LeftOut
from rgbd_jax.data.ntu.actors import NoActor, centre, find_actors
from rgbd_jax.data.ntu.edition import NTU120, WHY_MISSING, Edition, missing_captures
from rgbd_jax.data.skeleton_sample import Sample
from rgbd_jax.errors import UserError

# The source itself; and as the archives unpack, setups 1 to 17 and 18 to 32.
_FOLDERS = (".", "nturgb+d_skeletons", "nturgb+d_skeletons120")

CORES = len(os.sched_getaffinity(0))


@dataclasses.dataclass(frozen=True, eq=False)
class CaptureSample(Sample):
    """A capture that was read, and the key under which a journal keeps its joints."""

    key: str


@dataclasses.dataclass(frozen=True)
class Captures:
    """The captures below a folder. It can be sent to other processes.

    Attributes:
      root: the folder.
      edition: what is to be there.
    """

    root: Path
    edition: Edition

    def exist(self) -> bool:
        """Whether the folder is such a source."""
        return any(True for _ in self._files())

    def items(self) -> list[Path]:
        """The files that are to be read, by their names in order.

        Those whose names are of no known form are among them: reading says what is wrong.
        """
        paths = (path for path in self._files() if not self._belongs_elsewhere(path))
        return sorted((path for path in paths if not _is_missing(path)), key=lambda path: path.name)

    def remarks(self) -> list[str]:
        """One line on each kind of files that are not read."""
        elsewhere = sum(map(self._belongs_elsewhere, self._files()))
        missing = sum(_is_missing(path) and not self._belongs_elsewhere(path) for path in self._files())
        remarks = []
        if missing:
            remarks.append(f"{self.root}: left out {missing} captures {WHY_MISSING}")
        if elsewhere:
            remarks.append(
                f"{self.root}: left out {elsewhere} captures of setups above {self.edition.setups},"
                " which this data set does not have"
            )
        return remarks

    def splits(self, path: Path) -> tuple[str, ...]:
        """The split of each protocol. UserError if the file has no proper name."""
        return self.edition.splits(self.edition.capture(path.stem, str(path)))

    def read(self, path: Path) -> CaptureSample:
        """Read, clean and centre one capture.

        Raises:
          UserError: it is faulty.
          LeftOut: nobody acts in it.
        """
        key = _key(path)  # before it is read: if it changes meanwhile, it is read again
        try:
            joints = centre(find_actors(read_ntu_skeleton(path)))
        except NoActor as reason:
            raise LeftOut(f"{path}: is left out: {reason}") from reason
        return self._sample(path, key, joints)

    def recall(self, path: Path, journal: Journal) -> CaptureSample | None:
        """A capture as it was read before, if a journal has it and its file has not changed since."""
        try:
            key = _key(path)
        except UserError:  # reading says so
            return None
        joints = journal.find(key)
        return None if joints is None else self._sample(path, key, joints)

    def pool(self) -> Executor:
        """A process for each core that may be used, where there are several."""
        if CORES == 1:
            keep_freed_memory()
            return InPlace()
        # Not forked: threads may hold locks here.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(CORES, mp_context=context, initializer=_start_reader)

    def _files(self) -> Iterator[Path]:
        return (path for folder in _FOLDERS for path in (self.root / folder).glob("*.skeleton"))

    def _belongs_elsewhere(self, path: Path) -> bool:
        """Whether it is of a setup that only the larger edition has."""
        setup = path.stem[1:4]
        return setup.isdigit() and self.edition.setups < int(setup) <= NTU120.setups

    def _sample(self, path: Path, key: str, joints: np.ndarray) -> CaptureSample:
        capture = self.edition.capture(path.stem, str(path))
        class_name = self.edition.class_names[capture.action - 1]
        return CaptureSample(str(path), capture.name, class_name, joints, key)


def _key(path: Path) -> str:
    """Another one if the file has changed in between."""
    try:
        status = path.stat()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    return f"{path.stem}-{status.st_size}-{status.st_mtime_ns}"


def _is_missing(path: Path) -> bool:
    return path.stem in missing_captures()


def _start_reader() -> None:
    keep_freed_memory()
    _follow_parent()


def _follow_parent() -> None:
    """End with the process that is read for: without this, readers outlive one that is killed."""
    # From the keyboard it comes to all, and the parent sees to it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()

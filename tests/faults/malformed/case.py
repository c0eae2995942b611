"""What a case of malformed input is: a function that makes the bad thing and says with which arguments."""

import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Given(NamedTuple):
    """What is in order and may be used by all cases; none may change it.

    Attributes:
      configs: the folder of the configs.
      data: prepared data sets, `synthetic` and `custom`.
      joints, colour: runs with one checkpoint each, of small networks.
      scores: a score file of three samples of the classes `wave` and `sit`.
    """

    configs: Path
    data: Path
    joints: Path
    colour: Path
    scores: Path


Make = Callable[[Path, Given], Iterable[str | Path]]


class Case(NamedTuple):
    """A command line that must be refused.

    Attributes:
      command: the module, without the package.
      says: a regular expression for a part of what must be said.
      make: is called with the folder that is the case's own, and current.
      slow: what is wrong is found when a network was built.
    """

    command: str
    says: str
    make: Make
    slow: bool

    @property
    def name(self) -> str:
        return f"{self.command}: {self.make.__name__.replace('_', ' ')}"


CASES: list[Case] = []


def case(command: str, says: str, *, slow: bool = False) -> Callable[[Make], Make]:
    """Adds the function that follows to the cases."""

    def add(make: Make) -> Make:
        CASES.append(Case(command, says, make, slow))
        return make

    return add


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def pack(path: Path, members: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    """An archive of files with this content."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def npy(header: Mapping[str, Any], content: bytes = b"") -> bytes:
    """An array file that says of itself what the header says."""
    text = f"{dict(header)}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content


def numbers(shape: tuple[int, ...], dtype: str = "<f4", content: bytes = b"") -> bytes:
    """An array file of this shape, however much of it there is."""
    return npy({"descr": dtype, "fortran_order": False, "shape": shape}, content)


def archive_of(path: Path, **arrays: Any) -> Path:
    np.savez(path, **{name: np.asarray(array) for name, array in arrays.items()})
    return path

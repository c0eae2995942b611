"""NumPy's archives of arrays, `.npz`, from anywhere: numbers and text, and no more memory than they fill."""

import math
import zipfile
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

import numpy as np

# Of an array that is read as a whole. A small file may unpack to a thousand times its size.
LARGEST = 4 * 2**30  # bytes

_ENDING = ".npy"
_READ_HEADER = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class Damaged(Exception):
    """Says, in one line, why an archive or an array in it cannot be read."""


class Header(NamedTuple):
    """What an array is said to be."""

    shape: tuple[int, ...]
    is_fortran: bool
    dtype: np.dtype


class ArrayArchive:
    """An archive that is open to be read; a context manager.

    Unlike `numpy.load` it makes no room for an array that the file does not have, and fails in one way.

    Attributes:
      names: of the arrays.
    """

    def __init__(self, path: Path):
        """
        Raises:
          OSError: the file cannot be read.
          Damaged: it is no archive.
        """
        self._file = path.open("rb")
        try:
            self._archive = zipfile.ZipFile(self._file)
        except Exception as error:  # a damaged archive can fail in any way
            self._file.close()
            raise _damaged(error) from error
        self.names = tuple(
            name.removesuffix(_ENDING) for name in self._archive.namelist() if name.endswith(_ENDING)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()
        self._file.close()

    def __contains__(self, name: str) -> bool:
        return name in self.names

    def open(self, name: str) -> tuple[BinaryIO, Header]:
        """A file that stands at the first number of an array, and what the array is said to be.

        Raises:
          Damaged: there is no such array, it holds objects, or its size does not fit what it is said to be.
        """
        member = name + _ENDING
        try:
            stated = self._archive.getinfo(member).file_size
            file = self._archive.open(member)
            version = np.lib.format.read_magic(file)
            if version not in _READ_HEADER:
                raise Damaged(f"{member} is of version {version} of its format")
            header = Header(*_READ_HEADER[version](file))
        except Damaged:
            raise
        except Exception as error:
            raise _damaged(error) from error
        if header.dtype.hasobject:
            raise Damaged(f"{member} holds objects of Python; numbers and text are read")
        length = stated - file.tell()
        if min(header.shape, default=0) < 0 or math.prod(header.shape) * header.dtype.itemsize != length:
            raise Damaged(f"{member} is not as long as {header.dtype} {header.shape}")
        # What takes no bytes could be any number: texts without letters, rows without columns.
        if not length and math.prod(header.shape[:1]):
            raise Damaged(f"{member} has nothing in its {header.dtype} {header.shape}")
        return file, header

    def read(self, name: str) -> np.ndarray:
        """An array.

        Raises:
          Damaged: see `open`; or it is damaged or larger than `LARGEST`.
        """
        file, header = self.open(name)
        size = math.prod(header.shape) * header.dtype.itemsize
        if size > LARGEST:
            raise Damaged(f"{name}{_ENDING} has {size} bytes; up to {LARGEST} are read")
        try:
            content = file.read()
            array = np.frombuffer(content, header.dtype) if size else np.empty(header.shape, header.dtype)
            return array.reshape(header.shape, order="F" if header.is_fortran else "C")
        except Exception as error:
            raise _damaged(error) from error


def _damaged(error: Exception) -> Damaged:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return Damaged(" ".join(reason.split()) or type(error).__name__)

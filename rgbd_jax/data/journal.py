"""What a long reading has found, kept on the way, so that it can go on where it was stopped."""

import json
import os
import struct
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

import numpy as np

from rgbd_jax.json_lines import parse_json

# Of an entry: the checksum of what follows, the bytes of its name, the bytes of its array.
_HEADER = struct.Struct("<IHI")


class _Place(NamedTuple):
    """Where an entry stands: the file, and where in it the entry begins."""

    path: Path
    offset: int


class Journal:
    """Arrays by key in a folder, which is made with the first of them.

    Each journal that is opened there finds what those before it have kept, and adds to a file of its own.
    That file only grows: where it was stopped its end may be missing, and all before that is whole.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._file: BinaryIO | None = None
        paths = folder.iterdir() if folder.is_dir() else ()
        by_age = sorted(paths, key=lambda path: path.stat().st_mtime_ns)  # what was damaged was added anew
        self._places = {key: place for path in by_age for key, place in _entries(path)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def find(self, key: str) -> np.ndarray | None:
        """What an earlier journal has kept under a key, if that is whole."""
        if key not in self._places:
            return None
        path, offset = self._places[key]
        with path.open("rb") as file:
            file.seek(offset)
            checksum, name_size, size = _HEADER.unpack(file.read(_HEADER.size))
            content = file.read(name_size + size)
        if zlib.crc32(content) != checksum:
            del self._places[key]
            return None
        _, *shape = json.loads(content[:name_size])
        return np.frombuffer(content, np.float32, offset=name_size).reshape(shape)

    def add(self, key: str, array: np.ndarray) -> None:
        """Keep an array of float32, if it was not found. OSError if it cannot be written."""
        if key in self._places:
            return
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = (self._folder / uuid.uuid4().hex).open("xb")
        name = json.dumps([key, *array.shape]).encode()
        content = name + array.astype(np.float32, copy=False).tobytes()
        self._file.write(_HEADER.pack(zlib.crc32(content), len(name), array.nbytes) + content)
        self._file.flush()  # it is there when this process is not


def _entries(path: Path) -> Iterator[tuple[str, _Place]]:
    """The keys of a file's entries and where they stand, up to where it is cut off or no journal."""
    with path.open("rb") as file:
        length = os.fstat(file.fileno()).st_size
        while len(header := file.read(_HEADER.size)) == _HEADER.size:
            place = _Place(path, file.tell() - _HEADER.size)
            _, name_size, size = _HEADER.unpack(header)
            try:
                key, *_ = parse_json(file.read(name_size))
            except (ValueError, TypeError):  # no JSON, no list
                return
            if file.seek(size, os.SEEK_CUR) > length:
                return
            yield key, place

"""Clips as folders of image files, one file a frame."""

import dataclasses
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rgbd_jax.data import images
from rgbd_jax.errors import UserError

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp")


def numbered(name: str) -> re.Match | None:
    """What the name of a numbered image file has before the number, its digits, and the ending.

    None if a file of this name is none. Those that begin with a dot are not: systems put them there.
    """
    match = re.fullmatch(r"(?!\.)(.*?)(\d+)(\.\w+)", name)
    return match if match and match[3].lower() in ENDINGS else None


@dataclasses.dataclass(frozen=True)
class FrameFolder:
    """Numbered image files.

    Attributes:
      path: the folder.
      name: of a file, with a place for its number, such as `%06d.jpg`.
      first: number of the first file.
      count: how many files follow one another; None: all that are in the folder.
      channels: of the frames, see `images.decode`.
    """

    path: Path
    name: str
    first: int
    count: int | None
    channels: int = images.COLOUR

    @classmethod
    def find(cls, path: Path, modality: str) -> "FrameFolder":
        """All frames of a folder, whatever their names have before the number and behind it.

        Depth is taken for measured if the first file has 16 bits and one channel.

        Raises:
          UserError: there are no numbered image files, or of several kinds; or those of `rgb` are depth.
        """
        if not os.path.isdir(path):
            raise UserError(f"there is no folder {path}")
        numbers: dict[tuple[str, str], list[str]] = {}
        for file in path.iterdir():
            if match := numbered(file.name):
                numbers.setdefault((match[1], match[3]), []).append(match[2])
        if len(numbers) != 1:
            found = " and ".join(f"{start}*{ending}" for start, ending in sorted(numbers)) or "none"
            raise UserError(
                f"{path}: found {found}; numbered image files ({', '.join(ENDINGS)}) of one name are needed"
            )
        (((start, ending), digits),) = numbers.items()
        name = f"{start.replace('%', '%%')}%0{min(map(len, digits))}d{ending}"
        folder = cls(path, name, min(map(int, digits)), None)
        try:
            images.decode(folder.file(0).read_bytes(), images.DEPTH)
        except (OSError, ValueError):
            return folder
        if modality == "rgb":
            raise UserError(f"{path}: found depth of 16 bits; colour is needed")
        return dataclasses.replace(folder, channels=images.DEPTH)

    def exists(self) -> bool:
        return os.path.isdir(self.path)  # which, unlike Path's, takes any name

    def file(self, number: int) -> Path:
        """The file of a frame, the first of which is 0."""
        return self.path / (self.name % (self.first + number))

    def read(self) -> Iterator[tuple[np.ndarray, bytes]]:
        """Each frame, decoded, and the content of its file.

        Raises:
          UserError: the folder or a file is missing, or a file holds no such frame.
        """
        if not self.exists():
            raise UserError(f"there is no folder {self.path}")
        number = 0
        while self.count is None or number < self.count:
            path = self.file(number)
            try:
                content = path.read_bytes()
                image = images.decode(content, self.channels)
            except FileNotFoundError as error:
                if self.count is None and number == self._num_files() > 0:
                    return
                raise UserError(f"there is no file {path}; {self._needed()} are needed") from error
            except OSError as error:
                raise UserError(f"{path}: cannot be read ({error.strerror})") from error
            except ValueError as error:
                raise UserError(f"{path}: cannot be decoded ({error})") from error
            yield image, content
            number += 1

    def _num_files(self) -> int:
        files = self.path.glob(f"*{Path(self.name).suffix}")
        return sum(1 for file in files if not file.name.startswith("."))

    def _needed(self) -> str:
        found = (
            f"as many frames as files ({self._num_files()})" if self.count is None else f"{self.count} frames"
        )
        return f"{found}, from {self.name % self.first} on,"

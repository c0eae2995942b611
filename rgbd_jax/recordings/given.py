"""What a person names as a recording: files, folders, parts of them."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rgbd_jax.errors import UserError


class Given(NamedTuple):
    """What a person names: one file or folder, or colour and depth of the same moments, and a part of it.

    Attributes:
      paths: one, or two: colour, then depth.
      first: number of the first frame, from 0.
      end: number of the first frame that is not part of it; None: the end.
    """

    paths: tuple[Path, ...]
    first: int = 0
    end: int | None = None

    @classmethod
    def of_paths(cls, paths: Sequence[str | os.PathLike]) -> "Given":
        """UserError if one does not exist, or there are more than two."""
        if not 1 <= len(paths) <= 2:
            raise UserError(
                f"{','.join(map(str, paths))}: found {len(paths)} paths; one, or COLOUR,DEPTH, are allowed"
            )
        for path in paths:
            if not os.path.exists(path):  # which, unlike Path's, takes any text
                raise UserError(f"{path or ','.join(map(str, paths))}: there is no such file or folder")
        return cls(tuple(map(Path, paths)))

    def __str__(self) -> str:
        """As it was given, bytes that are no UTF-8 escaped: every file and terminal takes it."""
        part = "" if self.end is None else f":{self.first}:{self.end}"
        text = ",".join(map(str, self.paths)) + part
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def parse_given(text: str) -> Given:
    """Understand `PATH`, `COLOUR,DEPTH`, and either with `:FROM:TO` behind it, the frames FROM to TO - 1.

    A name with a comma or such an end that exists is taken as it is.

    Raises:
      UserError: there is no such file or folder, there are more than two, or FROM is not below TO.
    """
    first, end, rest = 0, None, text
    match = re.fullmatch(r"(.+):([0-9]{1,9}):([0-9]{1,9})", text)
    if match and not os.path.exists(text):
        rest, first, end = match[1], int(match[2]), int(match[3])
        if first >= end:
            raise UserError(f"{text}: found frames {first} to {end}; TO must be larger than FROM")
    paths = [rest] if os.path.exists(rest) else rest.split(",")
    return Given.of_paths(paths)._replace(first=first, end=end)

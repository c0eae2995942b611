"""Lists of clips, one a line, as text files; and the lists of the RGB-D programs, `path frames label`."""

import re
from pathlib import Path
from typing import NamedTuple

from rgbd_jax.errors import UserError
from rgbd_jax.numbered_lines import Line, numbered_lines

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")

# Instead of a number of frames, in lists of one's own.
WHOLE = "all"


class ListedClip(NamedTuple):
    """A clip as the lists of MotionRGBD (CVPR 2022) name it; the label counts from 0.

    `num_frames` is None if all that there are belong to it.
    """

    path: str
    num_frames: int | None
    label: int


def read_lines(path: Path) -> list[Line]:
    """The lines of a list that are not empty. UserError if it cannot be read or has none."""
    return numbered_lines(path, needed="a list of clips, one a line,")


def parse_listed_clip(line: Line, num_classes: int) -> ListedClip:
    """Parse `path frames label`. The path may have spaces; instead of frames there may be `all`.

    Raises:
      UserError: there are not three columns, the path leads out of the source, a number is none, or the label
        is not one of the classes.
    """
    columns = line.text.rsplit(maxsplit=2)
    if len(columns) != 3:
        raise UserError(f"{line}: found {len(columns)} columns ({line.text}); path frames label are needed")
    path, num_frames, label = columns
    count = None if num_frames == WHOLE else parse_number(line, "frames", num_frames)
    if count is not None and count < 1:
        raise UserError(f"{line}: found frames={num_frames}; allowed is 1 or more")
    label = parse_label(line, label, first=0, num_classes=num_classes)
    return ListedClip(path_below(line, path), count, label)


def path_below(line: Line, path: str) -> str:
    """A path of a line, relative to the source. UserError if it leads out of it."""
    if ".." in path.split("/"):
        raise UserError(f"{line}: found {path}; a path below the source is needed, without ..")
    return path.strip("/")


def parse_label(line: Line, text: str, *, first: int, num_classes: int) -> int:
    """A label that the list counts from `first`, counted from 0. UserError if there is no such class."""
    label = parse_number(line, "label", text)
    if not first <= label < first + num_classes:
        raise UserError(f"{line}: found label {text}; allowed are {first} to {first + num_classes - 1}")
    return label - first


def parse_number(line: Line, name: str, text: str) -> int:
    """A whole number of a line. UserError if it is none."""
    if not _WHOLE_NUMBER.fullmatch(text):  # int also takes 1_0, and digits of all scripts
        raise UserError(f"{line}: found {name}={text}; a whole number is needed")
    return int(text)

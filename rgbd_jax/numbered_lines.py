"""Lines of text files that people write, with the numbers that messages name them by."""

from pathlib import Path
from typing import NamedTuple

from rgbd_jax.errors import UserError


class Line(NamedTuple):
    """One line of a file, numbered from 1, without the spaces around it."""

    path: Path
    number: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}, line {self.number}"


def numbered_lines(path: Path, *, needed: str) -> list[Line]:
    """The lines of a text file that are not empty.

    Args:
      needed: what the file must hold, for the message if it has none.

    Raises:
      UserError: if it cannot be read or has none.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is no text file ({error.reason})") from error
    lines = [Line(path, number, line.strip()) for number, line in enumerate(text.split("\n"), 1)]
    lines = [line for line in lines if line.text]
    if not lines:
        raise UserError(f"{path}: is empty; {needed} is needed")
    return lines

"""Files of JSON to which a run adds one object a line; and JSON from anywhere."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rgbd_jax.errors import OutsideError, UserError


def parse_json(text: str | bytes, **options: Any) -> Any:
    """What JSON text says, with the options of `json.loads`. ValueError if it is none, or nested too deep."""
    try:
        return json.loads(text, **options)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def read_objects(path: Path, fits: Callable[[dict[str, Any]], bool], *, what: str) -> list[dict[str, Any]]:
    """The objects of a file, without a last line that has no end: there its program was killed.

    Args:
      fits: whether an object is what is looked for. KeyError and TypeError also say that it is not.
      what: that is, for messages.

    Raises:
      UserError: the file cannot be read, or another line is no such object.
    """
    try:
        *lines, _torn = path.read_bytes().split(b"\n")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    objects = []
    for number, line in enumerate(lines, start=1):
        try:
            found = parse_json(line)
            is_one = isinstance(found, dict) and fits(found)
        except (KeyError, TypeError, ValueError):
            is_one = False
        if not is_one:
            shown = line[:60].decode("utf-8", "replace")
            raise UserError(f"{path}, line {number}: is no {what}: {shown!r}")
        objects.append(found)
    return objects


def add_object(path: Path, content: dict[str, Any]) -> None:
    """Add an object, in the place of a last line that has no end.

    Raises:
      OutsideError: the disk refuses.
    """
    try:
        with path.open("a+b") as file:
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
            file.write(json.dumps(content).encode() + b"\n")
    except OSError as error:
        raise OutsideError(f"{path}: cannot be written ({error.strerror or error})") from error


def is_number(value: Any) -> bool:
    """Whether a value of JSON is a number: true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)

"""How results reach the disk: whole or not at all, and as JSON that every program reads."""

import contextlib
import json
import math
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rgbd_jax.errors import OutsideError, UserError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`, with its ending; rename it to `path` when the block ends well.

    The folder is made if it does not exist. If the block fails, the temporary file is removed and what stood
    at `path` stays.

    Raises:
      OutsideError: if the disk refuses.
    """
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise OutsideError(
            f"{path}: cannot be written ({error.strerror or error}); nothing was replaced"
        ) from error
    finally:
        with contextlib.suppress(OSError):  # where nothing can be written, nothing can be removed
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder with a temporary name; rename it to `path` when the block ends well.

    Nothing may stand at `path`. If the block fails, the temporary folder is removed.

    Raises:
      OutsideError: if the disk refuses.
    """
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        remove_folder(temporary)
        temporary.mkdir(parents=True)
        yield temporary
        temporary.rename(path)
    except OSError as error:
        raise OutsideError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_leftovers(path: Path) -> None:
    """Remove what processes that were killed while they were `replacing` the file have left beside it.

    Raises:
      OutsideError: if the disk refuses.
    """
    for leftover in path.parent.glob(f".*.{path.name}"):
        if re.fullmatch(rf"\.\d+\.{re.escape(path.name)}", leftover.name):
            remove(leftover)


def check_folder(path: Path, name: str) -> None:
    """See that a folder can be at `path`, which need not be there yet.

    Raises:
      UserError: a file is in its place, or above it; `name` is what gave the path.
    """
    for place in (path, *path.absolute().parents):
        if os.path.lexists(place) and not os.path.isdir(place):
            raise UserError(f"{name}={path}: {place} is a file; give a folder")


def remove(path: Path) -> None:
    """Remove a file if it is there. OutsideError if the disk refuses."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutsideError(f"{path}: cannot be removed ({error.strerror or error})") from error


def remove_folder(path: Path) -> None:
    """Remove a folder with all that is in it, if it is there. OutsideError if the disk refuses."""
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise OutsideError(f"{path}: cannot be removed ({error.strerror or error})") from error


def safe_name(text: str) -> str:
    """A name of a file that every file system takes, from any text; others may become the same."""
    return re.sub(r"[^\w.-]+", "_", text)[:60]


def to_json(value: Any, indent: int | None = None) -> str:
    """Strict JSON. A number that is not finite, for which JSON has no word, becomes null."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

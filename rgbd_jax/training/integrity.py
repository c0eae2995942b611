"""Whether a folder still holds what was written to it: checksums of its files, stored among them.

What reads a checkpoint's arrays notices a file that is gone or cut, but not a bit that has turned over in an
array: that would be trained on with, and nobody would know.
"""

import json
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import Any

from rgbd_jax.files import replacing, to_json
from rgbd_jax.json_lines import parse_json

CHECKSUMS = "checksums.json"

_CHUNK = 1 << 22  # bytes read at a time


def write_checksums(folder: Path, *, but: Collection[str] = ()) -> None:
    """Store the CRC-32 of every file below `folder` but those of these names.

    Raises:
      OutsideError: if the disk refuses.
    """
    found = {
        path.relative_to(folder).as_posix(): _crc32(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (CHECKSUMS, *but)
    }
    with replacing(folder / CHECKSUMS) as temporary:
        temporary.write_text(to_json(found, indent=1), encoding="utf-8")


def damage(folder: Path) -> str | None:
    """The first thing that is wrong with a folder that has checksums, None if it is as it was written.

    Files that came later do not matter.
    """
    try:
        stored = parse_json((folder / CHECKSUMS).read_text(encoding="utf-8"))
        files = list(stored.items())
    except OSError as error:
        return f"{CHECKSUMS} cannot be read ({error.strerror})"
    except (ValueError, AttributeError):
        return f"{CHECKSUMS} is garbled"
    for name, crc32 in files:
        try:
            found = _crc32(folder / name)
        except OSError as error:
            return f"{name} cannot be read ({error.strerror})"
        if found != crc32:
            return f"{name} does not hold what was written"
    return None


def checksum_of(value: Any) -> str:
    """The CRC-32 of what JSON can say."""
    return f"{zlib.crc32(json.dumps(value, sort_keys=True).encode()):08x}"


def _crc32(path: Path) -> str:
    checksum = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            checksum = zlib.crc32(chunk, checksum)
    return f"{checksum:08x}"

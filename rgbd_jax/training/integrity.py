"""Whether a folder still holds what was written to it: checksums of its files, stored among them.

What reads a checkpoint's arrays notices a file that is gone or cut, but not a bit that has turned over in an
array: that would be trained on with, and nobody would know.
"""

import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from rgbd_jax.files import replacing, to_json

CHECKSUMS = "checksums.json"

_CHUNK = 1 << 22  # bytes read at a time


def write_checksums(folder: Path, growing: Mapping[str, Sequence[str]]) -> None:
    """Store the CRC-32 of every file below `folder`.

    Args:
      growing: files that hold a JSON object, by their path in the folder, with the keys that they are still
        to get, which do not count.

    Raises:
      OutsideError: if the disk refuses.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name in growing:
            found[name] = {"crc32": _crc32_without(path, growing[name]), "without": growing[name]}
        elif path.is_file() and name != CHECKSUMS:
            found[name] = {"crc32": _crc32(path)}
    with replacing(folder / CHECKSUMS) as temporary:
        temporary.write_text(to_json(found, indent=1), encoding="utf-8")


def damage(folder: Path) -> str | None:
    """The first thing that is wrong with a folder that has checksums, None if it is as it was written.

    Files that came later do not matter.
    """
    try:
        stored = json.loads((folder / CHECKSUMS).read_text(encoding="utf-8"))
        files = [(name, known["crc32"], known.get("without")) for name, known in stored.items()]
    except OSError as error:
        return f"{CHECKSUMS} cannot be read ({error.strerror})"
    except (ValueError, TypeError, KeyError, AttributeError):
        return f"{CHECKSUMS} is garbled"
    for name, crc32, without in files:
        path = folder / name
        try:
            found = _crc32_without(path, without) if without else _crc32(path)
        except OSError as error:
            return f"{name} cannot be read ({error.strerror})"
        except ValueError:
            found = None
        if found != crc32:
            return f"{name} does not hold what was written"
    return None


def _crc32(path: Path) -> str:
    checksum = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            checksum = zlib.crc32(chunk, checksum)
    return f"{checksum:08x}"


def _crc32_without(path: Path, keys: Sequence[str]) -> str:
    """Of the JSON object in a file. ValueError if there is none."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(stored, dict):
        raise ValueError(f"{path}: holds no JSON object")
    counted = {key: value for key, value in stored.items() if key not in keys}
    return f"{zlib.crc32(json.dumps(counted, sort_keys=True).encode()):08x}"

"""Checkpoints as folders: which a run has, and which of them is intact, the newest, the best.

What is in them, `checkpoint.py` writes and reads.
"""

import contextlib
import os
import re
from pathlib import Path
from typing import Any

from rgbd_jax.errors import OutsideError, UserError
from rgbd_jax.json_lines import parse_json
from rgbd_jax.leaving import say
from rgbd_jax.training.integrity import CHECKSUMS, checksum_of, damage, write_checksums

FORMAT = 2  # 1 had no checksums, and was written after the validation
BEST_METRIC = "top1"
COMPLETE = "_CHECKPOINT_METADATA"
CRC32 = "crc32"  # of the rest of our metadata
VALIDATION = "validation.json"  # {BEST_METRIC: its value}
_VALIDATION_OF_FORMAT_1 = "metrics/metrics"


def newest_intact(folder: Path) -> Path | None:
    """The newest checkpoint in the folder of a run's checkpoints that is as it was written.

    Newer ones that are not are named on standard error.

    Returns:
      None if there is no checkpoint.

    Raises:
      UserError: if there are some, and all are damaged.
    """
    damaged = []
    for step in sorted(steps_in(folder), reverse=True):
        checkpoint = folder / str(step)
        wrong = damage_of(checkpoint)
        if wrong is None:
            for line in damaged:
                say(f"warning: {folder}/{line}; going back to {checkpoint.name}")
            return checkpoint
        damaged.append(f"{step} is damaged: {wrong}")
    if damaged:
        raise UserError(f"{folder}: no checkpoint is intact ({'; '.join(damaged)})")
    return None


def set_aside_newer(folder: Path, intact: Path | None) -> None:
    """Rename what lies in the way of a run that goes on from `intact`: damaged checkpoints that are newer.

    Raises:
      OutsideError: if the disk refuses.
    """
    for step in steps_in(folder) if intact else ():
        if step > int(intact.name):
            aside = folder / f"{step}.damaged"
            number = 1
            while aside.exists():
                number += 1
                aside = folder / f"{step}.damaged-{number}"
            try:
                (folder / str(step)).rename(aside)
            except OSError as error:
                raise OutsideError(
                    f"{folder / str(step)}: cannot be renamed ({error.strerror or error})"
                ) from error


def validation_of(checkpoint: Path) -> float | None:
    """What the validation of a checkpoint found, by which the best is chosen; None if there was none."""
    for name in (VALIDATION, _VALIDATION_OF_FORMAT_1):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            return float(parse_json((checkpoint / name).read_text(encoding="utf-8"))[BEST_METRIC])
    return None


def resolve(path: Path, which: str = "newest") -> Path:
    """The folder of one intact checkpoint, from a run, its `checkpoints` folder or the checkpoint itself.

    Args:
      which: of a run, `newest` or `best`; of the newest, damaged ones are passed over.

    Raises:
      UserError: if there is no checkpoint, or if it, or the best one, is damaged.
    """
    path = Path(os.path.realpath(path))  # which, unlike Path's, takes links that lead to themselves
    if not os.path.isdir(path):
        raise UserError(f"{path}: there is no such folder; give a run or one of its checkpoints")
    if _is_one(path):
        if wrong := damage_of(path):
            raise UserError(f"{path}: is damaged: {wrong}; a run is evaluated from its newest intact one")
        return path
    folder = path / "checkpoints" if (path / "checkpoints").is_dir() else path
    if which == "newest":
        if (newest := newest_intact(folder)) is None:
            raise UserError(
                f"{path}: holds no complete checkpoint; give a run that has saved one, or one of its"
                " checkpoints"
            )
        return newest
    best = best_in(folder)
    if best is None:
        raise UserError(f"{path}: no checkpoint has been validated yet; --which=newest takes the newest")
    if wrong := damage_of(folder / str(best)):
        raise UserError(
            f"{folder / str(best)}: the best checkpoint is damaged: {wrong}; --which=newest takes the newest"
        )
    return folder / str(best)


def run_of(checkpoint: Path) -> Path:
    """The run that a checkpoint belongs to; a checkpoint that stands alone is its own run."""
    return checkpoint.parent.parent if checkpoint.parent.name == "checkpoints" else checkpoint


def steps_in(folder: Path) -> list[int]:
    """The steps in the names of what lies in a folder of checkpoints."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return [int(name) for name in names if re.fullmatch("0|[1-9][0-9]*", name)]


def complete_in(folder: Path) -> list[int]:
    """The steps of the checkpoints that were finished."""
    return [step for step in steps_in(folder) if (folder / str(step) / COMPLETE).is_file()]


def best_in(folder: Path) -> int | None:
    """Step of the best checkpoint, the later one of equals; None if none was validated."""
    found = [(validation_of(folder / str(step)), step) for step in steps_in(folder)]
    return max(((figure, step) for figure, step in found if figure is not None), default=(None, None))[1]


def _is_one(path: Path) -> bool:
    """Whether a folder is, or was, one checkpoint."""
    in_run = path.name.isdigit() and path.parent.name == "checkpoints"
    return in_run or (path / COMPLETE).exists() or (path / CHECKSUMS).exists()


def add_checksums(checkpoint: Path) -> None:
    # Orbax still writes to its own file when it calls this; what we put there has a checksum of its own.
    write_checksums(checkpoint, but=[COMPLETE])


def damage_of(checkpoint: Path) -> str | None:
    """What is wrong with a checkpoint, None if nothing is known to be."""
    if not checkpoint.is_dir():
        return "it is no folder"
    if not (checkpoint / CHECKSUMS).exists() and format_of(checkpoint) not in (None, FORMAT):
        return None  # of format 1, which had none, or of one that `describe` refuses
    if wrong := damage(checkpoint):
        return wrong
    metadata = metadata_of(checkpoint)
    if metadata.pop(CRC32, None) != checksum_of(metadata):
        return f"{COMPLETE} does not hold what was written"
    return None


def format_of(checkpoint: Path) -> Any:
    """The format that a checkpoint says that it has, None if that cannot be read."""
    return metadata_of(checkpoint).get("format")


def metadata_of(checkpoint: Path) -> dict[str, Any]:
    """What we have stored in Orbax's own file, empty if that cannot be read."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        return dict(parse_json((checkpoint / COMPLETE).read_text(encoding="utf-8"))["custom_metadata"])
    return {}

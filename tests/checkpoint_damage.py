"""Ways in which a checkpoint gets damaged, and what lies beside the checkpoints by mistake."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

METADATA = "_CHECKPOINT_METADATA"


def _arrays(checkpoint: Path) -> Path:
    """The file that holds most of the arrays' bytes."""
    return max((p for p in (checkpoint / "state").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)


def _loader(checkpoint: Path) -> Path:
    return checkpoint / "loader" / "process_0-of-1.json"


def truncate(path: Path, chance: random.Random) -> None:
    with path.open("r+b") as file:
        file.truncate(chance.randrange(path.stat().st_size))


def turn_a_bit(path: Path, chance: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def _turn_a_bit_of_metadata(checkpoint: Path, chance: random.Random) -> None:
    """Where the config stands: the time, which is added last and of which nothing depends, is not watched."""
    path = checkpoint / METADATA
    content = bytearray(path.read_bytes())
    content[content.index(b'"config"') + chance.randrange(100)] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def fill_with_zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _keep_only(checkpoint: Path, name: str) -> None:
    for path in checkpoint.iterdir():
        if path.name != name:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _any_file(checkpoint: Path, chance: random.Random) -> Path:
    """One that is not changed after the checksums are written."""
    later = ("commit_success.txt", "validation.json", METADATA)
    files = sorted(p for p in checkpoint.rglob("*") if p.is_file() and p.stat().st_size)
    return chance.choice([p for p in files if p.parent != checkpoint or p.name not in later])


DAMAGES: dict[str, Callable[[Path, random.Random], object]] = {
    "metadata missing": lambda c, _: (c / METADATA).unlink(),
    "metadata empty": lambda c, _: (c / METADATA).write_bytes(b""),
    "metadata garbage": lambda c, _: (c / METADATA).write_text('{"custom_metadata": ['),
    "metadata with a bit turned": _turn_a_bit_of_metadata,
    "arrays cut off": lambda c, chance: truncate(_arrays(c), chance),
    "arrays with a bit turned": lambda c, chance: turn_a_bit(_arrays(c), chance),
    "arrays missing": lambda c, _: _arrays(c).unlink(),
    "arrays of zeros": lambda c, _: fill_with_zeros(_arrays(c)),
    "manifest missing": lambda c, _: (c / "state" / "manifest.ocdbt").unlink(),
    "manifest cut off": lambda c, chance: truncate(c / "state" / "manifest.ocdbt", chance),
    "all of the state missing": lambda c, _: shutil.rmtree(c / "state"),
    "loader missing": lambda c, _: _loader(c).unlink(),
    "loader garbage": lambda c, _: _loader(c).write_text("garbage"),
    "checksums missing": lambda c, _: (c / "checksums.json").unlink(),
    "checksums garbage": lambda c, _: (c / "checksums.json").write_text("[1, 2"),
    "nothing but metadata": lambda c, _: _keep_only(c, METADATA),
    "nothing at all": lambda c, _: _keep_only(c, ""),
    "any file with a bit turned": lambda c, chance: turn_a_bit(_any_file(c, chance), chance),
    "any file cut off": lambda c, chance: truncate(_any_file(c, chance), chance),
}


def _left_by_a_killed_save(checkpoints: Path, newest: Path) -> None:
    shutil.copytree(newest / "state", checkpoints / "998.orbax-checkpoint-tmp" / "state")


def _foreign(checkpoints: Path, _: Path) -> None:
    (checkpoints / "notes.txt").write_text("mine")
    for name in ("backup of 4", "0998", "²"):
        (checkpoints / name).mkdir()


# Beside an intact newest checkpoint, which must be taken.
BESIDE: dict[str, Callable[[Path, Path], object]] = {
    "a folder that a killed save left": _left_by_a_killed_save,
    "foreign files and folders": _foreign,
    "an empty folder with a number": lambda checkpoints, _: (checkpoints / "999").mkdir(),
    "a file with a number": lambda checkpoints, _: (checkpoints / "999").write_text("mine"),
}

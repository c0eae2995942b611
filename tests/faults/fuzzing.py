"""Gives readers files that were changed at random, and sees that each is read or refused in a proper way.

    PYTHONPATH=tests python tests/faults/fuzzing.py [--seconds=300] [--seed=1] [--reader=NAME] [--keep=DIR]

A reader must return, or raise a UserError, an OutsideError or what its docstring says, within seconds and
with no more memory than a file of this size can need. Everything else is a fault, of which the command prints
the first of each kind; `--keep` says where to put the files that brought them to light.
"""

import argparse
import contextlib
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from faults.mutations import mutated
from faults.readers import Reader, readers

from rgbd_jax.errors import OutsideError, UserError

# What a reader may need for a file of some kilobytes.
SECONDS = 5
MEMORY = 512 * 2**20


class Fault(NamedTuple):
    """A file that was neither read nor refused in a proper way."""

    reader: str
    error: BaseException
    content: bytes

    @property
    def kind(self) -> str:
        """What has the same cause, as far as the reader, the exception and the place in the project tell."""
        frames = traceback.extract_tb(self.error.__traceback__)
        ours = [frame for frame in frames if "rgbd_jax" in frame.filename] or list(frames)
        return (
            f"{self.reader}: {type(self.error).__name__} in {Path(ours[-1].filename).name}:{ours[-1].lineno}"
        )


class TooSlow(BaseException):
    """So that no reader takes it for a fault of its file."""


def write_all(reader: Reader, path: Path, content: bytes) -> None:
    """Write a file, and what its reader needs beside it."""
    source = path.parents[reader.file.count("/")]
    for place, written in {
        path: content,
        **{source / name: text.encode() for name, text in reader.beside.items()},
    }.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(written)


def trial(name: str, reader: Reader, path: Path, content: bytes) -> BaseException | None:
    """Let a reader read a file with this content at `path`. Returns what was wrong about that."""
    write_all(reader, path, content)
    try:
        with _limits(), warnings.catch_warnings():
            warnings.simplefilter("error")
            reader.read(path)
    except (UserError, OutsideError, *reader.refusals) as error:
        # A refusal that comes of a lack of memory is luck.
        return next((cause for cause in _causes(error) if isinstance(cause, MemoryError)), None)
    except (Exception, TooSlow) as error:
        return error
    return None


def trials(
    chosen: Mapping[str, Reader], folder: Path, seed: int, *, seconds: float, cases: int | None = None
) -> Iterator[tuple[str, Fault | None]]:
    """For each trial the reader, one after the other in turn, and the fault if there is one.

    Args:
      folder: for the files.
      seconds: after which it ends.
      cases: of each reader, after which it ends too.
    """
    rng = random.Random(seed)
    end = time.monotonic() + seconds
    for _ in iter(int, 1) if cases is None else range(cases):
        for place, (name, reader) in enumerate(chosen.items()):
            if time.monotonic() > end:
                return
            content = mutated(rng.choice(reader.examples), reader.examples, rng)
            error = trial(name, reader, folder / "files" / f"{place}" / reader.file, content)
            yield name, None if error is None else Fault(name, error, content)


@contextlib.contextmanager
def _limits() -> Iterator[None]:
    """Of time and memory, as far as a process can see to that itself."""

    def stop(*_: object) -> None:
        raise TooSlow(f"took more than {SECONDS} seconds")

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    handler = signal.signal(signal.SIGALRM, stop)
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, hard))
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGALRM, handler)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--seconds", type=float, default=300)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--reader", help="this one alone")
    arguments.add_argument("--keep", type=Path, help="folder for the files that are neither read nor refused")
    given = arguments.parse_args()
    counts: Counter[str] = Counter()
    found: dict[str, Fault] = {}
    with tempfile.TemporaryDirectory() as folder:
        all_readers = readers(Path(folder))
        chosen = {given.reader: all_readers[given.reader]} if given.reader else all_readers
        for name, fault in trials(chosen, Path(folder), given.seed, seconds=given.seconds):
            counts[name] += 1
            if fault is not None and fault.kind not in found:
                found[fault.kind] = fault
                print(f"{fault.kind}: {str(fault.error)[:200]}", file=sys.stderr, flush=True)
    for name in chosen:
        print(f"{counts[name]:8d}  {name}")
    print(f"{counts.total():8d}  cases, {len(found)} kinds of faults")
    if given.keep:
        shutil.rmtree(given.keep, ignore_errors=True)
        given.keep.mkdir(parents=True)
        for number, fault in enumerate(found.values()):
            (given.keep / f"{number}").write_bytes(fault.content)
            text = "".join(traceback.format_exception(fault.error))
            (given.keep / f"{number}.txt").write_text(f"{fault.kind}\n{text}", errors="replace")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()

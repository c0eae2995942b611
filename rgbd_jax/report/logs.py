"""What a run says while it is under way: rows of numbers to its folder, one line to the terminal."""

import contextlib
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from rgbd_jax.errors import OutsideError
from rgbd_jax.files import remove_leftovers, replacing, to_json
from rgbd_jax.json_lines import is_number, read_objects
from rgbd_jax.leaving import OVERWRITE, say
from rgbd_jax.report.tensorboard import ScalarWriter

Row = dict[str, Any]


class RunLog:
    """`metrics.jsonl`, one object a line, and TensorBoard events with the same numbers.

    A row has `kind` ("step", "epoch" or "skipped"), `split` ("train" or "valid"), `step`, `epoch` and any
    numbers, or the `ids` of what was skipped. In TensorBoard the splits are two runs, so that a figure of
    both stands in one diagram, named `kind/figure`.
    """

    def __init__(
        self, workdir: Path, resume_step: int = 0, *, validated: bool = True, num_rows: int | None = None
    ):
        """Open the logs of a run that goes on after `resume_step`: what they say of later steps goes.

        Args:
          validated: whether the validation of that step is over; if not, what they say of it goes too.
          num_rows: how many rows there were up to then; a warning says that some are missing.
        """
        self._folder = workdir
        path = workdir / "metrics.jsonl"
        kept = [
            row
            for row in (read_rows(path) if path.exists() else [])
            if row["step"] < resume_step
            or (row["step"] == resume_step and (validated or row["split"] != "valid"))
        ]
        self.num_rows = len(kept)
        if num_rows is not None and self.num_rows < num_rows:
            say(
                f"warning: {path}: {num_rows - self.num_rows} of {num_rows} rows up to step {resume_step} are"
                " missing; the file was cut off after they were written"
            )
        remove_leftovers(path)
        with replacing(path) as temporary:
            temporary.write_text("".join(to_json(row) + "\n" for row in kept), encoding="utf-8")
        self._file = path.open("ab", buffering=0)  # a written row survives the death of the process
        self._events = workdir / "tensorboard"
        self._purge_step = resume_step + validated if resume_step else None
        self._writers: dict[str, ScalarWriter] = {}

    def write(self, kind: str, split: str, step: int, epoch: int, **figures: float | list[str]) -> None:
        """Add a row; lists stand in the file alone.

        Raises:
          OutsideError: if the disk refuses.
        """
        with self._refusals():
            row = {"kind": kind, "split": split, "step": step, "epoch": epoch, **figures}
            line = f"{to_json(row)}\n".encode()
            while line:  # a disk that is nearly full takes a part, and refuses the rest
                line = line[self._file.write(line) :]
            self.num_rows += 1
            if split not in self._writers:
                self._writers[split] = ScalarWriter(self._events / split, purge_step=self._purge_step)
            for name, figure in figures.items():
                if not isinstance(figure, list):
                    self._writers[split].add_scalar(f"{kind}/{name}", figure, step)

    def flush(self) -> None:
        """Write out what is still under way. OutsideError if the disk refuses."""
        with self._refusals():
            for writer in self._writers.values():
                writer.flush()

    def close(self) -> None:
        """Write out what is still under way, and close. OutsideError if the disk refuses."""
        with self._refusals(), contextlib.ExitStack() as stack:
            stack.callback(self._file.close)
            for writer in self._writers.values():
                stack.callback(writer.close)

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutsideError(
                f"{self._folder}: its logs cannot be written ({error.strerror or error})"
            ) from error

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(self, kind, *_) -> None:
        try:
            self.close()
        except OutsideError:
            if kind is None:  # else what ended the run is the better message
                raise


class NoLog:
    """In place of `RunLog` and `ProgressLine` where another process writes and speaks."""

    num_rows = 0

    def write(self, *_: Any, **__: Any) -> None:
        pass

    show = epoch = note = flush = write

    def __enter__(self) -> "NoLog":
        return self

    def __exit__(self, *_) -> None:
        pass


def read_rows(path: Path) -> list[Row]:
    """The rows of a `metrics.jsonl`, without a last line that has no end: there the run was killed.

    Raises:
      UserError: if it cannot be read, or another line is no row.
    """
    return read_objects(path, _is_row, what="row of a run's log")


def _is_row(row: Row) -> bool:
    figures = {name: value for name, value in row.items() if name not in ("kind", "split")}
    return (
        isinstance(row["kind"], str)
        and isinstance(row["split"], str)
        and all(isinstance(row[name], int) and row[name] >= 0 for name in ("step", "epoch"))
        and all(value is None or is_number(value) or isinstance(value, list) for value in figures.values())
    )


class ProgressLine:
    """How far a run is, on standard error: one line that is overwritten, and one that stays for each epoch.

    Where the output is no terminal, the running line is printed anew every half minute.
    """

    def __init__(self, first_step: int, last_step: int, stream: TextIO | None = None, seconds: float = 30.0):
        """Report a run that goes on after `first_step` and ends with `last_step`.

        Args:
          stream: standard error if None.
          seconds: time between two lines where they cannot be overwritten.
        """
        self._first, self._last = first_step, last_step
        self._stream = sys.stderr if stream is None else stream
        self._seconds = seconds
        # Step and time of the first report: the compilation before it says nothing about the rest.
        self._begun: tuple[int, float] | None = None
        self._printed = float("-inf")
        self._open = False  # a line that may be overwritten stands at the end of the output

    def show(self, step: int, epoch: int, row: Row) -> None:
        """Report the figures of the last few steps; `epoch` counts from 0."""
        now = time.monotonic()
        if self._stream.isatty() or now - self._printed >= self._seconds:
            remaining = self._remaining(step, now)
            self._running(f"epoch {epoch + 1}  step {step}/{self._last}  {_figures(row)}  {remaining}")
            self._printed = now
        self._begun = self._begun or (step, now)

    def epoch(self, step: int, epoch: int, train: Row, valid: Row) -> None:
        """Report a finished epoch, on a line that stays."""
        parts = {"train": train, "valid": valid}
        figures = "  ".join(f"{name}: {_figures(row)}" for name, row in parts.items() if row)
        self.note(f"epoch {epoch + 1}  step {step}/{self._last}  {figures}")

    def note(self, text: str) -> None:
        """Say something on a line that stays."""
        start = OVERWRITE if self._open else ""
        self._print(f"{start}{text}\n")
        self._open = False

    def close(self) -> None:
        """End the running line, so that it stays."""
        if self._open:
            self._print("\n")
        self._open = False

    def __enter__(self) -> "ProgressLine":
        self._running(f"step {self._first}/{self._last}  compiling the training step")
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _running(self, text: str) -> None:
        if self._stream.isatty():
            width = shutil.get_terminal_size().columns - 1
            self._print(f"{OVERWRITE}{text[:width]}")
            self._open = True
        else:
            self._print(text + "\n")

    def _print(self, text: str) -> None:
        # Where the output goes to a file on a full disk, or to a program that has gone, the run goes on.
        with contextlib.suppress(OSError):
            self._stream.write(text)
            self._stream.flush()

    def _remaining(self, step: int, now: float) -> str:
        if self._begun is None or step == self._begun[0]:
            return "remaining time not known yet"
        first, begun = self._begun
        seconds = (now - begun) / (step - first) * (self._last - step)
        return f"{_duration(seconds)} left"


def _figures(row: Row) -> str:
    """The figures that a person watches, of those that the row has."""
    shown = (
        ("loss", lambda x: f"loss {x:.4f}"),
        ("top1", lambda x: f"top-1 {100 * x:.1f} %"),
        ("samples_per_s", lambda x: f"{x:.1f} samples/s"),
        ("data_wait", lambda x: f"{100 * x:.1f} % waiting for data"),
    )
    return "  ".join(text(row[name]) for name, text in shown if name in row)


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"

"""Figures as TensorBoard's events: tensorboardX's file format, without PyTorch and without its thread.

Where PyTorch is installed, tensorboardX imports it, which takes seconds at the start of every command, and
uses nothing of it for plain numbers. Its `SummaryWriter` writes in a thread that dies when the disk is full,
and then waits for it for ever; here what goes wrong is raised where the figure was added.
"""

import sys
import time
from pathlib import Path

_torch = sys.modules.setdefault("torch", None)  # None: "not installed"
try:
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import Event, SessionLog
    from tensorboardX.summary import scalar
finally:
    if _torch is None:
        del sys.modules["torch"]

_FLUSH_EVERY = 10.0  # seconds


class ScalarWriter:
    """Writes a new file of events in `folder`.

    Raises:
      OSError: here, and in each method, if the disk refuses.
    """

    def __init__(self, folder: Path, purge_step: int | None = None):
        """
        Args:
          purge_step: what other files of the folder say of this step and later ones is not shown.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._file = EventsWriter(str(folder / "events"))
        self._flushed = time.monotonic()
        if purge_step is not None:
            self._add(purge_step, session_log=SessionLog(status=SessionLog.START))

    def add_scalar(self, name: str, figure: float, step: int) -> None:
        self._add(step, summary=scalar(name, figure))
        if time.monotonic() - self._flushed > _FLUSH_EVERY:
            self.flush()

    def flush(self) -> None:
        """Hand all to the disk."""
        self._file.flush()
        self._flushed = time.monotonic()

    def close(self) -> None:
        self._file.close()

    def _add(self, step: int, **what) -> None:
        self._file.write_event(Event(wall_time=time.time(), step=step, **what))

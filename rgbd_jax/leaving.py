"""The last that a process does, wherever it ends."""

import contextlib
import multiprocessing
import os
import sys
from typing import NoReturn


def say(message: str) -> None:
    """Print one line on standard error, if that takes it; at once, so that lines of several processes stay
    whole."""
    with contextlib.suppress(OSError):
        sys.stderr.write(" ".join(message.split()) + "\n")
        sys.stderr.flush()


def leave_at_once(status: int) -> NoReturn:
    """End without what usually comes at the end, which may wait for others; the loader's workers end too."""
    try:
        for worker in multiprocessing.active_children():
            worker.kill()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
    finally:
        os._exit(status)

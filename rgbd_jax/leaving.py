"""What a process says on standard error, where nobody may listen any more, and how it ends."""

import contextlib
import multiprocessing
import os
import sys
from typing import NoReturn

# Back to the start of the terminal's line, and clear it: a line of progress may stand there.
OVERWRITE = "\r\x1b[K"


def say(message: str) -> None:
    """Print one line on standard error; at once, so that lines of several processes stay whole.

    No work is given up because its terminal, or the program that reads its messages, has gone.
    """
    with contextlib.suppress(OSError):
        start = OVERWRITE if sys.stderr.isatty() else ""
        sys.stderr.write(f"{start}{' '.join(message.split())}\n")
        sys.stderr.flush()


def let_go_of_output() -> None:
    """See that Python ends with the status that it is given, not with 120 for what it cannot write."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


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

"""SIGTERM as a request: training answers it between two steps, or at once where nothing is lost by that.

Python calls a signal's handler when the interpreter has its turn, which a compilation may keep from it for
minutes, and a read from a disk that does not answer for ever. Before that it writes a byte to a socket; a
thread that reads there can end the process in the meantime.
"""

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import NoReturn

from jax.experimental import multihost_utils

from rgbd_jax.errors import OutsideError
from rgbd_jax.leaving import leave_at_once, say

LastWords = Callable[[], str]


class StopRequest:
    """A context manager inside which SIGTERM does not end the process as it otherwise would.

    At first, and in blocks of `at_once`, it says its last words and ends with status 143 whatever else it is
    doing. Else the request is remembered in `received`.
    """

    def __init__(self, last_words: LastWords):
        """
        Args:
          last_words: saves what is not saved and returns what is to be said; until `wait_for_steps`.
        """
        self.received = False
        self._last_words: LastWords | None = last_words
        # Held by who ends the process, so that the training cannot go on meanwhile.
        self._deciding = threading.RLock()

    def __enter__(self) -> "StopRequest":
        self._ours, theirs = socket.socketpair()
        self._theirs = theirs
        theirs.setblocking(False)
        self._previous = signal.signal(signal.SIGTERM, self._remember)
        self._previous_socket = signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._watch, name="SIGTERM", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        signal.set_wakeup_fd(self._previous_socket)
        signal.signal(signal.SIGTERM, self._previous)
        self._theirs.close()
        self._thread.join()
        self._ours.close()

    def wait_for_steps(self) -> None:
        """From now on a request is only remembered."""
        with self._deciding:
            self._last_words = None

    @contextlib.contextmanager
    def at_once(self, last_words: LastWords) -> Iterator[None]:
        """A block in which a request ends the process after these last words, said in another thread."""
        with self._deciding:
            before, self._last_words = self._last_words, last_words
            if self.received:
                self._leave()
        try:
            yield
        finally:
            with self._deciding:
                self._last_words = before

    def _remember(self, *_) -> None:
        self.received = True

    def _watch(self) -> None:
        while signals := self._ours.recv(64):
            if signal.SIGTERM in signals:
                with self._deciding:
                    self.received = True
                    if self._last_words is not None:
                        self._leave()

    def _leave(self) -> NoReturn:
        try:
            message, status = self._last_words(), 128 + signal.SIGTERM
        except OutsideError as error:
            message, status = f"error: {error}", 3
        say(message)
        # The main thread may be anywhere, in the compiler too: it is not asked.
        leave_at_once(status)


class SharedStopRequest:
    """The same for several processes that work as one, of which none may stop alone.

    JAX's runtime catches SIGTERM in each of them and finds a step that all are still to come to: there, and
    only there, `received` is true everywhere, and all must ask for it equally often.
    """

    def __init__(self):
        self._asked = 0

    @property
    def received(self) -> bool:
        self._asked += 1
        return multihost_utils.reached_preemption_sync_point(self._asked)

    def __enter__(self) -> "SharedStopRequest":
        return self

    def __exit__(self, *_) -> None:
        pass

    def wait_for_steps(self) -> None:
        pass

    def at_once(self, last_words: LastWords) -> contextlib.nullcontext:
        """Here a request waits for the end of the block."""
        return contextlib.nullcontext()

"""SIGTERM as a request that the training loop answers between two steps."""

import signal


class StopRequest:
    """A context manager inside which SIGTERM does not end the process but is remembered in `received`."""

    def __init__(self):
        self.received = False

    def __enter__(self) -> "StopRequest":
        self._previous = signal.signal(signal.SIGTERM, self._remember)
        return self

    def __exit__(self, *_) -> None:
        signal.signal(signal.SIGTERM, self._previous)

    def _remember(self, *_) -> None:
        self.received = True

"""How fast a loop runs, and which share of its time it waits for data."""

import time
from collections.abc import Iterator
from typing import TypeVar

import jax

Item = TypeVar("Item")


class Throughput:
    """Counts steps, time and waiting.

    The loop takes its batches through `fetch` and names an output of each step in `running`. Time spent in
    fetching counts as waiting only if the device had nothing left to do when the batch arrived: what is hidden
    behind the step before costs nothing.
    """

    def __init__(self, batch_size: int):
        self._batch_size = batch_size
        self._running: jax.Array | None = None
        self._steps, self._waited = 0, 0.0
        self._marks: dict[str, tuple[int, float, float]] = {}

    def fetch(self, batches: Iterator[Item]) -> Item:
        """The next batch."""
        begun = time.perf_counter()
        batch = next(batches)
        if self._running is None or self._running.is_ready():
            self._waited += time.perf_counter() - begun
        return batch

    def running(self, output: jax.Array) -> None:
        """An output of the step that has just been given to the device."""
        self._running = output
        self._steps += 1

    def mark(self, name: str) -> None:
        """Begin to measure `name` here."""
        self._marks[name] = (self._steps, self._waited, time.perf_counter())

    def since(self, name: str) -> dict[str, float]:
        """`samples_per_s` and `data_wait` (a fraction) since `mark(name)`."""
        steps, waited, begun = self._marks[name]
        elapsed = time.perf_counter() - begun
        return {
            "samples_per_s": (self._steps - steps) * self._batch_size / elapsed,
            "data_wait": (self._waited - waited) / elapsed,
        }

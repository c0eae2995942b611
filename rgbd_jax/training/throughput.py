"""How fast a loop runs, and which share of its time it waits for data."""

import time
from collections.abc import Iterator
from typing import TypeVar

import jax

Item = TypeVar("Item")


class Throughput:
    """Counts steps, time and waiting.

    The loop takes its batches through `fetch` and names an output of each step in `running`. Time spent in
    fetching counts as waiting only if the device had nothing left to do when the batch arrived: what is
    hidden behind the step before costs nothing.
    """

    def __init__(self, batch_size: int):
        self._batch_size = batch_size
        self._running: jax.Array | None = None
        self._steps, self._waited = 0, 0.0
        self.restart()

    def restart(self) -> None:
        """Forget what was: compiling and validating are not part of the loop's speed."""
        self._asked: dict[str, tuple[int, float, float]] = {}
        self._begun = (self._steps, self._waited, time.perf_counter())

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

    def since(self, name: str) -> dict[str, float]:
        """`samples_per_s` and `data_wait` (a fraction) since this was last asked for by the same name.

        Empty if there was no step since.
        """
        before = self._asked.get(name, self._begun)
        now = self._asked[name] = (self._steps, self._waited, time.perf_counter())
        steps, waited, elapsed = (new - old for new, old in zip(now, before, strict=True))
        if not steps:
            return {}
        return {"samples_per_s": steps * self._batch_size / elapsed, "data_wait": waited / elapsed}

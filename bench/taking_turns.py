"""Time several programs that take turns, each in a process of its own, so that all see the same machine."""

import contextlib
import multiprocessing
import os
import resource
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection

Step = Callable[[], None]


def take_turns(
    workers: Mapping[str, tuple[Callable[..., Step], tuple]], *, warm_up: int, rounds: int
) -> tuple[dict[str, list[float]], dict[str, int]]:
    """Let each worker make a step in each round.

    Args:
      workers: by name, what makes a step of these arguments; it is called in the process of the worker.
      warm_up: rounds before those that are timed.

    Returns:
      The seconds of each round, and the most bytes that the process ever held, by the name of the worker.
    """
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"  # on a GPU, leave the others' memory to them
    context = multiprocessing.get_context("spawn")
    ends = {}
    for name, (make_step, arguments) in workers.items():
        ends[name], far_end = context.Pipe()
        context.Process(target=_serve, args=(far_end, make_step, arguments), daemon=True).start()
        far_end.close()  # so that a process that dies ends the reading below

    seconds, peaks = {name: [] for name in workers}, {}
    for turn in range(warm_up + rounds):
        for name, end in ends.items():
            end.send(None)
            taken, peaks[name] = end.recv()
            if turn >= warm_up:
                seconds[name].append(taken)
    return seconds, peaks


def _serve(end: Connection, make_step: Callable[..., Step], arguments: tuple) -> None:
    """Make a step each time the other end asks; answer with its seconds and the most bytes held so far."""
    step = make_step(*arguments)
    with contextlib.suppress(EOFError):  # the other end is done
        while True:
            end.recv()
            begun = time.perf_counter()
            step()
            taken = time.perf_counter() - begun
            end.send((taken, 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))

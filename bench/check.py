"""See that no part of ours has become much slower than it was: a check for continuous integration.

    python bench/check.py [--store]

Small pieces of our work (`workloads.py`) take turns, in this process, with a matrix product and a copy of
memory that tell how fast the machine is just now. The figure of a piece is its median time as a multiple of
the geometric mean of those two, and is compared with that in `baseline.json`. Everything runs in one thread,
so that another program on the machine delays all alike. What seems too slow is measured once more; if it is
so both times the status is 1.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

BASELINE = Path(__file__).with_name("baseline.json")
WARM_UP_ROUNDS, ROUNDS = 2, 40

# Multiples of what is stored, so far apart that neither a busy machine nor another kind of CPU reaches them.
TOO_SLOW, MUCH_FASTER = 2.5, 1 / 2.5

SLOWER, FASTER, AS_STORED, NOT_STORED = "TOO SLOW", "much faster: store it anew", "ok", "NOT STORED"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", action="store_true", help="make what is measured the baseline")
    given = parser.parse_args()

    # Before JAX is imported.
    os.environ["JAX_PLATFORMS"] = "cpu"
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    from workloads import REFERENCES, WORKLOADS

    references = [make.__name__ for make in REFERENCES]
    steps = {make.__name__: make() for make in (*REFERENCES, *WORKLOADS)}
    measured = relative(take_turns(steps), references)
    if given.store:
        rounded = {name: float(f"{ratio:.3g}") for name, ratio in measured.items()}
        BASELINE.write_text(json.dumps(rounded, indent=2) + "\n")
        return
    stored = json.loads(BASELINE.read_text())
    verdicts = judge(measured, stored)
    if SLOWER in verdicts.values():
        again = relative(take_turns(steps), references)
        measured = {name: min(ratio, again[name]) for name, ratio in measured.items()}
        verdicts = judge(measured, stored)
    for name, verdict in verdicts.items():
        print(f"{name:<18} {measured[name]:8.3g}  stored {stored.get(name, 0):8.3g}  {verdict}")
    if {SLOWER, NOT_STORED} & set(verdicts.values()):
        sys.exit("after a change that is meant to cost time, or on another kind of machine: --store")


def take_turns(steps: Mapping[str, Callable[[], None]]) -> dict[str, float]:
    """The median of the seconds that each takes, over some rounds in which each has its turn."""
    seconds = {name: [] for name in steps}
    for turn in range(WARM_UP_ROUNDS + ROUNDS):
        for name, step in steps.items():
            begun = time.perf_counter()
            step()
            if turn >= WARM_UP_ROUNDS:
                seconds[name].append(time.perf_counter() - begun)
    return {name: statistics.median(times) for name, times in seconds.items()}


def relative(seconds: Mapping[str, float], references: list[str]) -> dict[str, float]:
    """The times of all but the references, as multiples of the geometric mean of these."""
    unit = statistics.geometric_mean(seconds[name] for name in references)
    return {name: time / unit for name, time in seconds.items() if name not in references}


def judge(measured: Mapping[str, float], stored: Mapping[str, float]) -> dict[str, str]:
    """What is to be said about each ratio that was measured, beside the one that is stored."""
    return {name: _verdict(ratio, stored.get(name)) for name, ratio in measured.items()}


def _verdict(ratio: float, stored: float | None) -> str:
    if stored is None:
        return NOT_STORED
    if ratio > TOO_SLOW * stored:
        return SLOWER
    return FASTER if ratio < MUCH_FASTER * stored else AS_STORED


if __name__ == "__main__":
    main()

"""The check for speed: how it judges, and that it knows each of its workloads. It is not run here."""

import json
import runpy
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "bench"
CHECK = runpy.run_path(str(BENCH / "check.py"))


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [(5.1, "TOO SLOW"), (4.9, "ok"), (2.0, "ok"), (0.9, "ok"), (0.7, "much faster: store it anew")],
)
def test_only_a_large_difference_is_told(ratio, verdict):
    measured = {"step": ratio, "other": 5.0}
    assert CHECK["judge"](measured, {"step": 2.0, "other": 5.0}) == {"step": verdict, "other": "ok"}


def test_what_is_not_stored_is_told():
    assert CHECK["judge"]({"step": 1.0}, {}) == {"step": "NOT STORED"}


def test_times_are_told_beside_both_references():
    """A machine that is slower in all changes nothing."""
    seconds = {"product": 0.1, "copy": 0.4, "step": 0.6}
    for factor in (1, 7):
        slower = {name: factor * time for name, time in seconds.items()}
        assert CHECK["relative"](slower, ["product", "copy"]) == {"step": pytest.approx(3)}


def test_all_take_turns():
    order = []
    seconds = CHECK["take_turns"]({"a": lambda: order.append("a"), "b": lambda: order.append("b")})
    assert set(seconds) == {"a", "b"} and min(seconds.values()) >= 0
    assert order == ["a", "b"] * (len(order) // 2)


def test_each_workload_is_stored_and_no_other():
    workloads = runpy.run_path(str(BENCH / "workloads.py"))["WORKLOADS"]
    stored = json.loads((BENCH / "baseline.json").read_text())
    assert list(stored) == [make.__name__ for make in workloads]
    assert min(stored.values()) > 0

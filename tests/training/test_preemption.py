"""SIGTERM: remembered, or answered at once, whatever the main thread is doing."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from rgbd_jax.errors import OutsideError
from rgbd_jax.training.preemption import SharedStopRequest, StopRequest


@pytest.fixture
def left(monkeypatch):
    """Statuses that the process would have left with; it stays."""
    statuses, gone = [], threading.Event()

    def stay(status):
        statuses.append(status)
        gone.set()

    monkeypatch.setattr(os, "_exit", stay)
    statuses_when_gone = lambda: statuses if gone.wait(10) else None  # noqa: E731
    return statuses_when_gone


def ask():
    os.kill(os.getpid(), signal.SIGTERM)


def test_a_request_is_remembered_once_the_first_step_is_done(left):
    with StopRequest(lambda: "before the first step") as stop:
        stop.wait_for_steps()
        assert not stop.received
        ask()
        ask()
        assert stop.received
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert signal.set_wakeup_fd(-1) == -1


def test_before_that_it_ends_the_process_at_once(left, capfd):
    with StopRequest(lambda: "before the first step"):
        ask()
        assert left() == [143]
    assert capfd.readouterr().err == "before the first step\n"


def test_a_block_has_its_own_last_words(left, capfd):
    with StopRequest(lambda: "before the first step") as stop:
        stop.wait_for_steps()
        with stop.at_once(lambda: "in the block"):
            ask()
            assert left() == [143]
    assert capfd.readouterr().err == "in the block\n"


def test_a_request_from_before_a_block_is_answered_in_it(left, capfd):
    with StopRequest(lambda: "before the first step") as stop:
        stop.wait_for_steps()
        ask()
        with stop.at_once(lambda: "in the block"):
            assert left() == [143]
    # Twice where this process, unlike others, stays to answer both times.
    assert set(capfd.readouterr().err.splitlines()) == {"in the block"}


def test_what_cannot_be_saved_is_trouble_from_outside(left, capfd):
    def full():
        raise OutsideError("the disk is full")

    with StopRequest(full):
        ask()
        assert left() == [3]
    assert capfd.readouterr().err == "error: the disk is full\n"


def test_the_training_does_not_go_on_while_the_last_words_are_said(left):
    order = []

    def slowly():
        order.append("saving")
        time.sleep(0.3)
        order.append("saved")
        return "saved"

    with StopRequest(lambda: "") as stop:
        stop.wait_for_steps()
        with stop.at_once(slowly):
            ask()
            while not order:
                time.sleep(0.001)
        order.append("went on")
    assert order == ["saving", "saved", "went on"]


def test_of_several_processes_all_stop_where_the_runtime_says(monkeypatch):
    asked = []

    def reached(count):
        asked.append(count)
        return count == 3

    monkeypatch.setattr("jax.experimental.multihost_utils.reached_preemption_sync_point", reached)
    handler = signal.getsignal(signal.SIGTERM)
    with SharedStopRequest() as stop, stop.at_once(lambda: "in the block"):
        assert signal.getsignal(signal.SIGTERM) is handler  # which is the runtime's
        assert [stop.received for _ in range(3)] == [False, False, True]
    assert asked == [1, 2, 3]


WORKING = """
import hashlib, multiprocessing, time
from rgbd_jax.training.preemption import StopRequest

if __name__ == "__main__":
    with StopRequest(lambda: "stopped before the first step"):
        worker = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,), daemon=True)
        worker.start()
        print(worker.pid, flush=True)
        hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)  # as a compiler does, it does not let Python run
"""


def test_a_process_that_is_busy_compiling_ends_at_once_with_its_workers(tmp_path):
    (tmp_path / "working.py").write_text(WORKING)
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "working.py")],
        env=os.environ | {"PYTHONPATH": os.getcwd()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    worker = int(process.stdout.readline())
    time.sleep(0.2)
    process.terminate()
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (143, "stopped before the first step\n")
    with pytest.raises(ProcessLookupError):
        for _ in range(100):
            os.kill(worker, 0)
            time.sleep(0.1)

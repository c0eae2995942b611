"""Several processes, on one machine or many, that train or evaluate as one: how they meet, how they end.

Each of them is two: a parent, which only watches, and the worker that it starts. When one process of a job
is lost, JAX's runtime ends the workers of all others, with a dump that tells a person nothing; what is to be
known is said by the parents that are left.
"""

import contextlib
import dataclasses
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rgbd_jax.errors import OutsideError, Preempted, UserError
from rgbd_jax.leaving import leave_at_once

# Set in the environment of a worker.
_WORKER = "RGBD_JAX_WORKER"

STOPPED = 128 + signal.SIGTERM

# Words of JAX's errors when processes cannot reach each other.
_SIGNS_OF_LOSS = ("Gloo", "NCCL", "UNAVAILABLE", "DEADLINE_EXCEEDED", "ABORTED", "coordination")

SECONDS_TO_MEET = 300  # machines may be handed out one after the other
SECONDS_OF_SILENCE = 30  # after which a process counts as lost
SECONDS_TO_END = 10  # for the other workers of this machine, when one has ended badly


@dataclasses.dataclass(frozen=True)
class Job:
    """Processes that work together.

    Attributes:
      coordinator: `HOST:PORT` of process 0, where all meet.
      count: how many there are.
      index: which of them is this one; None: all of them are started here.
    """

    coordinator: str
    count: int
    index: int | None

    @classmethod
    def asked_for(cls, coordinator: str | None, count: int | None, index: int | None) -> "Job | None":
        """What the flags --coordinator, --processes and --process ask for; None if for nothing.

        Raises:
          UserError: if they do not fit together.
        """
        if count is None:
            for flag, value in (("coordinator", coordinator), ("process", index)):
                if value is not None:
                    raise UserError(f"--{flag}={value}: needs --processes=N, how many processes there are")
            return None
        if count < 1:
            raise UserError(f"--processes={count}: must be 1 or more")
        if (coordinator is None) != (index is None):
            given, other = ("coordinator", "process") if index is None else ("process", "coordinator")
            raise UserError(f"--{given}: needs --{other} too; without both, all processes are started here")
        if index is None:
            return cls(f"localhost:{_free_port()}", count, None)
        if not 0 <= index < count:
            raise UserError(f"--process={index}: allowed is 0 to {count - 1}, as --processes={count}")
        host, _, port = coordinator.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
            raise UserError(f"--coordinator={coordinator}: must be HOST:PORT, for example node1:1234")
        return cls(coordinator, count, index)

    @property
    def indices_here(self) -> Sequence[int]:
        """Which processes are started on this machine."""
        return range(self.count) if self.index is None else (self.index,)


def is_worker() -> bool:
    """Whether this is the worker of a parent."""
    return _WORKER in os.environ


def watch(job: Job, arguments: Sequence[str], run: Path | None) -> None:
    """Start the workers of this machine and wait for their end.

    Args:
      arguments: of `rgbd_jax.main`.
      run: the folder that a training saves to; None if nothing is trained.

    Raises:
      SystemExit: with the status of a worker that ended badly and has said why.
      OutsideError: if a process was lost.
    """
    workers = {index: _start(job, index, arguments) for index in job.indices_here}
    stopped = []

    def pass_on(number: int, _frame: object) -> None:
        # A connection that ends, by which this was started from elsewhere, is a request to stop too.
        number = signal.SIGTERM if number == signal.SIGHUP else number
        stopped.append(number)
        for worker in workers.values():
            if worker.poll() is None:
                worker.send_signal(number)

    caught = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    handlers = {number: signal.signal(number, pass_on) for number in caught}
    try:
        index, status = _wait(workers)
    finally:
        for worker in workers.values():
            worker.kill()
            worker.wait()
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if -status in stopped:
        if -status == signal.SIGINT:
            raise KeyboardInterrupt
        raise Preempted(f"SIGTERM: stopped {'before the training had begun' if run else 'the evaluation'}")
    if status < 0:
        raise OutsideError(f"{_lost(job, index, status)}; {_saved(run)}")
    if status:
        sys.exit(status)


@contextlib.contextmanager
def joined(job: Job, run: Path | None) -> Iterator[None]:
    """Be a worker: one of the processes of a job while the block lasts, and until all others are done too.

    Args:
      run: the folder that a training saves to. Then SIGTERM is a request to save and stop, see
        `training.preemption`; where nothing is trained, it just ends the worker.

    Raises:
      OutsideError: if the others are not met, or one is lost in the middle.
    """
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    import jax

    # The runtime keeps SIGTERM to itself, for `preemption.StopRequest`, which only training asks.
    jax.config.update("jax_enable_preemption_service", run is not None and job.count > 1)
    name = f"process {job.index} of {job.count}"
    try:
        jax.distributed.initialize(
            job.coordinator,
            job.count,
            job.index,
            cluster_detection_method="deactivate",
            initialization_timeout=SECONDS_TO_MEET,
            heartbeat_timeout_seconds=SECONDS_OF_SILENCE,
            shutdown_timeout_seconds=SECONDS_TO_MEET,
        )
    except (RuntimeError, ValueError) as error:
        raise OutsideError(
            f"{name}: did not meet the others at {job.coordinator} ({_first_line(error)}); nothing was done"
        ) from error
    try:
        yield
        jax.distributed.shutdown()
    except jax.errors.JaxRuntimeError as error:
        if not any(sign in str(error) for sign in _SIGNS_OF_LOSS):
            raise
        raise OutsideError(
            f"{name}: what all processes compute together failed ({_first_line(error)}), as it does when"
            f" one of them is lost; {_saved(run)}"
        ) from error


def _start(job: Job, index: int, arguments: Sequence[str]) -> subprocess.Popen:
    """Start one worker, which ends when the pipe to its standard input closes."""
    flags = [f"--coordinator={job.coordinator}", f"--processes={job.count}", f"--process={index}"]
    # Where the workers of one machine are started together, each takes one of its GPUs.
    device = {"JAX_LOCAL_DEVICE_IDS": str(index)} if job.index is None else {}
    return subprocess.Popen(
        [sys.executable, "-m", "rgbd_jax.main", *arguments, *flags],
        stdin=subprocess.PIPE,
        env=os.environ | {_WORKER: "1"} | device,
        start_new_session=True,  # the terminal's signals come from the parent alone
    )


def _end_with_the_parent() -> None:
    os.read(sys.stdin.fileno(), 1)
    leave_at_once(128 + signal.SIGKILL)


def _wait(workers: dict[int, subprocess.Popen]) -> tuple[int, int]:
    """Wait until all workers have ended, or some time longer than the first that failed.

    Returns:
      Which worker failed first, and its status; if none did, one of those that were asked to stop, or any.
    """
    failed, deadline = None, float("inf")
    while time.monotonic() < deadline:
        ended = {index: worker.poll() for index, worker in workers.items()}
        if failed is None:
            failed = next(((i, end) for i, end in ended.items() if end not in (None, 0, STOPPED)), None)
            deadline = float("inf") if failed is None else time.monotonic() + SECONDS_TO_END
        if None not in ended.values():
            break
        time.sleep(0.05)
    return failed or max(ended.items(), key=lambda item: item[1])


def _lost(job: Job, index: int, status: int) -> str:
    name = f"process {index} of {job.count}"
    if -status == signal.SIGABRT:
        return (
            f"{name} was ended by the runtime, see above, as it is when another was lost or not heard of for"
            f" {SECONDS_OF_SILENCE} s; all were ended"
        )
    return f"{name} was lost ({signal.Signals(-status).name}); all were ended"


def _saved(run: Path | None) -> str:
    """From where the job can go on."""
    if run is None:
        return "nothing was saved"
    from rgbd_jax.training.checkpoint_folders import resolve

    try:
        step = resolve(run).name
    except UserError:
        return "nothing was saved"
    return f"the last checkpoint is of step {step}; the same commands go on there"


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("localhost", 0))
        return found.getsockname()[1]


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]

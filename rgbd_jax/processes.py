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

from rgbd_jax.errors import OutsideError, Preempted, SaidByTheFirst, UserError, first_line
from rgbd_jax.leaving import leave_at_once

# Set in the environment of a worker: how many its parent has started on this machine.
_WORKER = "RGBD_JAX_WORKER"
_PROGRAM = ("-m", "rgbd_jax.main")
_MET = b"."  # what a worker tells its parent when it has met the others

# Words of JAX's errors when processes cannot reach each other.
_SIGNS_OF_LOSS = ("Gloo", "NCCL", "UNAVAILABLE", "DEADLINE_EXCEEDED", "ABORTED", "coordination")

SECONDS_TO_MEET = 300  # machines may be handed out one after the other
SECONDS_OF_SILENCE = 30  # after which a process counts as lost
SECONDS_TO_END = 10  # for the other workers of this machine, when one has ended badly
SECONDS_TO_AGREE = 10  # for the other processes to meet the same error, which one then says for all


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


def processes_here() -> int:
    """How many processes of the job share this machine, as far as this one knows; 1 without a job."""
    return int(os.environ.get(_WORKER, 1))


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
            if worker.process.poll() is None:
                worker.process.send_signal(number)

    caught = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    handlers = {number: signal.signal(number, pass_on) for number in caught}
    try:
        index, status = _wait(workers)
        had_met = workers[index].has_met
    finally:
        for worker in workers.values():
            worker.end()
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if -status in stopped:
        if -status == signal.SIGINT:
            raise KeyboardInterrupt
        raise Preempted(f"SIGTERM: stopped {'before the training had begun' if run else 'the evaluation'}")
    if status < 0:
        raise OutsideError(f"{_lost(job, index, status, had_met)}; {_saved(run)}")
    if status:
        sys.exit(status)


@contextlib.contextmanager
def joined(job: Job, run: Path | None) -> Iterator[None]:
    """Be a worker: one of the processes of a job while the block lasts, and until all others are done too.

    Args:
      run: the folder that a training saves to. Then SIGTERM is a request to save and stop, see
        `training.preemption`; where nothing is trained, it just ends the worker.

    Raises:
      UserError: if the port where all are to meet is taken.
      OutsideError: if the others are not met, or one is lost in the middle.
      SaidByTheFirst: in place of an error, or of Preempted, that all meet alike, on all but the first.
    """
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    import jax

    # The runtime keeps SIGTERM to itself, for `preemption.StopRequest`, which only training asks.
    jax.config.update("jax_enable_preemption_service", run is not None and job.count > 1)
    name = f"process {job.index} of {job.count}"
    if job.index == 0:
        _check_port(job.coordinator)
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
            f"{name}: did not meet the others at {job.coordinator} ({first_line(error)}); nothing was done"
        ) from error
    os.write(sys.stdin.fileno(), _MET)
    try:
        yield
        jax.distributed.shutdown()
    except (jax.errors.JaxRuntimeError, UserError, OutsideError, Preempted) as error:
        if _tells_of_loss(error):
            raise OutsideError(
                f"{name}: what all processes compute together failed ({first_line(error)}), as it does when"
                f" one of them is lost; {_saved(run)}"
            ) from error
        if not isinstance(error, jax.errors.JaxRuntimeError) and _all_end_so(error) and job.index != 0:
            raise SaidByTheFirst(error.status) from error
        raise


def _check_port(coordinator: str) -> None:
    """See that this machine's port of the coordinator is free: JAX's runtime would just crash.

    Raises:
      UserError: if it is not.
    """
    port = int(coordinator.rpartition(":")[2])
    both = socket.has_dualstack_ipv6()
    with socket.socket(socket.AF_INET6 if both else socket.AF_INET) as probe:
        if both:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # Connections of an earlier job that linger do not matter.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            raise UserError(
                f"--coordinator={coordinator}: process 0 cannot take port {port} of its machine"
                f" ({error.strerror}), which an earlier job may still hold; wait for its end or name another"
            ) from error


def _all_end_so(error: UserError | OutsideError | Preempted) -> bool:
    """Wait a while for all other processes to end with the same words; if they do, leave the job with them.

    If the first process left before the others they would be ended by the runtime, whose service it holds.
    """
    import jax
    from jax._src import distributed  # there is no public barrier that gives up after a time

    # When the run was stopped all are on their way, however long they take to close what they use.
    seconds = SECONDS_OF_SILENCE if isinstance(error, Preempted) else SECONDS_TO_AGREE
    try:
        distributed.global_state.client.wait_at_barrier(f"{error.status} {error}", 1000 * seconds)
        jax.distributed.shutdown()
    except jax.errors.JaxRuntimeError:
        return False
    return True


@dataclasses.dataclass(frozen=True)
class _Worker:
    """A worker of this machine.

    Attributes:
      process: itself.
      line: leads to its standard input. It ends when this closes, and writes `_MET` there.
    """

    process: subprocess.Popen
    line: socket.socket

    @property
    def has_met(self) -> bool:
        """Whether it has met the others."""
        with contextlib.suppress(OSError):
            return self.line.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == _MET
        return False

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.line.close()


def _start(job: Job, index: int, arguments: Sequence[str]) -> _Worker:
    flags = [f"--coordinator={job.coordinator}", f"--processes={job.count}", f"--process={index}"]
    # Where the workers of one machine are started together, each takes one of its GPUs.
    device = {"JAX_LOCAL_DEVICE_IDS": str(index)} if job.index is None else {}
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, *_PROGRAM, *arguments, *flags],
            stdin=theirs,
            env=os.environ | {_WORKER: str(len(job.indices_here))} | device,
            start_new_session=True,  # the terminal's signals come from the parent alone
        )
    return _Worker(process, ours)


def _end_with_the_parent() -> None:
    # It ends with an error instead where the parent had not read all that it was told.
    with contextlib.suppress(ConnectionResetError):
        os.read(sys.stdin.fileno(), 1)
    leave_at_once(128 + signal.SIGKILL)


def _wait(workers: dict[int, _Worker]) -> tuple[int, int]:
    """Wait until all workers have ended, or some time longer than the first that failed; no longer if that
    was before all had met, as the others would wait for it.

    Returns:
      Which worker failed first, and its status; if none did, one of those that were asked to stop, or any.
    """
    failed, deadline = None, float("inf")
    while time.monotonic() < deadline:
        ended = {index: worker.process.poll() for index, worker in workers.items()}
        if failed is None:
            fine = (None, 0, Preempted.status)
            failed = next(((index, end) for index, end in ended.items() if end not in fine), None)
            if failed:
                deadline = time.monotonic() + SECONDS_TO_END * workers[failed[0]].has_met
        if None not in ended.values():
            break
        time.sleep(0.05)
    return failed or max(ended.items(), key=lambda item: item[1])


def _lost(job: Job, index: int, status: int, had_met: bool) -> str:
    name = f"process {index} of {job.count}"
    if not had_met and -status == signal.SIGABRT:
        return (
            f"{name} did not meet the others at {job.coordinator}: it was ended by the runtime, see above, as"
            f" it is after {SECONDS_TO_MEET} s without them"
        )
    if not had_met:
        return (
            f"{name} was lost ({signal.Signals(-status).name}) before it met the others at {job.coordinator}"
        )
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


def _tells_of_loss(error: Exception) -> bool:
    """Whether it tells that others cannot be reached; who writes a checkpoint with them meets it there."""
    if isinstance(error, (UserError, Preempted)):
        return False
    return any(sign in str(error) for sign in _SIGNS_OF_LOSS)

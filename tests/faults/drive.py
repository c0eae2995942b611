"""Break a short run at random, go on with it, and compare it with one that was left alone.

    python tests/faults/drive.py --seed=0 --faults=50 [--kinds=kill,terminate,fill,corrupt,data,cut]

The same seed draws the same faults; which line of the program a signal meets is up to the machine. A run
takes faults, each followed by going on from the newest complete checkpoint, until it is over; then its last
checkpoint must agree to the bit, and its log in all but speed. Prints a table: of each kind, how many faults
were tried, how many were survived, refused (a message of one line, and all was well when the fault was taken
away), lost.
"""

import argparse
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
os.environ.setdefault("JAX_PLATFORMS", "cpu")

from checkpoint_damage import DAMAGES, truncate, turn_a_bit  # noqa: E402
from orbax.checkpoint import v1 as ocp  # noqa: E402
from run_folder import rows  # noqa: E402

from rgbd_jax.data.builders import synthetic  # noqa: E402
from rgbd_jax.data.loader import open_split  # noqa: E402
from rgbd_jax.provenance import read_sessions  # noqa: E402
from rgbd_jax.training.checkpoint_folders import complete_in  # noqa: E402

KINDS = ("kill", "terminate", "fill", "corrupt", "data", "cut")
GRACE = 60.0  # seconds within which SIGTERM must be answered on a machine that does much else
PATIENCE = 600.0  # seconds after which a process hangs

Run = Callable[..., subprocess.Popen]


class Lost(Exception):
    """A fault was not survived: what went wrong."""


def prepare(folder: Path) -> Path:
    """A small data set; returns the folder of data sets."""
    kept, synthetic.CLIPS_PER_ACTION = synthetic.CLIPS_PER_ACTION, {"train": 4, "test": 4}
    try:
        open_split("synthetic", folder, "train")
    finally:
        synthetic.CLIPS_PER_ACTION = kept
    return folder


def command(data: Path, workdir: Path, *changes: str) -> list[str]:
    """Twelve epochs of two steps, a checkpoint after each step."""
    return [
        *(sys.executable, "-m", "rgbd_jax.main", "--config=configs/demo.py:debug", f"--workdir={workdir}"),
        "--config.model.name=baseline_gcn",
        "--config.model.stages=(1,1,1)",
        "--config.batch_size=8",
        "--config.eval_batch_size=8",
        "--config.data.limit=16",
        f"--config.data.data_dir={data}",
        "--config.num_epochs=12",
        "--config.checkpoint_every=1",
        "--config.log_every=1",
        *changes,
    ]


def start(data: Path, workdir: Path, *changes: str, largest_file: int | None = None) -> subprocess.Popen:
    """The command in a process of its own, on one CPU device."""
    environment = {
        "JAX_NUM_CPU_DEVICES": "1",
        # Most of the time is that of many starts: what is compiled is kept, of Python too.
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(ROOT / ".cache" / "bytecode"),
        "JAX_COMPILATION_CACHE_DIR": str(ROOT / ".cache" / "jax_tests"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
    }
    if largest_file is not None:
        environment["JAX_ENABLE_COMPILATION_CACHE"] = "0"
    process = subprocess.Popen(
        command(data, workdir, *changes),
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    if largest_file is not None:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (largest_file, largest_file))
    return process


def ended(process: subprocess.Popen, within: float = PATIENCE) -> tuple[int, str]:
    """Exit status and standard error. Lost if the process hangs or left with a fault of its own."""
    try:
        _, messages = process.communicate(timeout=within)
    except subprocess.TimeoutExpired as error:
        process.kill()
        raise Lost(f"hangs; {process.communicate()[1][-300:]}") from error
    if process.returncode == 1 or (process.returncode == 3 and "Traceback" in messages.splitlines()[-1]):
        raise Lost(f"status {process.returncode}: {messages[-600:]}")
    return process.returncode, messages


# ---------------------------------------------------------------------- moments


def _log_grows(workdir: Path) -> object:
    path = workdir / "metrics.jsonl"
    return path.stat().st_size if path.is_file() else 0


def _names(workdir: Path, pattern: str) -> object:
    return sorted(str(path) for path in workdir.glob(pattern))


def _epochs(workdir: Path) -> object:
    path = workdir / "metrics.jsonl"
    return path.read_text().count('"epoch", "split": "train"') if path.is_file() else 0


# What a moment waits to see change, once the first step is logged.
MOMENTS: dict[str, Callable[[Path], object]] = {
    "a save begins": lambda run: _names(run, "checkpoints/*tmp*"),
    "a save is being written": lambda run: _names(run, "checkpoints/*tmp*/*"),
    "a checkpoint gets its name": lambda run: _names(run, "checkpoints/[0-9]*[0-9]"),
    "the log grows": _log_grows,
    "a validation begins": _epochs,
    "a validation is noted": lambda run: _names(run, "checkpoints/*/validation.json"),
}


def wait_for_a_moment(
    process: subprocess.Popen, workdir: Path, chance: random.Random, seconds_to_start: float
) -> str:
    """Wait for a moment drawn at random; returns its name, "" if the process ended before.

    Args:
      seconds_to_start: what a process takes to its first step, about.
    """
    kind = chance.choice(["the start", "any time", *MOMENTS])
    if kind == "the start":
        deadline = time.monotonic() + chance.uniform(0, seconds_to_start)
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.001)
        return "" if process.poll() is not None else kind
    begun = _log_grows(workdir)
    changes = chance.randint(1, 4)
    delay = chance.choice([0.0, chance.uniform(0, 0.02), chance.uniform(0, 0.3)])
    look, before = _log_grows, begun
    while process.poll() is None and look(workdir) == before:
        time.sleep(0.001)
    if kind == "any time":
        delay = chance.uniform(0, 3)
    else:
        look = MOMENTS[kind]
        for _ in range(changes):
            before = look(workdir)
            while process.poll() is None and look(workdir) == before:
                time.sleep(0.0005)
    time.sleep(delay)
    return "" if process.poll() is not None else kind


# ---------------------------------------------------------------------- comparing


class Result:
    """What a run came to: the arrays of its last checkpoint, the loader's position, its log."""

    def __init__(self, workdir: Path):
        checkpoints = workdir / "checkpoints"
        steps = sorted(int(path.name) for path in checkpoints.iterdir() if path.name.isdigit())
        self.steps = steps
        last = checkpoints / str(steps[-1])
        with warnings.catch_warnings():  # that it is read as it was stored, which is what is wanted
            warnings.simplefilter("ignore")
            state = ocp.load_checkpointables(last.absolute(), {"state": None})["state"]
        self.arrays = dict(_leaves(state))
        self.position = (last / "loader" / "process_0-of-1.json").read_text()
        self.rows = rows(workdir)
        self.validated = {
            step: json.loads((checkpoints / str(step) / "validation.json").read_text())
            for step in steps
            if (checkpoints / str(step) / "validation.json").is_file()
        }

    def compare(self, other: "Result", *, but_rows: bool = False) -> None:
        """Lost if they differ."""
        if self.arrays.keys() != other.arrays.keys():
            raise Lost("other arrays")
        for name, array in self.arrays.items():
            if array.dtype != other.arrays[name].dtype or array.tobytes() != other.arrays[name].tobytes():
                raise Lost(f"{name} differs")
        if self.position != other.position:
            raise Lost(f"the loader is at {self.position}, not at {other.position}")
        if (self.steps, self.validated) != (other.steps, other.validated):
            raise Lost(f"checkpoints {self.validated}, not {other.validated}")
        if self.rows != other.rows and not but_rows:
            raise Lost(f"{len(self.rows)} rows differ from {len(other.rows)}")
        if any(row not in other.rows for row in self.rows):
            raise Lost("a row of the log says something else")


def _leaves(tree: object, name: str = "") -> list[tuple[str, np.ndarray]]:
    if isinstance(tree, dict):
        return [leaf for key in tree for leaf in _leaves(tree[key], f"{name}/{key}")]
    if isinstance(tree, list | tuple):
        return [leaf for key, inner in enumerate(tree) for leaf in _leaves(inner, f"{name}/{key}")]
    return [] if tree is None else [(name, np.asarray(tree))]


# ---------------------------------------------------------------------- faults


class Life:
    """One run, from its first process to its end, and the faults it has met."""

    def __init__(self, workdir: Path, data: Path, chance: random.Random, seconds_to_start: float):
        self.workdir, self.data, self.chance = workdir, data, chance
        self.seconds_to_start = seconds_to_start
        self.moment = ""
        self.rows_lost = False
        self.damaged: int | None = None  # step of a checkpoint from which it cannot go on
        self.met: list[tuple[str, str]] = []  # the kind of each fault, and what became of it

    def start(self, **limits) -> subprocess.Popen:
        whole = set(complete_in(self.workdir / "checkpoints")) - {self.damaged}
        self.damaged = None
        self.newest = max(whole, default=0)
        self.sessions = len(read_sessions(self.workdir))
        return start(self.data, self.workdir, **limits)

    def ended(self, process: subprocess.Popen, within: float = PATIENCE) -> tuple[int, str]:
        """`ended`; Lost too if the process did not begin with the newest checkpoint that was there."""
        status, messages = ended(process, within)
        for session in read_sessions(self.workdir)[self.sessions :]:
            if session["step"] != self.newest:
                raise Lost(
                    f"began after step {session['step']}; there was a checkpoint of step {self.newest}"
                )
        return status, messages

    def refused(self, message: str) -> None:
        """Go on once: it must be refused with status 2 or 3 in one line that says this."""
        status, messages = self.ended(self.start())
        last = messages.splitlines()[-1] if messages else ""
        if status not in (2, 3) or not last.startswith("error: ") or not re.search(message, last):
            raise Lost(f"was not refused: status {status}, {last}")

    def kill(self) -> str:
        process = self.start()
        moment = wait_for_a_moment(process, self.workdir, self.chance, self.seconds_to_start)
        process.kill()
        status, _ = self.ended(process)
        self.moment = moment
        return "survived" if moment and status == -signal.SIGKILL else ""

    def terminate(self) -> str:
        process = self.start()
        self.moment = wait_for_a_moment(process, self.workdir, self.chance, self.seconds_to_start)
        if not self.moment:
            self.ended(process)
            return ""
        twice = self.chance.random() < 0.3
        process.send_signal(signal.SIGTERM)
        if twice:
            time.sleep(self.chance.uniform(0, 0.2))
            process.send_signal(signal.SIGTERM)
        status, messages = self.ended(process, GRACE)
        if status == 0:
            return ""  # it was over
        # Before this program's handler is there, the system ends it.
        if status not in (143, -signal.SIGTERM):
            raise Lost(f"SIGTERM: status {status}: {messages[-300:]}")
        if status == 143 and not messages.splitlines()[-1].startswith("SIGTERM: stopped"):
            raise Lost(f"SIGTERM: {messages[-300:]}")
        return "survived"

    def fill(self) -> str:
        """No file may grow beyond a size, as if the disk were full."""
        process = self.start(largest_file=int(10 ** self.chance.uniform(1, 5)))
        status, messages = self.ended(process)
        if status == 0:
            return ""
        last = messages.splitlines()[-1]
        newest = max(complete_in(self.workdir / "checkpoints"), default=None)
        saved = "nothing was saved" if newest is None else f"the last checkpoint is of step {newest}"
        if (
            status != 3
            or not last.startswith("error: ")
            or not last.endswith((saved, "nothing was replaced"))
        ):
            raise Lost(f"a full disk: status {status}, {last}; in fact {saved}")
        return "survived"

    def corrupt(self) -> str:
        """Damage the newest checkpoint of a killed run."""
        self.kill()
        folder = self.workdir / "checkpoints"
        steps = [int(p.name) for p in folder.iterdir() if p.name.isdigit()] if folder.is_dir() else []
        if not steps:
            return ""
        name = self.chance.choice(list(DAMAGES))
        DAMAGES[name](folder / str(max(steps)), self.chance)
        self.damaged = max(steps)
        if len(steps) == 1:
            self.refused("no checkpoint is intact")
            shutil.rmtree(self.workdir)  # as the message leaves to the user
            return "refused"
        before = _names(self.workdir, "checkpoints/*.damaged*")
        process = self.start()
        while process.poll() is None and _names(self.workdir, "checkpoints/*.damaged*") == before:
            time.sleep(0.01)
        process.kill()
        _, messages = self.ended(process)
        if f"{max(steps)} is damaged" not in messages:
            raise Lost(f"{name}: was not noticed; {messages[-300:]}")
        return "survived"

    def data_(self) -> str:
        """Damage the records of the data set."""
        files = sorted(p for p in self.data.rglob("*.array_record*") if "train" in p.name)
        path = self.chance.choice(files)
        content = path.read_bytes()
        self.chance.choice([turn_a_bit, truncate])(path, self.chance)
        try:
            process = self.start()
            status, messages = self.ended(process)
            last = messages.splitlines()[-1] if messages else ""
            if status == 0:
                return ""  # a part of the file that this run does not read, or it was over
            if status not in (2, 3) or not last.startswith("error: "):
                raise Lost(f"damaged records: status {status}, {last}")
            return "refused"
        finally:
            path.write_bytes(content)

    def cut(self) -> str:
        """Cut off the end of the log of a killed run."""
        self.kill()
        path = self.workdir / "metrics.jsonl"
        if not path.is_file() or not path.stat().st_size:
            return ""
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.truncate(size - self.chance.randint(1, min(size, 400)))
        self.rows_lost = True  # unless they are written anew
        return "survived"


def drive(folder: Path, seed: int, faults: int, kinds: tuple[str, ...], report=print) -> Counter:
    """Try so many faults, and return how often each (kind, outcome) was met."""
    chance = random.Random(seed)
    data = prepare(folder / "data")
    straight = folder / "straight"
    begun = time.monotonic()
    process = start(data, straight)
    while process.poll() is None and not _log_grows(straight):
        time.sleep(0.01)
    seconds_to_start = time.monotonic() - begun
    status, messages = ended(process)
    if status:
        raise RuntimeError(messages)
    expected = Result(straight)
    report(
        f"left alone: {time.monotonic() - begun:.1f} s, of which {seconds_to_start:.1f} s to the first step"
    )
    outcomes: Counter = Counter()
    number = 0
    while sum(outcomes.values()) < faults:
        number += 1
        life = Life(folder / f"run-{number}", data, chance, seconds_to_start)
        try:
            while sum(outcomes.values()) + len(life.met) < faults and len(life.met) < 10:
                kind = chance.choice(kinds)
                begun = time.monotonic()
                outcome = getattr(life, "data_" if kind == "data" else kind)()
                if outcome:
                    life.met.append((kind, outcome))
                    moment = f" at {life.moment}" if kind in ("kill", "terminate") else ""
                    report(f"run {number}: {kind}{moment}: {outcome} ({time.monotonic() - begun:.1f} s)")
                elif _is_over(life.workdir):
                    break
            status, messages = life.ended(life.start())
            if status:
                raise Lost(f"does not go on: status {status}, {messages[-600:]}")
            Result(life.workdir).compare(expected, but_rows=life.rows_lost)
            shutil.rmtree(life.workdir)
            report(f"run {number}: equals the one that was left alone")
        except Lost as error:
            report(f"run {number}: LOST after {life.met}: {error}")
            life.met = [(kind, "lost") for kind, _ in life.met] or [(kind, "lost")]
        outcomes.update(life.met)
    return outcomes


def _is_over(workdir: Path) -> bool:
    return (workdir / "checkpoints" / "24" / "validation.json").is_file()


def table(outcomes: Counter) -> str:
    lines = ["fault       tried  survived  refused  lost"]
    for kind in KINDS:
        counts = [outcomes[kind, outcome] for outcome in ("survived", "refused", "lost")]
        if sum(counts):
            survived, refused, lost = counts
            lines.append(f"{kind:<10}{sum(counts):7d}{survived:10d}{refused:9d}{lost:6d}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", type=int, default=50)
    parser.add_argument("--kinds", default=",".join(KINDS), help="of " + ", ".join(KINDS))
    parser.add_argument("--folder", type=Path, help="for the runs; a temporary one if not given")
    given = parser.parse_args()
    kinds = tuple(given.kinds.split(","))
    if unknown := set(kinds) - set(KINDS):
        parser.error(f"--kinds: {', '.join(unknown)}: allowed are {', '.join(KINDS)}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        outcomes = drive(folder, given.seed, given.faults, kinds, report=lambda line: print(line, flush=True))
    print(table(outcomes))
    sys.exit(any(outcome == "lost" for _, outcome in outcomes))


if __name__ == "__main__":
    main()

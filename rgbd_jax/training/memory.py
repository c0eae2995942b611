"""What a compiled step needs of the devices' memory, what they have, and which keys make it need less."""

import contextlib
import dataclasses
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
from jax.sharding import Mesh
from ml_collections import ConfigDict

from rgbd_jax.allocator import give_back_freed_memory, keep_freed_memory
from rgbd_jax.config import FREE_ON_RESUME
from rgbd_jax.errors import OutsideError, first_line
from rgbd_jax.processes import processes_here

# Above this share of the memory a step may fail: the next batch, for one, takes some too.
TIGHT = 0.9
# What the host may hold, in steps' needs, where it keeps memory between them.
KEPT = 2


@dataclasses.dataclass(frozen=True)
class StepMemory:
    """Bytes that a training step needs on each device.

    Attributes:
      state: parameters, optimizer and all else that is kept from step to step.
      batch: the raw clips.
      rest: intermediate results, gradients among them.
    """

    state: int
    batch: int
    rest: int

    @property
    def total(self) -> int:
        return self.state + self.batch + self.rest

    def __str__(self) -> str:
        parts = {
            "parameters and optimizer": self.state,
            "batch": self.batch,
            "intermediate results": self.rest,
        }
        shares = ", ".join(f"{name} {_shown(size)}" for name, size in parts.items())
        return f"a step needs {_shown(self.total)} on each device ({shares})"


class MeasuredStep:
    """A training step that is compiled ahead of its first call, so that what it needs is known before."""

    def __init__(self, step: Any, config: ConfigDict, mesh: Mesh):
        """
        Args:
          step: of (state, batch), under `jax.jit`.
        """
        self._step, self._config, self._mesh = step, config, mesh
        self._need: StepMemory | None = None

    def compile(self, state: Any, batch: Any) -> list[str]:
        """Compile the step for such arguments; return what to tell about its memory, see `notes`."""
        self._step = self._step.lower(state, batch).compile()
        self._need = step_memory(self._step, state, batch)
        device = self._mesh.local_devices[0]
        available = device_memory(device)
        keep_between_steps(self._need, device)
        return notes(self._need, available, self._config, self._mesh.size)

    def __call__(self, state: Any, batch: Any) -> tuple[Any, dict[str, jax.Array]]:
        """The new state, and the figures."""
        return self._step(state, batch)

    @contextlib.contextmanager
    def explaining_exhaustion(self) -> Iterator[None]:
        """Turn a device's complaint that its memory is exhausted into an OutsideError with what to do."""
        try:
            yield
        except jax.errors.JaxRuntimeError:
            need = f"{self._need}; " if self._need else ""
            with explaining_exhaustion(need + advice(self._config, self._mesh.size)):
                raise


def compiled_bytes(compiled: jax.stages.Compiled) -> int | None:
    """Bytes that a compiled program needs on each device; None where the compiler does not say."""
    needs = compiled.memory_analysis()
    if needs is None:
        return None
    # Donated arguments and the outputs that take their place are counted on both sides.
    return (
        needs.argument_size_in_bytes
        + needs.output_size_in_bytes
        - needs.alias_size_in_bytes
        + needs.temp_size_in_bytes
        + needs.generated_code_size_in_bytes
    )


def step_memory(compiled: jax.stages.Compiled, state: Any, batch: Any) -> StepMemory | None:
    """What a compiled step of (state, batch) needs; None where the compiler does not say."""
    total = compiled_bytes(compiled)
    if total is None:
        return None
    of_state, of_batch = _bytes_per_device(state), _bytes_per_device(batch)
    return StepMemory(of_state, of_batch, max(total - of_state - of_batch, 0))


def keep_between_steps(need: StepMemory | None, device: jax.Device) -> None:
    """Let the host keep the memory of a step that is compiled for the next one; on a CPU if there is room.

    There, page faults of the step's intermediate results would take a quarter of its time; everywhere, those
    of the clips that are decoded two fifths of the time for that.
    """
    give_back_freed_memory()  # of the compilation
    available = device_memory(device)
    if device.platform != "cpu" or need and available and KEPT * need.total <= TIGHT * available:
        keep_freed_memory()


def device_memory(device: jax.Device) -> int | None:
    """Bytes that JAX may use on a device; None if that is not known.

    Devices made of one CPU, for all processes that were started there together, have equal shares of what is
    free of the host's memory.
    """
    stats = device.memory_stats()
    if stats:
        return stats.get("bytes_limit")
    free = host_memory()
    return None if free is None else free // (jax.local_device_count() * processes_here())


def host_memory(root: Path = Path("/")) -> int | None:
    """Free bytes of the host, or of this process's control group where that has less; None off Linux.

    Args:
      root: where `proc` and `sys` are mounted.
    """
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    table = dict(line.split(":", 1) for line in lines)
    return min([int(table["MemAvailable"].split()[0]) * 1024, *_group_memory(root)])


def notes(need: StepMemory | None, available: int | None, config: ConfigDict, devices: int) -> list[str]:
    """What to tell before the first step: the need, and a warning where it is more than `TIGHT` of all.

    Args:
      available: see `device_memory`.
      devices: that share a batch.
    """
    if need is None:
        return []
    if available is None:
        return [f"memory: {need}"]
    lines = [f"memory: {need}, which has {_shown(available)}"]
    if need.total > TIGHT * available:
        what = "more than there is" if need.total > available else "nearly all there is"
        lines.append(f"warning: the step needs {what}; {advice(config, devices)}")
    return lines


def advice(config: ConfigDict, devices: int) -> str:
    """The keys of this config that lower what a training step needs, in words.

    First come those with which the same run goes on.
    """
    keys = []
    if config.dtype == "float32":
        keys.append("dtype=bfloat16")
    if not config.model.remat:
        keys.append("model.remat=True")
    if not config.task.get("text_weight"):
        # The next finer division of the batch of which every device gets equal parts.
        wider = range(config.accumulate + 1, config.batch_size // devices + 1)
        parts = next((n for n in wider if config.batch_size % (n * devices) == 0), None)
        keys += [f"accumulate={parts}"] if parts else []
    if config.fsdp < devices:
        keys.append(f"fsdp={devices}")
    if config.batch_size > devices * config.accumulate:
        keys.append("a smaller batch_size")
    if not keys:
        return "no key makes it need less: take more devices"
    free = [key for key in keys if key.partition("=")[0] in FREE_ON_RESUME]
    parts = [f"with {', '.join(free)}"] if free else []
    if others := [key for key in keys if key not in free]:
        parts.append(f"in a new --workdir with {', '.join(others)}")
    return f"it needs less {' or '.join(parts)}"


@contextlib.contextmanager
def explaining_exhaustion(advice: str) -> Iterator[None]:
    """Turn a device's complaint that its memory is exhausted into an OutsideError with this advice."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise OutsideError(f"the device's memory is exhausted ({first_line(error)}); {advice}") from error


def _bytes_per_device(tree: Any) -> int:
    leaves = jax.tree.leaves(tree)
    return sum(leaf.dtype.itemsize * math.prod(leaf.sharding.shard_shape(leaf.shape)) for leaf in leaves)


def _group_memory(root: Path) -> Iterator[int]:
    """Free bytes of this process's control group and of those above it that have a limit, version 1 or 2."""
    versions = {
        "": ("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
        "memory": (
            "sys/fs/cgroup/memory",
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
            "total_inactive_file",
        ),
    }
    with contextlib.suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, kind, path = line.split(":", 2)
            if kind not in versions:
                continue
            mount, limit, used, reclaimable = versions[kind]
            group = Path(os.path.normpath(path.lstrip("/")))
            for folder in (group, *group.parents):
                with contextlib.suppress(OSError, ValueError, KeyError):  # no limit: "max", or no such file
                    place = root / mount / folder
                    stat = dict(line.split() for line in (place / "memory.stat").read_text().splitlines())
                    taken = int((place / used).read_text()) - int(stat[reclaimable])
                    yield max(int((place / limit).read_text()) - taken, 0)


def _shown(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"

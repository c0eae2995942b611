"""Measure the training step of any config: compilation, speed, memory, waiting for data; and prediction.

python -m rgbd_jax.bench --config=configs/X.py[:variant] [--steps=N] [--json=FILE] [--config.key=value ...]

Where the data set is not prepared, the step runs on random raw batches of its shape, and what concerns the
input is null.
"""

import dataclasses
import importlib.metadata
import itertools
import statistics
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from rgbd_jax.command import ArgumentParser, output_file, run_command
from rgbd_jax.config import ConfigArguments
from rgbd_jax.data.loader import Batch, is_prepared, open_training_split, steps_per_epoch, training_batches
from rgbd_jax.data.random_clips import Shape, configured_shape, random_batch
from rgbd_jax.data.skeleton_split import SkeletonSplit
from rgbd_jax.errors import UserError
from rgbd_jax.experiment import Experiment
from rgbd_jax.files import replacing, to_json
from rgbd_jax.leaving import say
from rgbd_jax.to_devices import PutBatch, to_devices
from rgbd_jax.training import sharding
from rgbd_jax.training.device_peak import peak_of
from rgbd_jax.training.flops import count_flops
from rgbd_jax.training.memory import compiled_bytes, keep_between_steps, step_memory
from rgbd_jax.training.state import TrainState, num_parameters
from rgbd_jax.training.throughput import Throughput

WARM_UP_STEPS = 2


@dataclasses.dataclass(frozen=True)
class Input:
    """Where the batches of a measurement come from.

    Attributes:
      batches: without end.
      put_batch: puts one on the devices.
      shape: what the task must know of the data set.
      epoch_steps: training steps in an epoch.
      samples_per_s: of the loader alone; None for random batches.
    """

    batches: Iterator[Batch]
    put_batch: PutBatch
    shape: SkeletonSplit | Shape
    epoch_steps: int
    samples_per_s: float | None


def parser() -> ArgumentParser:
    arguments = ArgumentParser(prog="rgbd_jax.bench", description=__doc__)
    arguments.add_argument(
        "--steps", type=int, default=10, help=f"steps to time, after {WARM_UP_STEPS} of warm-up"
    )
    arguments.add_argument("--json", type=output_file, help="also write the figures there")
    return arguments


def main(argv: list[str]) -> None:
    config_arguments, rest = ConfigArguments.split_from(argv)
    given = parser().parse_args(rest)
    if given.steps < 1:
        raise UserError(f"--steps={given.steps}: must be 1 or more")
    figures = measure(config_arguments.load(), given.steps)
    print(table(figures))
    if given.json:
        with replacing(given.json) as temporary:
            temporary.write_text(to_json(figures, indent=2) + "\n")


def measure(config: ConfigDict, steps: int) -> dict[str, Any]:
    """The figures of the contract, for the median of `steps` training steps and as many predictions."""
    mesh = sharding.make_mesh(fsdp=config.fsdp)
    sharding.check_batch_size("batch_size", config.batch_size, mesh, config.accumulate)
    data = open_input(config, steps, mesh)
    begun = time.perf_counter()
    experiment = Experiment.build(config, data.shape, data.epoch_steps, mesh)
    state = experiment.initial_state()
    batch = data.put_batch(next(data.batches))

    compile_begun = time.perf_counter()
    traced = experiment.compiled_step().trace(state, batch)
    train_step = traced.lower().compile()
    keep_between_steps(step_memory(train_step, state, batch), mesh.local_devices[0])
    compile_seconds = time.perf_counter() - compile_begun
    state, report = jax.block_until_ready(train_step(state, batch))
    first_step_seconds = time.perf_counter() - begun

    # As in training, each step is handed over while the one before it runs. A step takes from the end of that
    # one to its own end. The last step is not timed: no other is handed over while it runs.
    throughput, ends = Throughput(config.batch_size), []
    for step in range(WARM_UP_STEPS + steps + 1):
        batch = data.put_batch(throughput.fetch(data.batches))
        before = report["loss"]
        state, report = train_step(state, batch)
        throughput.running(report["loss"])
        jax.block_until_ready(before)
        ends.append(time.perf_counter())
        if step == WARM_UP_STEPS:
            throughput.restart()
    data_wait = None if data.samples_per_s is None else throughput.since("bench")["data_wait"]
    jax.block_until_ready(state)

    fast, step_second, slow = np.percentile(np.diff(ends[WARM_UP_STEPS:]), (10, 50, 90)).tolist()
    flops = count_flops(traced.jaxpr)
    memory = peak_memory(train_step)
    prediction_second, prediction_flops = measure_prediction(experiment, state, batch, steps)
    peak = peak_of(mesh, config.dtype)
    return {
        "samples_per_s": config.batch_size / step_second,
        "step_seconds": step_second,
        "step_seconds_range": [fast, slow],
        "first_step_seconds": first_step_seconds,
        "compile_seconds": compile_seconds,
        "peak_memory_bytes": memory,
        "parameters": num_parameters(state.params),
        "flops_per_step": flops,
        "flops_per_s": flops / step_second,
        "peak_flops_per_s": peak.flops_per_s,
        "peak_is": peak.source,
        "share_of_peak": flops / step_second / peak.flops_per_s,
        "prediction_seconds": prediction_second,
        "prediction_samples_per_s": config.batch_size / prediction_second,
        "flops_per_prediction": prediction_flops,
        "input_samples_per_s": data.samples_per_s,
        "data_wait": data_wait,
        "device": f"{mesh.size} x {jax.devices()[0].device_kind}",
        "versions": {name: importlib.metadata.version(name) for name in ("jax", "jaxlib", "flax", "optax")},
    }


def measure_prediction(
    experiment: Experiment, state: TrainState, batch: Batch, steps: int
) -> tuple[float, int]:
    """Of the scores of a batch that is on the devices already: the median of the seconds, and the FLOPs."""
    predict = experiment.compiled_prediction()
    arguments = state.eval_params, state.batch_stats, batch
    flops = count_flops(jax.make_jaxpr(predict)(*arguments))
    jax.block_until_ready(predict(*arguments))  # compiles
    seconds = []
    for _ in range(steps):
        begun = time.perf_counter()
        jax.block_until_ready(predict(*arguments))
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds), flops


def open_input(config: ConfigDict, steps: int, mesh: Mesh) -> Input:
    """The config's data set, its loader timed alone for `steps` batches; one random batch if not prepared."""
    name, data_dir = config.data.name, config.data.data_dir
    if not is_prepared(name, data_dir):
        shape = configured_shape(config.data)
        batch = random_batch(shape, config.batch_size)
        say(f"{name} is not prepared in {data_dir}: random clips instead")
        put_batch = partial(sharding.put_batch, mesh=mesh)
        return Input(itertools.repeat(batch), put_batch, shape, epoch_steps=1, samples_per_s=None)
    split, put_batch = to_devices(open_training_split(config.data), config.data, mesh)

    def batches() -> Iterator[Batch]:
        return training_batches(
            split,
            batch_size=config.batch_size,
            seed=config.seed,
            num_workers=config.data.num_workers,
            repeat=config.data.repeat,
        )

    alone = batches()
    next(alone)
    begun = time.perf_counter()
    for _ in range(steps):
        next(alone)
    samples_per_s = steps * config.batch_size / (time.perf_counter() - begun)
    epoch_steps = steps_per_epoch(split, batch_size=config.batch_size, repeat=config.data.repeat)
    return Input(batches(), put_batch, split, epoch_steps, samples_per_s)


def peak_memory(compiled: jax.stages.Compiled) -> int:
    """Largest memory in use on a device, in bytes.

    The CPU does not keep count: there it is what the compiled step needs.
    """
    stats = jax.devices()[0].memory_stats()
    if stats:
        return stats["peak_bytes_in_use"]
    return compiled_bytes(compiled)


def table(figures: dict[str, Any]) -> str:
    """The figures for people, a line each."""
    gigabyte, gigaflop = 2**30, 1e9
    fast, slow = figures["step_seconds_range"]
    rows = {
        "device": figures["device"],
        "compile time": f"{figures['compile_seconds']:.1f} s",
        "first step": f"after {figures['first_step_seconds']:.1f} s",
        "step": f"{figures['step_seconds']:.4f} s ({fast:.4f} to {slow:.4f}),"
        f" {1 / figures['step_seconds']:.2f} steps/s",
        "samples": f"{figures['samples_per_s']:.1f} samples/s",
        "prediction": f"{figures['prediction_samples_per_s']:.1f} samples/s",
        "parameters": f"{figures['parameters']:,}",
        "arithmetic": f"{figures['flops_per_step'] / gigaflop:.1f} GFLOP a step,"
        f" {figures['flops_per_s'] / gigaflop:.1f} GFLOP/s;"
        f" {figures['flops_per_prediction'] / gigaflop:.1f} GFLOP a prediction of as many",
        "share of peak": f"{100 * figures['share_of_peak']:.2g} % of"
        f" {figures['peak_flops_per_s'] / gigaflop:.0f} GFLOP/s, {figures['peak_is']}",
        "peak memory": f"{figures['peak_memory_bytes'] / gigabyte:.2f} GiB",
        "loader alone": "-"
        if figures["input_samples_per_s"] is None
        else f"{figures['input_samples_per_s']:.0f} samples/s",
        "waiting for data": "-"
        if figures["data_wait"] is None
        else f"{100 * figures['data_wait']:.2f} % of the time",
    }
    return "\n".join(f"{name + ':':<18}{value}" for name, value in rows.items())


if __name__ == "__main__":
    run_command(main)

"""Compile the training step of any config for an H200, without a GPU, and tell what it would do there.

    python bench/compile_for_gpu.py --config=configs/X.py[:variant] [--config.key=value ...]
                                    [--lines=N] [--hlo=FILE]

Needs the extra `gpu`; tried with JAX 0.11. It finds programs that the compiler for GPUs refuses, how much
of the GPU's memory the step needs, how many kernels it begins and how many bytes it moves: where a step waits
for memory, that is what takes the time. Nothing is run, so nothing is timed. With a GPU at hand the compiler
chooses between kernels by trying them, so that there the figures differ a little.
"""

import time

import jax
from gpu_program import by_source, kernels
from jax.experimental import topologies
from jax.sharding import Mesh
from ml_collections import ConfigDict

from rgbd_jax.command import ArgumentParser, output_file, run_command
from rgbd_jax.config import ConfigArguments
from rgbd_jax.costs import abstract_batch
from rgbd_jax.data.random_clips import configured_shape, random_batch
from rgbd_jax.errors import UserError
from rgbd_jax.experiment import Experiment
from rgbd_jax.files import replacing
from rgbd_jax.training import sharding
from rgbd_jax.training.device_peak import peak_of
from rgbd_jax.training.flops import count_flops
from rgbd_jax.training.memory import compiled_bytes

NAME = "NVIDIA H200"
BANDWIDTH = 4.8e12  # bytes/s, as published
# What the compiler asks of a GPU; in the words of XLA's GpuTargetConfigProto.
H200 = f"""
gpu_device_info {{
  cuda_compute_capability {{ major: 9 }}
  core_count: 132
  fpus_per_core: 128
  clock_rate_ghz: 1.98
  memory_bandwidth: {int(BANDWIDTH)}
  device_memory_size: 150000000000
  l2_cache_size: 62914560
  shared_memory_per_core: 233472
  shared_memory_per_block: 49152
  shared_memory_per_block_optin: 232448
  registers_per_core_limit: 65536
  registers_per_block_limit: 65536
  threads_per_warp: 32
  threads_per_core_limit: 2048
  threads_per_block_limit: 1024
  block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535
  block_dim_limit_z: 65535
}}
platform_name: "CUDA"
dnn_version_info {{ major: 9 minor: 12 }}
runtime_version {{ major: 13 }}
device_description_str: "{NAME}"
"""


def main(argv: list[str]) -> None:
    config_arguments, rest = ConfigArguments.split_from(argv)
    parser = ArgumentParser(prog="compile_for_gpu.py", description=__doc__)
    parser.add_argument("--lines", type=int, default=20, help="of the code, those that move most")
    parser.add_argument("--hlo", type=output_file, help="also write the compiled program there")
    given = parser.parse_args(rest)
    config = config_arguments.load()

    jax.config.update("jax_platforms", "cpu")
    jax.devices()  # finds the plugin
    try:
        gpu = topologies.get_topology_desc("h200", platform="cuda", target_config=H200, topology="1x1x1")
    except NotImplementedError:
        raise UserError("JAX's compiler for GPUs is missing: bash launch/environment.sh gpu") from None
    mesh = sharding.make_mesh(gpu.devices, config.fsdp)
    sharding.check_batch_size("batch_size", config.batch_size, mesh, config.accumulate)
    traced, compiled, seconds = compile_step(config, mesh)
    text = compiled.as_text()
    if given.hlo:
        with replacing(given.hlo) as temporary:
            temporary.write_text(text)

    found = kernels(text)
    moved = sum(kernel.times * kernel.bytes for kernel in found)
    flops, peak = count_flops(traced.jaxpr), peak_of(mesh, config.dtype).flops_per_s
    print(f"compile time:   {seconds:.1f} s")
    print(f"memory:         {compiled_bytes(compiled) / 2**30:.2f} GiB")
    print(f"kernels:        {sum(kernel.times for kernel in found)}")
    milliseconds = 1e3 * moved / BANDWIDTH
    print(f"bytes moved:    {moved / 1e9:.1f} GB, {milliseconds:.2f} ms at {BANDWIDTH / 1e12} TB/s")
    milliseconds = 1e3 * flops / peak
    print(f"arithmetic:     {flops / 1e9:.0f} GFLOP, {milliseconds:.2f} ms at {peak / 1e12:.0f} TFLOP/s")
    least = max(moved / BANDWIDTH, flops / peak)
    print(f"speed by that:  {config.batch_size / least:.0f} samples/s, without help of the cache")
    for place, size, count in by_source(found)[: given.lines]:
        print(f"{size / 1e9:8.2f} GB {100 * size / moved:5.1f} % {count:6} kernels  {place}")


def compile_step(config: ConfigDict, mesh: Mesh) -> tuple[jax.stages.Traced, jax.stages.Compiled, float]:
    """The training step for devices that are not there, and how long its compilation took."""
    shape = configured_shape(config.data)
    experiment = Experiment.build(config, shape, 1, mesh)
    state = jax.eval_shape(experiment.fresh_state)
    batch = abstract_batch(random_batch(shape, 1), config.batch_size)
    arguments = [
        jax.tree.map(lambda leaf, place: leaf.update(sharding=place), tree, places)
        for tree, places in (
            (state, sharding.state_shardings(state, mesh)),
            (batch, dict.fromkeys(batch, sharding.over_samples(mesh))),
        )
    ]
    begun = time.perf_counter()
    traced = experiment.compiled_step().trace(*arguments)
    compiled = traced.lower().compile()
    return traced, compiled, time.perf_counter() - begun


if __name__ == "__main__":
    run_command(main)

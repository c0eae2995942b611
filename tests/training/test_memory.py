"""What a step needs of the memory, what there is, and what a person is told."""

import types

import jax
import jax.numpy as jnp
import pytest

from rgbd_jax.config import load_file, override
from rgbd_jax.errors import OutsideError
from rgbd_jax.training import memory, sharding
from rgbd_jax.training.memory import (
    MeasuredStep,
    StepMemory,
    advice,
    compiled_bytes,
    device_memory,
    explaining_exhaustion,
    host_memory,
    notes,
)

GIB = 2**30


def config(*changes, file="configs/demo.py"):
    return override(load_file(file), [f"--config.{change}" for change in changes])


def test_arguments_and_intermediate_results_are_counted_and_donated_memory_once():
    def step(state, batch):
        return state + jnp.sort(jnp.sort(batch, axis=0), axis=1)[0, 0], {}

    mesh = sharding.make_mesh(jax.devices()[:1])
    state, batch = jnp.zeros(250_000), jnp.ones((1000, 1000))
    step = jax.jit(step, donate_argnums=0)
    measured = MeasuredStep(step, config(), mesh)
    (line,) = measured.compile(state, batch)
    assert line.startswith("memory: a step needs ") and "batch 3.8 MiB," in line
    # A million bytes that are handed on, four of the batch, and at least one sorted matrix.
    assert 9e6 <= compiled_bytes(step.lower(state, batch).compile()) < 2e7
    new, figures = measured(state, batch)
    assert new.shape == (250_000,) and figures == {} and state.is_deleted()
    with pytest.raises(TypeError):  # it is compiled for these shapes, once
        measured(jnp.zeros(3), batch)


def test_each_device_holds_the_state_and_its_share_of_the_batch():
    mesh = sharding.make_mesh()
    state = jax.device_put(jnp.zeros(GIB // 1024), sharding.replicated(mesh))
    batch = jax.device_put(jnp.ones((8, 1000)), sharding.over_samples(mesh))
    measured = MeasuredStep(jax.jit(lambda state, batch: state + batch.sum()), config("batch_size=8"), mesh)
    (line,) = measured.compile(state, batch)
    assert "(parameters and optimizer 4.0 MiB, batch 0.0 MiB," in line


def test_a_step_that_fits_is_told_in_one_line():
    need = StepMemory(state=GIB // 4, batch=GIB // 10, rest=3 * GIB)
    assert notes(need, 79 * GIB, config(), 1) == [
        "memory: a step needs 3.3 GiB on each device (parameters and optimizer 256.0 MiB, batch 102.4 MiB,"
        " intermediate results 3.0 GiB), which has 79.0 GiB"
    ]
    assert len(notes(need, None, config(), 1)) == 1
    assert notes(None, 79 * GIB, config(), 1) == []


@pytest.mark.parametrize("available, words", [(3 * GIB, "more than there is"), (4.2 * GIB, "nearly all")])
def test_a_step_that_does_not_fit_is_warned_of_with_the_keys(available, words):
    need = StepMemory(state=GIB, batch=0, rest=3 * GIB)
    _, warning = notes(need, available, config(), 1)
    assert warning.startswith(f"warning: the step needs {words}")
    assert warning.endswith(
        "less with model.remat=True"
        " or in a new --workdir with dtype=bfloat16, accumulate=2, a smaller batch_size"
    )


def test_only_keys_that_this_config_allows_are_advised():
    assert advice(config("dtype=bfloat16", "model.remat=True", "batch_size=1"), 1).startswith("no key makes")
    assert advice(config("dtype=bfloat16", "accumulate=4", "batch_size=8"), 2).endswith(
        "with model.remat=True, fsdp=2"
    )
    assert advice(config("model.remat=True", "batch_size=1"), 1).endswith(
        "less in a new --workdir with dtype=bfloat16"
    )
    assert "accumulate=3," in advice(config("batch_size=24", "accumulate=2"), 4)
    assert "remat" in advice(config(file="configs/demo_rgbd.py:fusion"), 1)
    with_text = advice(config(file="configs/gap/zero_shot.py"), 1)
    assert "accumulate" not in with_text and "a smaller batch_size" in with_text


def test_devices_of_one_cpu_share_what_the_host_has_free():
    free, device = host_memory(), device_memory(jax.devices()[0])
    assert 0.5 * free < 8 * device < 2 * free


def test_processes_that_were_started_on_one_host_share_it(monkeypatch):
    monkeypatch.setattr(memory, "host_memory", lambda: 8 * 6 * GIB)
    assert device_memory(jax.devices()[0]) == 6 * GIB
    monkeypatch.setenv("RGBD_JAX_WORKER", "3")
    assert device_memory(jax.devices()[0]) == 2 * GIB


def test_a_control_group_may_have_less_than_the_host(tmp_path):
    """Of every version, and where the limit is that of a group above."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text("MemTotal: 100 kB\nMemAvailable:    90 kB\n")
    assert host_memory(tmp_path) == 90 * 1024
    (tmp_path / "proc/self/cgroup").write_text("4:memory:/job/step\n1:cpu:/\n0::/job/step\n")
    second = tmp_path / "sys/fs/cgroup/job"
    (second / "step").mkdir(parents=True)
    (second / "memory.max").write_text("50000\n")
    (second / "step/memory.max").write_text("max\n")
    for folder in (second, second / "step"):
        (folder / "memory.current").write_text("10000\n")
        (folder / "memory.stat").write_text("anon 5\ninactive_file 4000\n")
    assert host_memory(tmp_path) == 50_000 - 10_000 + 4_000
    first = tmp_path / "sys/fs/cgroup/memory/job/step"
    first.mkdir(parents=True)
    (first / "memory.limit_in_bytes").write_text("30000\n")
    (first / "memory.usage_in_bytes").write_text("29000\n")
    (first / "memory.stat").write_text("total_inactive_file 1000\n")
    assert host_memory(tmp_path) == 2_000


def test_exhaustion_is_explained_and_other_faults_stay_what_they_are():
    words = r"memory is exhausted \(RESOURCE_EXHAUSTED: Out of.*\); do less"
    with pytest.raises(OutsideError, match=words), explaining_exhaustion("do less"):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.\nmore")
    with pytest.raises(jax.errors.JaxRuntimeError), explaining_exhaustion("do less"):
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")


def test_more_than_there_can_be_is_really_exhaustion():
    """Beyond the address space, whatever the host promises."""
    with (
        pytest.raises(OutsideError, match=r"\(RESOURCE_EXHAUSTED.*; do less"),
        explaining_exhaustion("do less"),
    ):
        jax.block_until_ready(jax.jit(lambda: jnp.zeros((2**20, 2**20, 2**6)))())


@pytest.mark.parametrize(
    ("platform", "available", "keeps"),
    [
        ("cpu", 3 * GIB, True),
        ("cpu", 2 * GIB, False),  # there is no room for twice as much
        ("cpu", None, False),
        ("gpu", None, True),
    ],
)
def test_memory_is_kept_between_steps_where_there_is_room(monkeypatch, platform, available, keeps):
    device, calls = types.SimpleNamespace(platform=platform), []
    monkeypatch.setattr(memory, "device_memory", lambda found: available)
    monkeypatch.setattr(memory, "keep_freed_memory", lambda: calls.append("keep"))
    monkeypatch.setattr(memory, "give_back_freed_memory", lambda: calls.append("give back"))
    memory.keep_between_steps(StepMemory(state=0, batch=0, rest=GIB), device)
    assert calls == ["give back", "keep"][: 1 + keeps]

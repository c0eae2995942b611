"""A run of six steps that compiles soon, in this process."""

import jax
import pytest

from rgbd_jax.config import load_file, override
from rgbd_jax.train import train
from rgbd_jax.training import sharding


@pytest.fixture(autouse=True)
def one_device(monkeypatch):
    """As on one CPU device, where a resumed run must equal an undisturbed one to the bit."""
    one = sharding.make_mesh(jax.devices()[:1])
    monkeypatch.setattr(sharding, "make_mesh", lambda devices=None, fsdp=1: one)


@pytest.fixture(scope="session")
def small_config(synthetic_data):
    """Three epochs of two steps, a checkpoint after each step."""
    return override(
        load_file("configs/demo.py:debug"),
        [
            f"--config.data.data_dir={synthetic_data}",
            "--config.model.name=baseline_gcn",
            "--config.model.stages=(1,)",
            "--config.batch_size=8",
            "--config.eval_batch_size=8",
            "--config.data.limit=16",
            "--config.num_epochs=3",
            "--config.checkpoint_every=1",
            "--config.log_every=1",
            "--config.schedule.warm_up=0.0",
        ],
    )


@pytest.fixture(scope="session")
def straight(small_config, tmp_path_factory):
    """That run, left alone."""
    workdir = tmp_path_factory.mktemp("runs") / "straight"
    with pytest.MonkeyPatch.context() as patch:
        one = sharding.make_mesh(jax.devices()[:1])
        patch.setattr(sharding, "make_mesh", lambda devices=None, fsdp=1: one)
        train(small_config, workdir)
    return workdir

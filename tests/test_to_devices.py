"""Clips that stay on the devices: the same batches as those that are read again and again."""

import shutil

import jax
import numpy as np
import pytest
from data.faulty_records import cut, rewrite, with_joints
from run_folder import rows

from rgbd_jax.config import load_file, override
from rgbd_jax.data.clip_errors import ClipErrors
from rgbd_jax.data.loader import evaluation_batches, open_split, training_batches
from rgbd_jax.errors import UserError
from rgbd_jax.to_devices import to_devices
from rgbd_jax.train import train
from rgbd_jax.training import sharding


@pytest.fixture
def config(synthetic_data):
    return override(
        load_file("configs/demo.py:debug"),
        [
            f"--config.data.data_dir={synthetic_data}",
            "--config.model.name=baseline_gcn",
            "--config.model.stages=(1,)",
            "--config.num_epochs=2",
        ],
    )


def batches_of(split, config, make_batches, mesh, count):
    """Some batches, ids and all, as they come to the devices."""
    source, put_batch = to_devices(split, config.data, mesh)
    stream = iter(make_batches(source))
    found = []
    for _ in range(count):
        batch = next(stream)
        found.append({"id": batch["id"]} | put_batch(batch))
    return found


def assert_same(found, expected):
    for batch, wanted in zip(found, expected, strict=True):
        assert batch.keys() == wanted.keys()
        for name in wanted:
            assert batch[name].dtype == wanted[name].dtype
            np.testing.assert_array_equal(np.asarray(batch[name]), np.asarray(wanted[name]))


@pytest.mark.parametrize("num_devices", [1, 8])
def test_batches_are_the_same_to_the_bit(config, num_devices):
    mesh = sharding.make_mesh(jax.devices()[:num_devices])
    resident = override(config, ["--config.data.resident=True"])
    split = open_split("synthetic", config.data.data_dir, "train", limit=18)

    def training(split):
        return training_batches(split, batch_size=8, seed=3, repeat=2)

    def evaluation(split):
        return evaluation_batches(split, batch_size=8)

    def with_workers(split):
        return training_batches(split, batch_size=8, seed=3, repeat=2, num_workers=2)

    ways = [(training, 6), (evaluation, 3)] + [(with_workers, 6)] * (num_devices == 1)
    for make_batches, count in ways:
        expected = batches_of(split, config, make_batches, mesh, count)
        found = batches_of(split, resident, make_batches, mesh, count)
        assert_same(found, expected)
        assert found[0]["joints"].sharding == sharding.over_samples(mesh)


def test_faulty_clips_are_left_out_alike(config, tmp_path):
    shutil.copytree(f"{config.data.data_dir}/synthetic", tmp_path / "synthetic")
    nan = with_joints(lambda numbers: [np.nan] * len(numbers))
    rewrite(tmp_path / "synthetic" / "1.0.0", "train", {2: nan, 4: cut})
    split = open_split("synthetic", tmp_path, "train", limit=18)
    mesh = sharding.make_mesh(jax.devices()[:1])

    def named(changes):
        errors = ClipErrors("skip", tmp_path / f"{len(changes)}.jsonl", "train")
        found = batches_of(
            split,
            override(config, changes),
            lambda source: training_batches(source, batch_size=4, seed=1, errors=errors),
            mesh,
            4,
        )
        return found, (tmp_path / f"{len(changes)}.jsonl").read_text()

    expected, expected_names = named([])
    found, names = named(["--config.data.resident=True"])
    assert_same(found, expected)
    assert names == expected_names and names.count("\n") == 2


def test_a_run_may_go_on_with_its_clips_on_the_devices(config, tmp_path, capsys):
    train(config, tmp_path / "straight")
    train(override(config, ["--config.stop_epoch=1"]), tmp_path / "run")
    capsys.readouterr()
    train(override(config, ["--config.data.resident=True"]), tmp_path / "run")
    assert "synthetic, split train: 16 clips stay on each device, " in capsys.readouterr().err
    assert rows(tmp_path / "run") == rows(tmp_path / "straight")


def test_frames_of_video_are_never_resident():
    with pytest.raises(UserError, match="resident"):
        override(load_file("configs/demo_rgbd.py:rgb"), ["--config.data.resident=True"])

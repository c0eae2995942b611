"""A run on colour and depth video as a whole: prepared, trained, stopped, gone on with, evaluated, drawn."""

import dataclasses
import json

import jax
import matplotlib.image
import numpy as np
import pytest
from data.video_files import write_folder, write_image, write_list
from run_folder import rows

from rgbd_jax import evaluate
from rgbd_jax.data import images
from rgbd_jax.data.builders import synthetic_rgbd
from rgbd_jax.data.builders.custom import Custom
from rgbd_jax.errors import UserError
from rgbd_jax.main import main
from rgbd_jax.training import sharding
from rgbd_jax.training.checkpoint import describe
from rgbd_jax.training.checkpoint_folders import resolve

BRANCHES = {"depth": ("small", "media", "large"), "fusion": ("rgb", "depth")}


@pytest.fixture(scope="module", params=["depth", pytest.param("fusion", marks=pytest.mark.slow)])
def modality(request):
    return request.param


@pytest.fixture(scope="module")
def run(modality, tmp_path_factory):
    """The folder of a finished run at debug size, whose rate follows the validation: two epochs of two steps,
    the second after an interruption; with what the evaluation adds."""
    folder = tmp_path_factory.mktemp("video")
    one_device = sharding.make_mesh(jax.devices()[:1])
    # Optax's Adam raises numbers to integer powers, which is not strict.
    with pytest.MonkeyPatch.context() as patch, jax.numpy_dtype_promotion("standard"):
        patch.setattr(sharding, "make_mesh", lambda devices=None, fsdp=1: one_device)
        patch.setattr(synthetic_rgbd, "CLIPS_PER_ACTION", {"train": 2, "test": 1})
        training = [
            f"--config=configs/demo_rgbd.py:{modality},debug",
            f"--workdir={folder / 'run'}",
            f"--config.data.data_dir={folder / 'data'}",
            "--config.num_epochs=2",
            "--config.schedule.name=plateau",
        ]
        main([*training, "--config.stop_epoch=1"])
        main(training)
        main(["--mode=eval", f"--workdir={folder / 'run'}", "--config.visualize=2"])
    return folder / "run"


def test_the_log_has_both_epochs_with_the_figures_of_the_branches(run, modality):
    for split in ("train", "valid"):
        assert [row["step"] for row in rows(run, kind="epoch", split=split)] == [2, 4]
    last = rows(run, kind="epoch", split="train")[-1]
    assert {"top1", "distillation", *(f"top1_{name}" for name in BRANCHES[modality])} <= last.keys()
    assert last["loss"] > 0 and last["skipped"] == 0
    rates = [row["lr"] for row in rows(run, kind="step")]
    assert len(rates) == 4 and 0 < rates[0] <= rates[-1]


def test_the_evaluation_is_that_of_the_last_epoch(run, modality):
    metrics = json.loads((run / "eval" / "metrics.json").read_text())
    logged = rows(run, kind="epoch", split="valid")[-1]
    assert metrics["count"] == 10 and metrics["checkpoint_step"] == 4
    for name in ("top1", "top1_published", *(f"top1_{name}" for name in BRANCHES[modality])):
        assert metrics[name] == logged[name]
    assert metrics["loss"] == pytest.approx(logged["loss"], rel=1e-5)
    with np.load(run / "eval" / "scores.npz") as scores:
        assert scores["logits"].shape == (10, 10)
        assert scores["lengths"].shape == (10,) and scores["lengths"].min() > 16
        assert all(scores[f"logits_{name}"].shape == (10, 10) for name in BRANCHES[modality])


def test_a_checkpoint_knows_that_depth_was_measured(run, modality):
    known = {"depth": images.DEPTH} | ({"rgb": images.COLOUR} if modality == "fusion" else {})
    assert describe(resolve(run)).channels == known


def test_depth_of_the_other_kind_is_refused(run, monkeypatch):
    painted = dataclasses.replace(describe(resolve(run)), channels={"depth": images.COLOUR})
    monkeypatch.setattr(evaluate, "describe", lambda checkpoint: painted)
    with pytest.raises(
        UserError,
        match=r"checkpoints/4: was trained on depth in colours of 8 bits; that of the data set synthetic_rgbd"
        " is measured, of 16 bits$",
    ):
        main(["--mode=eval", f"--workdir={run}"])


def test_the_samples_are_drawn(run, modality):
    folders = [path for path in (run / "eval" / "pictures").glob("0*") if path.is_dir()]
    assert len(folders) == 2
    for folder in folders:
        for place in [folder / name for name in BRANCHES["fusion"]] if modality == "fusion" else [folder]:
            pictures = list(place.glob("*.png"))
            assert len(pictures) >= 3
            assert all(matplotlib.image.imread(picture).std() > 0 for picture in pictures)


def test_a_checkpoint_for_another_class_count_is_refused(run, tmp_path):
    source = tmp_path / "source"
    write_list(source / "classes.txt", ["wave", "clap hands"])
    write_list(source / "dataset_splits" / "test.txt", ["me/take_1 8 1"])
    write_folder(source / "rgb" / "me" / "take_1", "%06d.jpg", 0, 8)
    for number in range(8):
        path = source / "depth" / "me" / "take_1" / f"{number:06d}.png"
        write_image(path, 1000 + np.arange(24 * 32, dtype=np.uint16).reshape(24, 32))
    Custom(data_dir=tmp_path / "data", source=source).prepare()
    before = sorted(run.rglob("*"))
    other = ["--config.data.name=custom", f"--config.data.data_dir={tmp_path / 'data'}"]
    with pytest.raises(UserError) as caught:
        main(["--mode=eval", f"--workdir={run}", *other])
    assert str(caught.value) == (
        f"{run / 'checkpoints' / '4'}: was trained on 10 classes (wave, wave while marching, march …);"
        " the data set custom has 2 classes (wave, clap hands)"
    )
    assert sorted(run.rglob("*")) == before

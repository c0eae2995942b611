"""A run of all four streams as a whole: trained, evaluated, drawn, joined, gone on with, started from."""

import json
import re

import jax
import numpy as np
import pytest
from run_folder import EVALUATION, rows

from rgbd_jax.config import ConfigArguments
from rgbd_jax.data.loader import open_split
from rgbd_jax.ensemble import main as ensemble
from rgbd_jax.errors import UserError
from rgbd_jax.experiment import Experiment
from rgbd_jax.main import main
from rgbd_jax.report import ensemble as published
from rgbd_jax.report.scores import read_scores
from rgbd_jax.streams import STREAMS
from rgbd_jax.training import sharding
from rgbd_jax.training.transfer import find_start, start_from


@pytest.fixture(scope="module")
def one_device():
    """The step compiles sooner for one; and weights are published for the data set."""
    mesh = sharding.make_mesh(jax.devices()[:1])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharding, "make_mesh", lambda devices=None, fsdp=1: mesh)
        patch.setattr(published, "_PUBLISHED_DATA_SETS", ("synthetic",))
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("streams")


@pytest.fixture(scope="module")
def training(synthetic_data, one_device):
    """An epoch of two steps, with a network that compiles soon."""
    return [
        "--config=configs/demo.py:debug",
        "--config.task.stream=all",
        "--config.model.name=baseline_gcn",
        f"--config.data.data_dir={synthetic_data}",
    ]


@pytest.fixture(scope="module")
def run(training, folder):
    """The folder of a finished run, with what evaluation adds."""
    workdir = f"--workdir={folder / 'run'}"
    main([*training, workdir])
    main(["--mode=eval", workdir, "--report", "--config.visualize=2"])
    return folder / "run"


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def test_the_log_has_the_ensemble_and_its_streams(run):
    for split in ("train", "valid"):
        for row in rows(run, kind="epoch", split=split):
            assert {"loss", "top1", *(f"top1_{stream}" for stream in STREAMS)} <= row.keys()


def test_each_stream_has_an_evaluation_of_its_own(run):
    whole, logged = metrics(run / "eval"), rows(run, kind="epoch", split="valid")[-1]
    files = {*EVALUATION, *STREAMS, "pictures", "report.html"}
    assert {path.name for path in (run / "eval").iterdir()} == files
    for stream in STREAMS:
        own = run / "eval" / stream
        assert {path.name for path in own.iterdir()} == EVALUATION
        assert read_scores(own / "scores.npz").stream == stream
        assert metrics(own)["top1"] == whole[f"top1_{stream}"] == logged[f"top1_{stream}"]
        assert metrics(own)["checkpoint_step"] == whole["checkpoint_step"] == 2
    assert (whole["top1"], whole["count"]) == (logged["top1"], logged["count"])


def test_the_command_ensemble_gives_the_same_figures(run, capsys):
    ensemble([str(run), f"--output={run / 'joint.npz'}"])
    printed = capsys.readouterr().out
    lines = re.findall(r"^(.+): top-1 (\S+) %, top-5 (\S+) %(?:, weight (\S+))?", printed, re.MULTILINE)
    folders = [*(run / "eval" / stream for stream in STREAMS), run / "eval"]
    for (_, top1, top5, weight), own, expected in zip(
        lines, folders, ("0.8", "0.8", "0.2", "0.2", ""), strict=True
    ):
        found = metrics(own)
        assert (top1, top5) == (f"{100 * found['top1']:.4f}", f"{100 * found['top5']:.4f}")
        assert weight == expected
    ours, theirs = read_scores(run / "eval" / "scores.npz"), read_scores(run / "joint.npz")
    assert ours.stream == theirs.stream == "+".join(STREAMS)
    order = np.argsort(ours.ids)
    np.testing.assert_array_equal(ours.ids[order], theirs.ids)
    np.testing.assert_array_equal(ours.logits[order], theirs.logits)


def test_each_stream_of_a_sample_is_drawn(run):
    folders = [path for path in (run / "eval" / "pictures").iterdir() if path.is_dir()]
    assert len(folders) == 2
    for own in folders:
        assert {str(path.relative_to(own)) for path in own.rglob("*.png")} == {
            "joint/skeleton.png",
            "bone/skeleton.png",
            "joint_motion/motion.png",
            "bone_motion/motion.png",
            *(f"{stream}/joint_activation.png" for stream in STREAMS),
        }


def start(run, training, *overrides):
    """The state of a new run that starts from `run`, and the state that it had at first."""
    overrides = [*overrides, f"--config.init_from={run}"]
    config = ConfigArguments.split_from([*training, *overrides])[0].load()
    split = open_split(config.data.name, config.data.data_dir, "train")
    experiment = Experiment.build(config, split, 1, sharding.make_mesh())
    fresh = experiment.initial_state()
    return start_from(find_start(config, experiment.task.trunks), fresh, split.class_names), fresh


def test_the_report_has_the_figures_of_the_streams(run):
    page = (run / "eval" / "report.html").read_text()
    for stream in STREAMS:
        assert f"<td>top-1 of the stream {stream}</td>" in page
    assert page.count("<img ") == 2 * 8


def test_another_run_starts_from_all_streams(run, training, capsys):
    state, fresh = start(run, training, "--config.seed=2")
    assert "; 0 arrays start fresh; 0 arrays are not used" in capsys.readouterr().err
    for found, other in zip(*(jax.tree.leaves(whole.batch_stats) for whole in (state, fresh)), strict=True):
        assert np.abs(found - other).max() > 0


def test_a_network_of_one_stream_is_another(run, training):
    one = "--config.task.stream=joint"
    with pytest.raises(UserError, match="has 0 % of the parameters in common with the network"):
        start(run, training, one)
    with pytest.raises(UserError, match="is a checkpoint of another network"):
        main(["--mode=eval", f"--workdir={run}", one])


@pytest.mark.slow
def test_an_interruption_changes_nothing(training, folder):
    epochs = "--config.num_epochs=2"
    for workdir, stops in (("straight", ()), ("stopped", ("--config.stop_epoch=1",)), ("stopped", ())):
        main([*training, epochs, f"--workdir={folder / workdir}", *stops])
    assert rows(folder / "stopped") == rows(folder / "straight")
    assert len(rows(folder / "straight", kind="epoch", split="valid")) == 2

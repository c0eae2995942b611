"""Zero-shot recognition from the config to the figures."""

import importlib.util
import json

import jax
import numpy as np
import pytest

from rgbd_jax.data.synthetic.actions import ACTIONS, PARTS
from rgbd_jax.errors import UserError
from rgbd_jax.main import main
from rgbd_jax.report.metrics import summary
from rgbd_jax.report.scores import read_scores
from rgbd_jax.text.source import find_prompts
from rgbd_jax.training import sharding

CONFIG = "configs/gap/zero_shot.py"


@pytest.fixture(scope="module")
def pairs():
    spec = importlib.util.spec_from_file_location("zero_shot", CONFIG)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.PAIRS


def movements(action):
    """What kinds of parts do in it, left or right."""
    return {(PARTS[part], movement) for part, movement in ACTIONS[action].items()}


def test_every_movement_of_a_held_out_action_is_seen_in_training(pairs):
    for pair in pairs.values():
        seen = set().union(*(movements(action) for action in ACTIONS if action not in pair))
        for action in pair:
            assert movements(action) <= seen, action


def test_the_pairs_are_disjoint_and_differ_in_more_than_one_part(pairs):
    held_out = [action for pair in pairs.values() for action in pair]
    assert len(set(held_out)) == len(held_out) == 6
    for first, second in pairs.values():
        assert not movements(first) & movements(second)
        texts = [find_prompts("synthetic").select([action]).classes[0].parts for action in (first, second)]
        assert sum(a != b for a, b in zip(*texts, strict=True)) >= 2


@pytest.fixture(scope="module")
def run(synthetic_data, tmp_path_factory):
    """Two steps of 14 clips: of the first 36, four each of `march` and `push and squat` are held out. Then
    evaluated: so many of the first 36 test clips show them. On one device, for which it compiles sooner."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    one_device = sharding.make_mesh(jax.devices()[:1])
    options = ["--config.data.limit=36", "--config.batch_size=14", "--config.eval_batch_size=18"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharding, "make_mesh", lambda devices=None, fsdp=1: one_device)
        main(
            [f"--config={CONFIG}:march_push,debug", f"--workdir={folder}"]
            + [f"--config.data.data_dir={synthetic_data}", *options]
        )
        main(["--mode=eval", f"--workdir={folder}", "--report", "--config.visualize=1"])
    return folder


def test_a_run_reports_the_unseen_and_the_seen_classes(run):
    scores = read_scores(run / "eval" / "scores.npz")
    assert scores.held_out == ("march", "push and squat")
    metrics = json.loads((run / "eval" / "metrics.json").read_text())
    assert metrics["count"] == 36
    figures = summary(scores)
    assert {"top1_unseen", "top1_seen", "harmonic_mean", "generalised_harmonic_mean"} <= figures.keys()
    for name, value in figures.items():
        assert metrics[name] == pytest.approx(value, rel=1e-6), name
    # Cosines, times scales that begin at 2.66.
    assert 0 < np.abs(scores.logits).max() < 2.7


def test_the_report_shows_what_was_held_out(run):
    page = (run / "eval" / "report.html").read_text()
    assert "<h3>unseen classes, among themselves</h3>" in page and "<h3>harmonic mean of both</h3>" in page
    assert page.count(">held out</small>") == 2
    # The classifier's activation says nothing about what descriptions decide.
    assert [path.name for path in (run / "eval" / "pictures").rglob("00*/*")] == ["skeleton.png"]


def test_training_validates_as_evaluation_does(run):
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if row["kind"] == "step"] == [1, 2]
    (valid,) = [row for row in rows if row["split"] == "valid"]
    metrics = json.loads((run / "eval" / "metrics.json").read_text())
    for name in ("top1", "top1_unseen", "top1_seen", "generalised_seen"):
        assert valid[name] == pytest.approx(metrics[name]), name


def test_evaluation_keeps_what_was_held_out(run):
    with pytest.raises(UserError, match=r"config.data.held_out=\('kick',\): .* was trained with \('march'"):
        main(["--mode=eval", f"--workdir={run}", "--config.data.held_out=kick"])


def test_an_unknown_class_is_named_before_anything_is_written(synthetic_data, tmp_path):
    with pytest.raises(
        UserError, match="'march_on' is no class of synthetic; its classes are wave, wave while"
    ):
        main(
            [f"--config={CONFIG}:march_push,debug", f"--workdir={tmp_path / 'run'}"]
            + [f"--config.data.data_dir={synthetic_data}", "--config.data.held_out=march_on"]
        )
    assert not (tmp_path / "run").exists()

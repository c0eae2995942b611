import csv
import json
import math
from dataclasses import replace

import matplotlib.image
import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.colors import to_rgb
from report.contrast import contrast, rows_of_all_shares

from rgbd_jax.errors import OutsideError
from rgbd_jax.report import evaluation
from rgbd_jax.report.ensemble import combine_streams
from rgbd_jax.report.evaluation import write_evaluation
from rgbd_jax.report.pictures import accuracy_precision_picture, confusion_picture, save
from rgbd_jax.report.pictures.labels import shortened, verbatim
from rgbd_jax.report.scores import read_scores


def read_csv(path):
    return list(csv.reader(path.read_text(encoding="utf-8").splitlines()))


def test_all_files_agree_with_the_scores(tmp_path, scores):
    metrics = write_evaluation(tmp_path / "eval", scores, {"checkpoint_step": 12, "skipped": 0})
    folder = tmp_path / "eval"
    assert sorted(path.name for path in folder.iterdir()) == [
        "confusion_matrix.csv",
        "confusion_matrix.png",
        "errors.csv",
        "metrics.json",
        "per_class.csv",
        "scores.npz",
    ]
    assert json.loads((folder / "metrics.json").read_text()) == metrics
    assert metrics["checkpoint_step"] == 12
    assert metrics["skipped"] == 0
    assert (metrics["data_set"], metrics["split"]) == ("synthetic", "test")
    np.testing.assert_array_equal(read_scores(folder / "scores.npz").logits, scores.logits)
    assert read_csv(folder / "per_class.csv") == [
        ["class", "count", "recall", "precision"],
        ["wave", "2", "0.500000", "0.500000"],
        ["sit down", "3", "0.666667", "0.666667"],
        ["stand up", "2", "0.500000", "1.000000"],
        ["jump, twice", "0", "", "0.000000"],
    ]
    assert read_csv(folder / "confusion_matrix.csv") == [
        ["true class", "wave", "sit down", "stand up", "jump, twice"],
        ["wave", "1", "1", "0", "0"],
        ["sit down", "0", "2", "0", "1"],
        ["stand up", "1", "0", "1", "0"],
        ["jump, twice", "0", "0", "0", "0"],
    ]


def test_errors_are_listed_with_the_surest_first(tmp_path, scores):
    write_evaluation(tmp_path, scores, {})
    header, *rows = read_csv(tmp_path / "errors.csv")
    assert header == ["id", "label", "prediction", "probability"]
    assert [row[:3] for row in rows] == [
        ["clip2", "wave", "sit down"],
        ["clip5", "sit down", "jump, twice"],
        ["clip4", "stand up", "wave"],
    ]
    expected = [
        math.exp(top) / sum(map(math.exp, logits))
        for top, logits in ((5, (1, 5, 0, 0)), (3, (0, 0, 1, 3)), (2, (2, 0, 0, 1)))
    ]
    np.testing.assert_allclose([float(row[3]) for row in rows], expected, atol=1e-6)


def test_a_second_evaluation_replaces_the_first(tmp_path, scores):
    write_evaluation(tmp_path, scores, {"checkpoint_step": 1})
    files = sorted(tmp_path.iterdir())
    write_evaluation(tmp_path, scores, {"checkpoint_step": 2})
    assert sorted(tmp_path.iterdir()) == files
    assert json.loads((tmp_path / "metrics.json").read_text())["checkpoint_step"] == 2


def test_an_interrupted_evaluation_has_no_metrics(tmp_path, scores, monkeypatch):
    write_evaluation(tmp_path, scores, {"checkpoint_step": 1})

    def interrupt(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(evaluation, "write_errors", interrupt)
        write_evaluation(tmp_path, scores, {"checkpoint_step": 2})
    assert not (tmp_path / "metrics.json").exists()
    assert not list(tmp_path.glob(".*"))
    write_evaluation(tmp_path, scores, {"checkpoint_step": 2})
    assert (tmp_path / "metrics.json").exists()


def test_an_ensemble_has_the_files_of_each_stream(tmp_path, scores, monkeypatch):
    bones = replace(scores, logits=2 * scores.logits[:, ::-1], stream="bone")
    joint = combine_streams([scores, bones])
    metrics = write_evaluation(tmp_path, joint, {"checkpoint_step": 1})
    np.testing.assert_allclose(joint.logits, scores.logits + bones.logits)
    own = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert sorted(path.name for path in own) == ["bone", "joint"]
    files = {path.name for path in tmp_path.iterdir()} - {"bone", "joint"}
    for folder, part in ((tmp_path / "joint", scores), (tmp_path / "bone", bones)):
        assert {path.name for path in folder.iterdir()} == files
        np.testing.assert_array_equal(read_scores(folder / "scores.npz").logits, part.logits)
        found = json.loads((folder / "metrics.json").read_text())
        assert found["checkpoint_step"] == 1
        assert found["top1"] == metrics[f"top1_{part.stream}"]

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluation, "write_errors", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_evaluation(tmp_path, joint, {"checkpoint_step": 2})
    assert not (tmp_path / "metrics.json").exists()


HOSTILE = ("$x$ and $y", "$", "\\$a$", "挥手 \U0001f44b")


def test_names_that_pictures_cannot_read_as_text_cost_nothing(tmp_path, scores):
    hostile = replace(scores, class_names=HOSTILE, ids=np.array([f"{name}$$" for name in scores.ids]))
    write_evaluation(tmp_path, hostile, {})
    axes = confusion_picture(np.eye(4, dtype=np.int64), HOSTILE).axes[0]
    for axis in (axes.xaxis, axes.yaxis):
        assert tuple(label.get_text() for label in axis.get_ticklabels()) == HOSTILE
        assert not any(label.get_parse_math() for label in axis.get_ticklabels())
    assert (tmp_path / "metrics.json").exists()
    save(accuracy_precision_picture(np.eye(4, dtype=np.int64), HOSTILE), tmp_path / "classes.png")


def test_fonts_with_more_signs_are_used_if_they_are_installed(monkeypatch):
    installed = ["DejaVu Sans", "Unifont", "Noto Sans CJK JP"]
    monkeypatch.setattr(font_manager, "get_font_names", lambda: installed)
    verbatim.cache_clear()
    try:
        assert verbatim()["fontfamily"] == ["sans-serif", "Noto Sans CJK JP", "Unifont"]
    finally:
        verbatim.cache_clear()


def test_a_long_name_loses_letters_of_its_middle():
    names = [f"pick up something with {hands}" for hands in ("one hand", "two hands")]
    assert [shortened(name) for name in names] == [
        "pick up somethin…th one hand",
        "pick up somethin…h two hands",
    ]


def test_scores_that_are_not_finite_have_a_column_of_their_own(tmp_path, scores):
    scores.logits[2] = np.nan
    metrics = write_evaluation(tmp_path, scores, {})
    assert (metrics["not_finite"], metrics["top1"], metrics["loss"]) == (
        1,
        4 / 7,
        pytest.approx(np.nan, nan_ok=True),
    )
    header, wave, *_ = read_csv(tmp_path / "confusion_matrix.csv")
    assert header[1:] == [*scores.class_names, "not finite"] and wave == ["wave", "1", "0", "0", "0", "1"]
    assert read_csv(tmp_path / "per_class.csv")[1] == ["wave", "2", "0.500000", "0.500000"]
    assert read_csv(tmp_path / "errors.csv")[-1] == ["clip2", "wave", "not finite", ""]


def test_counts_can_be_read_on_their_cells():
    axes, *_ = confusion_picture(rows_of_all_shares(40), [str(number) for number in range(40)]).axes
    assert len(axes.texts) == 2 * 39
    for text in axes.texts:
        column, row = text.get_position()
        cell = axes.images[0].to_rgba(axes.images[0].get_array()[row, column])[:3]
        assert contrast(cell, to_rgb(text.get_color())) >= 4.5


def test_a_folder_below_a_file_is_trouble_from_outside(tmp_path, scores):
    (tmp_path / "run").write_text("")
    with pytest.raises(OutsideError, match=r"eval.metrics\.json: cannot be removed"):
        write_evaluation(tmp_path / "run" / "eval", scores, {})


@pytest.mark.parametrize("classes", [1, 10, 120])
def test_the_picture_shows_every_class(tmp_path, classes):
    confusion = np.eye(classes, dtype=np.int64) * 7
    names = [f"a class with quite a long name {k}" for k in range(classes)]
    figure = confusion_picture(confusion, names)
    axes = figure.axes[0]
    assert len(axes.get_xticklabels()) == len(axes.get_yticklabels()) == classes
    figure.savefig(tmp_path / "picture.png")
    height, width, _ = matplotlib.image.imread(tmp_path / "picture.png").shape
    # Every row is high enough for its name.
    assert min(height, width) > 12 * classes

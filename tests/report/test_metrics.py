import csv
import dataclasses
from pathlib import Path

import numpy as np
import pytest

from rgbd_jax.report.metrics import (
    class_figures,
    confusion_matrix,
    cross_entropy,
    log_probabilities,
    predictions,
    samples_line,
    summary,
    top_k,
    zero_shot_figures,
)
from rgbd_jax.report.scores import Scores

PUBLISHED = Path(__file__).parents[1] / "golden" / "gap" / "evaluation"


def scores_of(logits, labels):
    logits = np.asarray(logits, np.float32)
    return Scores(
        ids=np.array([str(i) for i in range(len(logits))]),
        logits=logits,
        labels=np.asarray(labels, np.int32),
        class_names=tuple(f"class {k}" for k in range(logits.shape[1])),
    )


def test_the_published_evaluation_is_reproduced(golden):
    inputs = golden("gap/evaluation/inputs.npz")
    scores = scores_of(inputs["scores"], inputs["labels"])
    per_class, *confusion = csv.reader(
        (PUBLISHED / "epoch1_test_each_class_acc.csv").read_text().splitlines()
    )
    np.testing.assert_array_equal(confusion_matrix(scores), np.array(confusion, int))
    _, recall, _ = class_figures(confusion_matrix(scores))
    np.testing.assert_array_equal(recall, np.array(per_class, float))

    metrics = summary(scores)
    assert metrics["top1"] == float(inputs["accuracy"])
    assert inputs["log"][2:].tolist() == [
        f"\tTop1: {100 * metrics['top1']:.2f}%",
        f"\tTop5: {100 * metrics['top5']:.2f}%",
    ]
    assert metrics["mean_class_accuracy"] == pytest.approx(np.mean(np.array(per_class, float)), rel=1e-15)
    # The original averages its batches, the last of which is smaller; ours is the mean over the samples.
    losses = cross_entropy(scores)
    of_batches = [losses[i : i + int(inputs["batch"])].mean() for i in range(0, 23, int(inputs["batch"]))]
    assert np.mean(of_batches) == pytest.approx(float(inputs["loss"][0]), rel=1e-6)
    assert metrics["loss"] == pytest.approx(losses.mean(), rel=1e-15)

    predicted = predictions(scores)
    all_pairs = [tuple(map(int, line.split(","))) for line in (PUBLISHED / "right.txt").read_text().split()]
    assert list(zip(predicted, scores.labels, strict=True)) == all_pairs
    wrong = [line.split(",")[0] for line in (PUBLISHED / "wrong.txt").read_text().split()]
    assert [f"tensor({i})" for i in np.flatnonzero(predicted != scores.labels)] == wrong


def test_figures_of_a_small_case(scores):
    assert confusion_matrix(scores).tolist() == [[1, 1, 0, 0], [0, 2, 0, 1], [1, 0, 1, 0], [0, 0, 0, 0]]
    support, recall, precision = class_figures(confusion_matrix(scores))
    assert support.tolist() == [2, 3, 2, 0]
    np.testing.assert_allclose(recall, [1 / 2, 2 / 3, 1 / 2, np.nan])
    np.testing.assert_allclose(precision, [1 / 2, 2 / 3, 1, 0])
    metrics = summary(scores)
    assert metrics["count"] == 7
    assert metrics["top1"] == pytest.approx(4 / 7)
    assert metrics["top5"] == 1.0  # of four classes
    # The class without samples counts neither as right nor as wrong.
    assert metrics["mean_class_accuracy"] == pytest.approx((1 / 2 + 2 / 3 + 1 / 2) / 3)


def test_short_recordings_are_left_out_of_figures_of_their_own(scores):
    """Published are recordings of more than 16 frames; of the four that remain here, two are recognised."""
    lengths = np.array([16, 17, 80, 17, 30, 3, 1], np.int32)
    other = np.eye(4, dtype=np.float32)[[0, 1, 0, 0, 0, 0, 0]]
    both = dataclasses.replace(
        scores, branches={"first": scores.logits, "second": other}, published=(("first",), ("second",))
    )
    metrics = summary(dataclasses.replace(both, lengths=lengths))
    assert metrics == summary(both) | {
        "top1_over_16_frames": 2 / 4,
        "count_over_16_frames": 4,
        "top1_published_over_16_frames": 2 / 4,
    }
    assert metrics["top1"] == pytest.approx(4 / 7)
    better = dataclasses.replace(both, published=(("first",), ("second",), ("first", "second")))
    better.branches["second"][[1, 2, 3, 4], scores.labels[[1, 2, 3, 4]]] = 9
    assert summary(dataclasses.replace(better, lengths=lengths))["top1_published_over_16_frames"] == 1


@pytest.mark.parametrize("length", [16, 17])
def test_recordings_of_one_kind_have_no_such_figures(scores, length):
    alike = dataclasses.replace(scores, lengths=np.full(7, length, np.int32))
    assert summary(alike) == summary(scores)


def test_the_order_of_samples_changes_nothing(scores):
    order = np.random.default_rng(0).permutation(7)
    shuffled = dataclasses.replace(
        scores, ids=scores.ids[order], logits=scores.logits[order], labels=scores.labels[order]
    )
    assert summary(shuffled) == pytest.approx(summary(scores), rel=1e-15)


def test_of_equal_scores_the_lower_class_comes_first():
    scores = scores_of([[0, 1, 1, 1]] * 4, [0, 1, 2, 3])
    assert predictions(scores).tolist() == [1, 1, 1, 1]
    assert [top_k(scores, k) for k in (1, 2, 3, 4)] == [0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize("bad", [(np.nan, 0, 1), (np.nan,) * 3, (-np.inf,) * 3, (np.inf, 0, 0)])
def test_scores_that_are_not_finite_are_a_mistake_in_every_figure(bad):
    scores = scores_of([bad, (3, 1, 0), (-np.inf, 5, 0), (0, 9, 0)], [0, 0, 1, 2])
    assert predictions(scores).tolist() == [3, 0, 1, 1]
    metrics = summary(dataclasses.replace(scores, held_out=("class 1",)))
    assert metrics["not_finite"] == 1
    assert (metrics["top1"], metrics["top5"]) == (2 / 4, 3 / 4)
    assert metrics["mean_class_accuracy"] == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert (metrics["top1_unseen"], metrics["generalised_seen"]) == (1, 1 / 3)
    confusion = confusion_matrix(scores)
    assert confusion.tolist() == [[1, 0, 0, 1], [0, 1, 0, 0], [0, 1, 0, 0]]
    support, recall, precision = class_figures(confusion)
    assert (support.tolist(), recall.tolist()) == ([2, 1, 1], [1 / 2, 1, 0])
    np.testing.assert_array_equal(precision, [1, 1 / 2, np.nan])
    rest = scores.take(np.arange(1, 4))
    assert confusion_matrix(rest).shape == (3, 3) and "not_finite" not in summary(rest)


def test_what_is_amiss_with_samples_is_said():
    assert samples_line({"count": 1234, "skipped": 0}) == "1,234 samples"
    said = samples_line({"count": 188, "skipped": 12, "not_finite": 3})
    assert said.startswith("188 samples; 12 more were left out as faulty; the scores of 3 are not finite")


def test_large_scores_do_not_overflow():
    scores = scores_of([[1e4, 0], [-1e4, 1e4]], [0, 0])
    np.testing.assert_allclose(cross_entropy(scores), [0, 2e4])
    np.testing.assert_allclose(np.exp(log_probabilities(scores)).sum(axis=1), 1)


def test_unseen_and_seen_classes_compete_apart_and_together(scores):
    """Of the fixture, with class 1 and class 3 (which has no samples) held out.

    Samples of class 1: 1 and 6 find it, 5 finds class 3. Of the others 0 and 3 find theirs, 4 (class 2) finds
    0, and 2 (class 0) finds 1, or 0 if that may not compete.
    """
    figures = zero_shot_figures(dataclasses.replace(scores, held_out=("jump, twice", "sit down")))
    assert figures == pytest.approx(
        {
            "top1_unseen": 2 / 3,
            "top1_seen": 3 / 4,
            "harmonic_mean": 2 / (3 / 2 + 4 / 3),
            "generalised_unseen": 2 / 3,
            "generalised_seen": 2 / 4,
            "generalised_harmonic_mean": 2 / (3 / 2 + 4 / 2),
        }
    )
    assert (
        figures.items() <= summary(dataclasses.replace(scores, held_out=("sit down", "jump, twice"))).items()
    )


def test_a_held_out_class_may_lose_against_seen_ones_alone():
    scores = dataclasses.replace(
        scores_of([[3, 2, 1], [3, 1, 2], [3, 1, 2]], [1, 2, 0]), held_out=("class 1", "class 2")
    )
    figures = zero_shot_figures(scores)
    assert (figures["top1_unseen"], figures["generalised_unseen"]) == (1, 0)
    assert (figures["generalised_seen"], figures["generalised_harmonic_mean"]) == (1, 0)


def test_without_samples_of_a_kind_its_figures_are_no_numbers(scores):
    figures = zero_shot_figures(dataclasses.replace(scores, held_out=("jump, twice",)))
    assert np.isnan([figures[name] for name in ("top1_unseen", "harmonic_mean", "generalised_unseen")]).all()
    assert figures["generalised_seen"] == pytest.approx(4 / 7)


def test_where_no_class_is_held_out_nothing_is_said_of_it(scores):
    assert zero_shot_figures(scores) == {}
    assert not any("seen" in name or "harmonic" in name for name in summary(scores))

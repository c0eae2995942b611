"""The scores of classes by their descriptions."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rgbd_jax.config import load_file, override
from rgbd_jax.data.synthetic.actions import ACTIONS
from rgbd_jax.errors import UserError
from rgbd_jax.skeleton_layouts import NTU
from rgbd_jax.tasks import make_task
from rgbd_jax.tasks.description_scores import DescriptionScores
from rgbd_jax.tasks.text_supervision import described_classes
from rgbd_jax.text.table import class_vectors

DATA = types.SimpleNamespace(num_classes=10, num_bodies=1, num_joints=25, class_names=tuple(ACTIONS))


def config(*overrides):
    return override(load_file("configs/gap/zero_shot.py:march_push"), overrides)


@pytest.fixture(scope="module")
def vectors():
    """(5, K, D)."""
    return np.asarray(class_vectors(described_classes(config(), DATA)))


def outputs_like(vectors, classes):
    """What a network says of a clip of each of these classes that has learnt the descriptions, at any
    length; its classifier knows the first class alone."""
    lengths = np.linspace(0.5, 2, len(classes), dtype=np.float32)[:, None]
    logits = np.zeros((len(classes), 10), np.float32)
    logits[:, 0] = 1
    return {
        "text_features": vectors[:, classes] * lengths,
        "logit_scale": np.array([3, 1, 2, 2, 0.5], np.float32),
        "logits": logits,
    }


def test_the_score_of_a_class_is_the_mean_of_the_scaled_cosines(vectors):
    """With what sets its description apart from those of all classes."""
    outputs = outputs_like(vectors, [2, 5, 7])
    scores = DescriptionScores(described_classes(config(), DATA))(outputs)
    assert scores.shape == (3, 10) and scores.dtype == np.float32
    apart = vectors - vectors.mean(1, keepdims=True)
    apart /= np.linalg.norm(apart, axis=-1, keepdims=True)
    cosines = np.einsum("tbw,tkw->tbk", vectors[:, [2, 5, 7]], apart)
    expected = (cosines * outputs["logit_scale"][:, None, None]).mean(0)
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    along = outputs | {"text_features": apart[:, [2, 5, 7]] * np.float32(3)}
    along_scores = np.asarray(DescriptionScores(described_classes(config(), DATA))(along))
    np.testing.assert_allclose(along_scores[[0, 1, 2], [2, 5, 7]], 8.5 / 5, atol=1e-5)


@pytest.mark.parametrize("training", [False, True])
def test_the_task_scores_so_where_classes_are_held_out(vectors, training):
    labels = np.arange(10, dtype=np.int32)
    outputs = outputs_like(vectors, labels)
    for held_out, right in (("('march','push and squat')", 10), ("()", 1)):
        task = make_task(config(f"--config.data.held_out={held_out}"), DATA, training=training)
        logits = np.asarray(task.logits(outputs, jnp.int32(0))["logits"])
        assert (logits.argmax(1) == labels).sum() == right
        if training:
            batch = {"label": labels, "seed": labels.astype(np.uint32)}
            _, sums = task.loss(outputs, batch, jnp.int32(0), jax.random.key(0))
            assert float(sums["top1"]) == right


def test_the_classifier_still_learns_from_the_labels(vectors):
    """What the descriptions score is not what the cross entropy is of."""
    outputs, losses = outputs_like(vectors, [0, 1]), []
    batch = {"label": np.array([0, 1], np.int32), "seed": np.zeros(2, np.uint32)}
    for held_out in ("('march',)", "()"):
        task = make_task(config(f"--config.data.held_out={held_out}"), DATA, training=True)
        losses.append(float(task.loss(outputs, batch, jnp.int32(0), jax.random.key(0))[0]))
    assert losses[0] == losses[1]


def test_left_and_right_are_exchanged_in_training_alone():
    clip = np.random.default_rng(0).normal(size=(1, 20, 1, 25, 3)).astype(np.float32)
    batch = {"joints": clip, "num_frames": np.array([20], np.int32), "seed": np.array([7], np.uint32)}
    always, never = (make_task(config(f"--config.task.flip={p}"), DATA) for p in ("1.0", "0.0"))
    key = jax.random.key(3)
    as_is, flipped = (np.asarray(task.prepare(batch, key, train=True)) for task in (never, always))
    np.testing.assert_array_equal(flipped, as_is[..., np.array(NTU.opposites), :] * np.float32([-1, 1, 1]))
    np.testing.assert_array_equal(*(task.prepare(batch, key, train=False) for task in (always, never)))


def test_evaluation_needs_the_prompts_where_classes_are_held_out(tmp_path):
    gone = f"--config.text.prompts={tmp_path / 'gone.txt'}"
    with pytest.raises(UserError, match="gone.txt: cannot be read"):
        make_task(config(gone), DATA)
    make_task(config(gone, "--config.data.held_out=()"), DATA)

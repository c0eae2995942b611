"""The loss between features and texts, as tasks take it."""

import dataclasses
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from rgbd_jax.config import load_file, override
from rgbd_jax.data.random_clips import configured_shape
from rgbd_jax.errors import UserError
from rgbd_jax.losses.contrastive import contrastive_losses
from rgbd_jax.models.text_heads import TEXT_FEATURES, TextHeads
from rgbd_jax.tasks import make_task
from rgbd_jax.tasks.text_supervision import TextSupervision
from rgbd_jax.text.features import feature_file
from rgbd_jax.text.prompts import prompt_file, read_prompts

BATCH, WIDTH = 6, 384


def config(*overrides):
    return override(load_file("configs/gap/nw_ucla.py:joint"), overrides)


def supervision(*overrides):
    changed = config(*overrides)
    return TextSupervision(changed, configured_shape(changed.data), training=True)


def without_choice(taught):
    """With the name as the only text of the whole of each class nothing is left to chance."""
    table = taught._table
    taught._table = dataclasses.replace(table, counts=jnp.ones_like(table.counts))
    return taught


@pytest.fixture(scope="module")
def outputs():
    draw = np.random.default_rng(0)
    features = draw.standard_normal((len(TEXT_FEATURES), BATCH, WIDTH), np.float32)
    return {"text_features": features, "logit_scale": np.linspace(1, 3, len(TEXT_FEATURES), dtype=np.float32)}


@pytest.fixture(scope="module")
def batch():
    return {
        "label": np.array([0, 3, 3, 9, 1, 0], np.int32),
        "seed": np.arange(BATCH, dtype=np.uint32),
    }


def test_the_loss_is_the_weighted_mean_over_the_kinds(outputs, batch):
    whole = without_choice(supervision())
    table = whole._table
    rows, labels = np.asarray(table.rows), batch["label"]
    texts = np.stack([rows[table.whole[labels, 0]], *rows[np.asarray(table.parts)[:, labels]]])
    terms = contrastive_losses(outputs["text_features"], texts, outputs["logit_scale"], labels)
    assert terms.shape == (5,) and np.ptp(terms) > 1e-3
    key = jax.random.key(0)
    np.testing.assert_allclose(whole.loss(outputs, batch, key), np.mean(terms), rtol=1e-6)
    quarter = without_choice(supervision("--config.task.text_weight=0.25"))
    np.testing.assert_allclose(quarter.loss(outputs, batch, key), 0.25 * np.mean(terms), rtol=1e-6)


def test_the_texts_of_a_clip_are_drawn_by_its_own_number(outputs, batch):
    """Another order of the batch changes nothing; another key does."""
    taught = supervision()
    order = np.array([3, 0, 5, 1, 2, 4])
    moved = {name: rows[order] for name, rows in batch.items()}
    features = outputs | {"text_features": outputs["text_features"][:, order]}
    key, other = jax.random.key(0), jax.random.key(1)
    expected = float(taught.loss(outputs, batch, key))
    assert float(taught.loss(features, moved, key)) == pytest.approx(expected, rel=1e-5)
    assert float(taught.loss(outputs, batch, other)) != pytest.approx(expected, rel=1e-5)


def test_the_task_adds_it_to_the_cross_entropy(outputs, batch):
    logits = np.random.default_rng(1).standard_normal((BATCH, 10), np.float32)
    losses = {}
    for weight in (0.0, 0.5):
        changed = config(f"--config.task.text_weight={weight}")
        task = make_task(changed, configured_shape(changed.data), training=True)
        loss, sums = task.loss(outputs | {"logits": logits}, batch, jnp.int32(0), jax.random.key(0))
        assert set(sums) == set(task.reported)
        np.testing.assert_allclose(sums["loss"], BATCH * loss, rtol=1e-6)
        losses[weight] = float(loss)
    text_loss = float(supervision("--config.task.text_weight=0.5").loss(outputs, batch, jax.random.key(0)))
    assert text_loss > 0.01
    assert losses[0.5] - losses[0.0] == pytest.approx(text_loss, rel=1e-4)


def test_clips_with_one_text_of_a_part_may_count_as_alike(outputs, batch):
    losses = {}
    for alike in ("class", "text"):
        changed = config("--config.data.name=synthetic", f"--config.text.alike={alike}")
        taught = without_choice(
            TextSupervision(changed, types.SimpleNamespace(num_classes=10), training=True)
        )
        losses[alike] = float(taught.loss(outputs, batch, jax.random.key(0)))
    table, labels = taught._table, batch["label"]
    rows, parts = np.asarray(table.rows), np.asarray(table.parts)[:, labels]
    texts = np.stack([rows[np.asarray(table.whole)[labels, 0]], *rows[parts]])
    terms = contrastive_losses(
        outputs["text_features"], texts, outputs["logit_scale"], np.stack([labels, *parts])
    )
    assert losses["text"] == pytest.approx(float(np.mean(terms)), rel=1e-6)
    assert abs(losses["text"] - losses["class"]) > 1e-2


def test_the_heads_of_video_are_taught_and_teach_what_is_below(batch):
    heads = TextHeads(16, WIDTH, rngs=nnx.Rngs(0))
    graph, params = nnx.split(heads)
    taught = supervision()

    def loss(params, x):
        return taught.loss(nnx.merge(graph, params)(x), batch, jax.random.key(0))

    x = np.random.default_rng(2).standard_normal((BATCH, 16), np.float32)
    for gradient in jax.tree.leaves(jax.grad(loss, argnums=(0, 1))(params, x)):
        assert np.abs(gradient).max() > 1e-6


def test_only_training_reads_texts(tmp_path):
    changed = config(f"--config.text.prompts={tmp_path / 'gone.txt'}")
    shape = configured_shape(changed.data)
    make_task(changed, shape).network(nnx.Rngs(0))
    with pytest.raises(UserError, match="gone.txt: cannot be read"):
        make_task(changed, shape, training=True)


def test_classes_are_found_by_name():
    changed = config()
    shape = configured_shape(changed.data)
    names = read_prompts(prompt_file("nw_ucla")).names
    reordered = types.SimpleNamespace(num_classes=10, class_names=names[::-1])
    ours, turned = (TextSupervision(changed, data, training=True)._table for data in (shape, reordered))
    np.testing.assert_array_equal(
        ours.rows[ours.parts], np.asarray(turned.rows)[np.asarray(turned.parts)[:, ::-1]]
    )


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["--config.data.name=jester"], "config.text.prompts: none come with the data set jester"),
        (["--config.text.width=512"], f"{feature_file('nw_ucla')}: has vectors 384 wide"),
        (["--config.text.encoder=clip"], "is from the encoder all-MiniLM-L6-v2; clip is asked for"),
    ],
)
def test_what_does_not_fit_is_refused(overrides, message):
    changed = config(*overrides)
    data = types.SimpleNamespace(num_classes=10)
    with pytest.raises(UserError, match=message):
        TextSupervision(changed, data, training=True)

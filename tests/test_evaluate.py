"""Whose scores are those of the whole."""

import types

import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from rgbd_jax import evaluate
from rgbd_jax.data.clip_errors import ClipErrors
from rgbd_jax.training.sharding import make_mesh


class Clips(list):
    name, split, class_names = "custom", "test", ("wave", "sit")


def test_the_first_logits_are_the_whole_whatever_the_branches_are_called(monkeypatch):
    """A compiled step returns its dict in the order of the alphabet, in which depth comes before fused."""

    def batches(split, *, batch_size, **options):
        numbers = np.arange(batch_size, dtype=np.float32)
        yield {
            "number": numbers,
            "id": np.array([f"clip{number:.0f}" for number in numbers]),
            "label": np.zeros(batch_size, np.int32),
            "mask": np.ones(batch_size, bool),
        }

    monkeypatch.setattr(evaluate, "evaluation_batches", batches)
    config = ConfigDict(
        dict(eval_batch_size=8, seed=0, data=dict(num_workers=0, on_error="fail", held_out=()))
    )
    task = types.SimpleNamespace(
        prepare=lambda batch, key, train: batch["number"],
        logits=lambda outputs, epoch: {
            "fused": outputs["sum"],
            "rgb": outputs["one"],
            "depth": outputs["two"],
        },
        streams=(),
        published=(),
        view="fusion",
    )
    rows = {"one": [1.0, 0.0], "two": [0.0, 1.0], "sum": [1.0, 1.0]}
    network = types.SimpleNamespace(
        apply=lambda params, batch_stats, x, train: (
            {name: x[:, None] * jnp.array(row, jnp.float32)[None] for name, row in rows.items()},
            batch_stats,
        )
    )
    score = evaluate.make_scorer(config, task, network, Clips(range(8)), make_mesh(), ClipErrors())
    scores = score((), (), 0)
    np.testing.assert_array_equal(scores.logits, scores.branches["fused"])
    np.testing.assert_array_equal(scores.logits, np.arange(8)[:, None] * [1.0, 1.0])
    assert scores.branches.keys() == {"fused", "rgb", "depth"}

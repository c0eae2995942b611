"""Evaluations to make pages of."""

import dataclasses

import numpy as np

from rgbd_jax.report.page import Origin
from rgbd_jax.report.scores import Scores

SURROUNDINGS = {
    "started": "2026-11-20 10:00:00",
    "device": "1 x cpu",
    "versions": {"rgbd_jax": "0.1.0", "jax": "0.10.2"},
    "commit": "6245e25",
}


def log(epochs):
    """Rows of `metrics.jsonl`."""
    rows = [{"kind": "step", "split": "train", "step": 1, "epoch": 0, "loss": 9.0}]
    for epoch in range(epochs):
        row = {"kind": "epoch", "step": 10 * (epoch + 1), "epoch": epoch}
        rows.append(row | {"split": "train", "loss": 2 / (epoch + 1), "top1": 0.5, "samples_per_s": 80.0})
        rows.append(row | {"split": "valid", "loss": None, "top1": 0.25 + 0.125 * (epoch == 1)})
    return rows


def origin(**changes):
    config = {"batch_size": 16, "num_epochs": 8, "seed": 3, "data.name": "synthetic"}
    whole = Origin("my run", config, {}, 20, 1, 1234, [SURROUNDINGS | {"step": 0}], SURROUNDINGS)
    return dataclasses.replace(whole, **changes)


def random_scores(classes, count, seed=0, **changes):
    rng = np.random.default_rng(seed)
    labels = rng.integers(classes, size=count).astype(np.int32)
    logits = rng.standard_normal((count, classes)).astype(np.float32)
    logits[np.arange(count), labels] += 2
    ids = np.array([f"S{number:06d}" for number in range(count)])
    names = tuple(f"action number {k}" for k in range(classes))
    said = {"class_names": names, "data_set": "synthetic", "split": "test"}
    return Scores(ids, logits, labels, **(said | changes))

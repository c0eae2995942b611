"""Held-out classes: their clips are missing from the training split, and from nothing else."""

import dataclasses
import pickle

import numpy as np
import pytest

from rgbd_jax.data import loader
from rgbd_jax.data.held_out import without_classes
from rgbd_jax.errors import OutsideError, UserError

PICKED = "pick up with one hand"


@pytest.fixture
def data(small_data):
    """As of a config; two of the test clips and one training clip show `PICKED`."""
    return {
        "name": "nw_ucla",
        "data_dir": small_data,
        "train_split": "train",
        "held_out": (PICKED, "sit down"),
        "limit": 0,
    }


def labels_and_ids(split):
    return [(split.class_names[record["label"]], record["id"].decode()) for record in split.source]


def test_only_the_clips_of_other_classes_are_trained_on(data):
    everything = loader.open_configured_split(data, "train")
    training = loader.open_training_split(data)
    expected = [(name, clip) for name, clip in labels_and_ids(everything) if name not in data["held_out"]]
    assert labels_and_ids(training) == expected
    assert 0 < len(training) == len(expected) < len(everything)
    assert training.class_names == everything.class_names
    assert training.identity == everything.identity | {"num_samples": len(expected)}


def test_an_epoch_holds_them_alone(data):
    training = loader.open_training_split(data)
    size = len(training)
    assert loader.steps_per_epoch(training, batch_size=size) == 1
    batches = loader.training_batches(training, batch_size=size, seed=3)
    for _ in range(3):
        assert sorted(next(batches)["id"]) == sorted(clip for _, clip in labels_and_ids(training))


def test_records_are_taken_in_the_order_asked_for(data):
    everything = loader.open_configured_split(data, "train")
    taken = everything.take([2, 0])
    assert labels_and_ids(taken) == [labels_and_ids(everything)[place] for place in (2, 0)]
    (batch,) = loader.evaluation_batches(taken, batch_size=3)
    assert batch["id"].tolist() == [*(clip for _, clip in labels_and_ids(taken)), ""]


def test_workers_read_the_same(data):
    training = loader.open_training_split(data)
    again = pickle.loads(pickle.dumps(training))
    np.testing.assert_array_equal(
        again.clip_row(again.source[2])["joints"], training.clip_row(training.source[2])["joints"]
    )
    assert labels_and_ids(again) == labels_and_ids(training)


def test_evaluation_sees_all_clips(data):
    testing = loader.open_configured_split(data, "test")
    assert len(testing) == 5
    assert PICKED in dict(labels_and_ids(testing))


def test_the_limit_is_of_all_clips(data):
    """What a smaller number shows, a larger one shows too."""
    some = loader.open_training_split(data | {"limit": 3})
    everything = loader.open_configured_split(data | {"limit": 3}, "train")
    assert labels_and_ids(some) == [
        row for row in labels_and_ids(everything) if row[0] not in data["held_out"]
    ]


def test_nothing_held_out_reads_nothing(data):
    split = loader.open_configured_split(data, "train")
    assert without_classes(split, ()) is split


def test_an_unreadable_record_is_left_for_who_asks_for_it(data):
    split = loader.open_configured_split(data, "train")

    class Damaged:
        def __len__(self):
            return 7

        def __getitem__(self, index):
            if index == 1:
                raise OutsideError("record 1: cannot be read")
            return split.source[index]

    training = without_classes(dataclasses.replace(split, source=Damaged()), data["held_out"])
    assert len(training) == len(without_classes(split, data["held_out"]))
    with pytest.raises(OutsideError, match="record 1"):
        list(training.source)


def test_a_class_that_does_not_exist_is_named(data):
    with pytest.raises(
        UserError, match="held_out: 'pick up' is no class of nw_ucla; its classes are pick up with one"
    ):
        loader.open_training_split(data | {"held_out": ("sit down", "pick up")})


def test_something_must_be_left(data):
    names = loader.open_configured_split(data, "train").class_names
    with pytest.raises(UserError, match="holds out all 10 classes of nw_ucla"):
        loader.open_training_split(data | {"held_out": names})

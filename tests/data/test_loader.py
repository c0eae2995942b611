"""Batches: what is in them, in what order, and that nothing depends on who reads them."""

import json
import multiprocessing

import numpy as np
import pytest

from rgbd_jax.data import loader
from rgbd_jax.errors import OutsideError, UserError


@pytest.fixture
def training(small_data):
    return loader.open_split("nw_ucla", small_data, "train")


@pytest.fixture
def testing(small_data):
    return loader.open_split("nw_ucla", small_data, "test")


def take(batches, count: int) -> list[loader.Batch]:
    return [next(batches) for _ in range(count)]


def assert_equal(some: list[loader.Batch], others: list[loader.Batch]) -> None:
    assert len(some) == len(others)
    for one, other in zip(some, others, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def joined(parts: list[loader.Batch]) -> loader.Batch:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def test_split_describes_itself(training, testing):
    assert (len(training), len(testing)) == (7, 5)
    assert training.max_frames == testing.max_frames == 34
    assert (training.num_bodies, training.num_joints) == (1, 20)
    assert training.class_names[:3] == ("pick up with one hand", "pick up with two hands", "drop trash")
    assert len(training.class_names) == 10


@pytest.mark.parametrize(("limit", "count"), [(3, 3), (7, 7), (100, 7), (0, 7)])
def test_limit_takes_the_first_samples(small_data, training, limit, count):
    split = loader.open_split("nw_ucla", small_data, "train", limit=limit)
    assert len(split) == len(split.source) == count
    first = [record["id"] for record in training.source][:count]
    assert [record["id"] for record in split.source] == first


def test_a_negative_limit_is_refused(small_data):
    with pytest.raises(UserError, match="limit=-1"):
        loader.open_split("nw_ucla", small_data, "train", limit=-1)


def test_identity_says_what_a_resumed_run_must_agree_on(small_data, training):
    identity = training.identity
    assert json.loads(json.dumps(identity)) == identity
    assert identity == {
        "name": "nw_ucla",
        "version": "1.0.0",
        "split": "train",
        "num_samples": 7,
        "class_names": list(training.class_names),
    }
    assert loader.open_split("nw_ucla", small_data, "train", limit=3).identity["num_samples"] == 3


@pytest.mark.parametrize("make", [loader.training_batches, loader.evaluation_batches])
def test_batch_has_the_agreed_shapes_and_dtypes(training, make):
    extra = {"seed": 1} if make is loader.training_batches else {}
    batch = next(iter(make(training, batch_size=4, **extra)))
    assert {name: (value.shape, value.dtype) for name, value in batch.items() if name != "id"} == {
        "joints": ((4, 34, 1, 20, 3), np.float32),
        "num_frames": ((4,), np.int32),
        "label": ((4,), np.int32),
        "seed": ((4,), np.uint32),
        "mask": ((4,), bool),
    }
    assert batch["id"].shape == (4,)
    assert batch["id"].dtype.kind == "U"


def test_batch_holds_the_files_padded_with_zeros(training, small_source):
    batch = next(loader.training_batches(training, batch_size=7, seed=0))
    assert batch["mask"].all()
    for row, name in enumerate(batch["id"]):
        content = json.loads((small_source / "all_sqe" / f"{name}.json").read_text())
        frames = len(content["skeletons"])
        assert batch["num_frames"][row] == frames
        assert batch["label"][row] == content["label"] - 1
        np.testing.assert_array_equal(
            batch["joints"][row, :frames, 0], np.array(content["skeletons"], np.float32)
        )
        assert not batch["joints"][row, frames:].any()


def test_each_epoch_shows_each_sample_as_often_as_asked(training):
    steps = loader.steps_per_epoch(training, batch_size=7, repeat=3)
    assert steps == 3
    batches = loader.training_batches(training, batch_size=7, repeat=3, seed=5)
    epochs = [joined(take(batches, steps)) for _ in range(2)]
    for epoch in epochs:
        assert np.unique(epoch["id"], return_counts=True)[1].tolist() == [3] * 7
    assert epochs[0]["id"].tolist() != epochs[1]["id"].tolist(), "both epochs have the same order"
    seeds = np.concatenate([epoch["seed"] for epoch in epochs])
    assert len(np.unique(seeds)) == len(seeds), "a random number came twice"


def test_the_rest_of_an_epoch_is_dropped(training):
    assert loader.steps_per_epoch(training, batch_size=3) == 2
    batches = loader.training_batches(training, batch_size=3, seed=0)
    for _ in range(5):
        assert len(np.unique(joined(take(batches, 2))["id"])) == 6


def test_order_follows_from_the_seed(training):
    def first_epoch(seed):
        return take(loader.training_batches(training, batch_size=2, repeat=5, seed=seed), 6)

    assert_equal(first_epoch(1), first_epoch(1))
    assert joined(first_epoch(1))["id"].tolist() != joined(first_epoch(2))["id"].tolist()


def test_a_stored_state_resumes_exactly(training):
    undisturbed, resumed = (loader.training_batches(training, batch_size=2, seed=3) for _ in range(2))
    take(undisturbed, 4)  # into the second epoch
    state = undisturbed.get_state()
    next(resumed)
    resumed.set_state(state)
    assert_equal(take(resumed, 6), take(undisturbed, 6))


def test_workers_change_neither_the_order_nor_where_it_resumes(training):
    def batches(num_workers):
        return loader.training_batches(training, batch_size=2, seed=3, num_workers=num_workers)

    alone, shared, resumed = take(batches(0), 10), batches(2), batches(2)
    assert_equal(take(shared, 4), alone[:4])
    state = shared.get_state()
    assert_equal(take(shared, 6), alone[4:])
    resumed.set_state(state)
    assert_equal(take(resumed, 6), alone[4:])


def test_evaluation_does_not_depend_on_the_number_of_workers(testing):
    alone = list(loader.evaluation_batches(testing, batch_size=2))
    assert_equal(alone, list(loader.evaluation_batches(testing, batch_size=2, num_workers=2)))


@pytest.mark.parametrize("make", [loader.training_batches, loader.evaluation_batches])
def test_a_worker_that_is_lost_is_trouble_from_outside(training, make):
    extra = {"seed": 3} if make is loader.training_batches else {}
    batches = make(training, batch_size=1, num_workers=2, **extra)
    next(batches)
    for worker in multiprocessing.active_children():
        worker.kill()
    with pytest.raises(OutsideError, match="a process that reads clips was lost"):
        list(batches)


@pytest.mark.parametrize("ending", ["exit code 1. Search the logs", "clip_row", ""])
def test_what_goes_wrong_in_a_worker_itself_is_a_bug(ending):
    def stream():
        raise RuntimeError(f"Worker process was terminated unexpectedly with {ending}")
        yield

    with pytest.raises(RuntimeError, match="Worker process"):
        next(loader.Batches(stream()))


def test_processes_share_the_rows_of_the_same_global_batch(training):
    alone = take(loader.training_batches(training, batch_size=6, repeat=2, seed=3), 5)
    shares = [
        take(
            loader.training_batches(
                training, batch_size=6, repeat=2, seed=3, process_index=index, process_count=3
            ),
            5,
        )
        for index in range(3)
    ]
    assert_equal([joined(list(parts)) for parts in zip(*shares, strict=True)], alone)


@pytest.mark.parametrize("process_count", [1, 3])
@pytest.mark.parametrize("batch_size", [3, 6, 12])
def test_evaluation_shows_every_sample_once(testing, process_count, batch_size):
    shares = [
        list(
            loader.evaluation_batches(
                testing, batch_size=batch_size, process_index=index, process_count=process_count
            )
        )
        for index in range(process_count)
    ]
    assert {len(share) for share in shares} == {-(-5 // batch_size)}
    rows = joined([joined(list(parts)) for parts in zip(*shares, strict=True)])
    assert len(rows["id"]) % batch_size == 0
    assert rows["id"][rows["mask"]].tolist() == sorted(set(rows["id"]) - {""})
    assert rows["mask"].sum() == 5
    padding = {name: rows[name][~rows["mask"]] for name in ("joints", "num_frames", "id")}
    assert not padding["joints"].any()
    assert not padding["num_frames"].any()
    assert set(padding["id"]) <= {""}
    assert not rows["seed"].any()


def test_what_cannot_be_opened_is_said(small_data, tmp_path):
    with pytest.raises(UserError, match="'nw_uclaa'.*available are nw_ucla, ntu60, .*custom"):
        loader.open_split("nw_uclaa", small_data, "train")
    with pytest.raises(UserError, match=r"python -m rgbd_jax.prepare nw_ucla --source=DIR --data_dir="):
        loader.open_split("nw_ucla", tmp_path, "train")
    assert not list(tmp_path.iterdir())
    with pytest.raises(UserError, match="no split 'valid'; it has train, test"):
        loader.open_split("nw_ucla", small_data, "valid")


def test_batches_that_do_not_fit_are_refused(training):
    with pytest.raises(UserError, match="batch_size=8.*at most 7"):
        loader.training_batches(training, batch_size=8, seed=0)
    with pytest.raises(UserError, match="batch_size=4 is not divisible by the 3 processes"):
        loader.training_batches(training, batch_size=4, seed=0, process_count=3)


def test_is_prepared(small_data, tmp_path):
    assert loader.is_prepared("nw_ucla", small_data)
    assert not loader.is_prepared("nw_ucla", tmp_path)
    assert not loader.is_prepared("no such data", small_data)


def test_a_generated_data_set_is_made_on_first_use(tmp_path, monkeypatch):
    from rgbd_jax.data.builders import synthetic

    monkeypatch.setattr(synthetic, "CLIPS_PER_ACTION", {"train": 2, "test": 1})
    assert len(loader.open_split("synthetic", tmp_path, "train")) == 20
    monkeypatch.setattr(synthetic.Synthetic, "prepare", None)  # a second call would fail
    assert len(loader.open_split("synthetic", tmp_path, "test")) == 10

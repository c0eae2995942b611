"""Batches of video: what is in them, that only what is sampled is decoded, and what faulty clips do."""

import json

import numpy as np
import pytest
from data.video_files import number_of, write_folder, write_list

from rgbd_jax.data import images, loader
from rgbd_jax.data.builders.nvgesture import Nvgesture
from rgbd_jax.data.clip_errors import ClipErrors
from rgbd_jax.data.sound_clips import FaultyClip
from rgbd_jax.errors import OutsideError

LENGTHS = [1, 3, 6, 9, 12, 20, 16]
SIZES = [(24, 32), (24, 32), (16, 40), (24, 32), (24, 32), (24, 32), (24, 32)]
BROKEN = "class_01/subject4_r0"


@pytest.fixture(scope="module")
def video_data(tmp_path_factory):
    """Records of seven training clips of various lengths and sizes."""
    source = tmp_path_factory.mktemp("nvgesture")
    lines = []
    for number, (count, (height, width)) in enumerate(zip(LENGTHS, SIZES, strict=True)):
        path = f"train/class_01/subject{number}_r0"
        for modality in ("rgb", "depth"):
            write_folder(source / modality / path, "%06d.jpg", 0, count, height=height, width=width)
        lines.append(f"{path} {count} {number}")
    write_list(source / "dataset_splits" / "train.txt", lines)
    folder = tmp_path_factory.mktemp("data")
    Nvgesture(data_dir=folder, source=source).prepare()
    return folder


def opened(video_data, **reading):
    return loader.open_split("nvgesture", video_data, "train", **{"num_frames": 8} | reading)


@pytest.fixture
def broken(video_data, monkeypatch):
    """The split, with a clip whose frames are cut off in the records."""
    split = opened(video_data, modalities=("rgb",))
    return breaking(split, monkeypatch)


def breaking(split, monkeypatch, wanted=BROKEN):
    read = type(split.source).__getitem__

    def cut(self, index):
        record = read(self, index)
        if record["id"].decode() == wanted:
            record["rgb"] = [encoded[:100] for encoded in record["rgb"]]
        return record

    monkeypatch.setattr(type(split.source), "__getitem__", cut)
    return split


def test_a_batch_has_frames_sizes_and_zeros_around_smaller_frames(video_data):
    split = opened(video_data)
    assert split.modalities == ("rgb", "depth")
    (batch,) = loader.evaluation_batches(split, batch_size=8)
    shapes = {name: (value.shape, value.dtype) for name, value in batch.items() if name != "id"}
    assert shapes == {
        "rgb": ((8, 8, 24, 40, 3), np.uint8),
        "rgb_size": ((8, 8, 2), np.int32),
        "depth": ((8, 8, 24, 40, 3), np.uint8),
        "depth_size": ((8, 8, 2), np.int32),
        "length": ((8,), np.int32),
        "label": ((8,), np.int32),
        "seed": ((8,), np.uint32),
        "mask": ((8,), bool),
    }
    assert batch["mask"].tolist() == [True] * 7 + [False]
    assert batch["length"].tolist() == [*LENGTHS, 0]
    for row, (height, width) in enumerate(SIZES):
        assert (batch["rgb_size"][row] == (height, width)).all()
        assert batch["rgb"][row, :, height - 1, width - 1].any()
        assert not batch["rgb"][row, :, height:].any()
        assert not batch["rgb"][row, :, :, width:].any()
    assert not batch["rgb"][7].any()
    assert not batch["rgb_size"][7].any()


def numbers(batch, modality):
    return np.array(
        [
            [number_of(frame[:h, :w]) for frame, (h, w) in zip(clip, sizes, strict=True)]
            for clip, sizes in zip(batch[modality], batch[f"{modality}_size"], strict=True)
        ]
    )


def test_evaluation_sees_the_middle_of_each_segment(video_data):
    (batch,) = loader.evaluation_batches(opened(video_data), batch_size=7)
    for modality in ("rgb", "depth"):
        assert numbers(batch, modality).tolist() == [
            [0, 0, 0, 0, 0, 0, 0, 0],
            [0, 0, 0, 1, 1, 1, 2, 2],
            [0, 0, 1, 2, 3, 3, 4, 5],
            [0, 1, 2, 3, 4, 5, 6, 7],
            [0, 1, 3, 4, 6, 7, 9, 10],
            [0, 3, 5, 8, 10, 13, 15, 18],
            [0, 2, 4, 6, 8, 10, 12, 14],
        ]


def test_training_draws_the_same_frames_of_both_modalities(video_data):
    batches = loader.training_batches(opened(video_data), batch_size=7, seed=1)
    first, second = next(batches), next(batches)
    for batch in (first, second):
        np.testing.assert_array_equal(numbers(batch, "rgb"), numbers(batch, "depth"))
    order = np.argsort(first["id"]), np.argsort(second["id"])
    assert (numbers(first, "rgb")[order[0]] != numbers(second, "rgb")[order[1]]).any()
    # What is drawn follows from the number that the sample carries.
    alone = next(loader.training_batches(opened(video_data, modalities=("depth",)), batch_size=7, seed=1))
    np.testing.assert_array_equal(alone["seed"], first["seed"])
    np.testing.assert_array_equal(alone["depth"], first["depth"])
    assert "rgb" not in alone


def test_a_worker_reads_the_same(video_data):
    """Several share the clips as they share any: tests/data/test_loader.py."""
    split = opened(video_data)
    alone = loader.training_batches(split, batch_size=3, seed=2)
    shared = loader.training_batches(split, batch_size=3, seed=2, num_workers=1)
    for _ in range(5):
        one, other = next(alone), next(shared)
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)


def test_only_sampled_frames_are_decoded(video_data, monkeypatch):
    split = opened(video_data, num_frames=4, modalities=("rgb",))
    record = split.source[5]
    decoded = []

    def decode(encoded, channels, place):
        decoded.append(record["rgb"].index(encoded))
        return original(encoded, channels, place)

    original = images.decode
    monkeypatch.setattr(images, "decode", decode)
    split.clip_row(record)
    assert decoded == [2, 7, 12, 17]


def test_a_frame_larger_than_the_largest_is_unreadable(video_data):
    split = opened(video_data, modalities=("rgb",))
    larger = images.encode_jpeg(np.zeros((32, 32, 3), np.uint8))
    with pytest.raises(FaultyClip, match="rgb, frame 0: .*32"):
        split.clip_row({"rgb": [larger]})


@pytest.mark.parametrize("make", [loader.training_batches, loader.evaluation_batches])
def test_a_faulty_clip_ends_the_run_by_default(broken, make):
    extra = {"seed": 1} if make is loader.training_batches else {}
    with pytest.raises(
        OutsideError, match=f"nvgesture, split train, clip {BROKEN}: cannot be used .rgb, frame 0: it is cut"
    ) as raised:
        list(make(broken, batch_size=7, **extra))
    assert "\n" not in str(raised.value)


def test_training_can_go_on_without_a_faulty_clip(broken, tmp_path, capsys):
    path = tmp_path / "data_errors.jsonl"
    errors = ClipErrors("skip", path, "train", max_share=0.5)
    batches = loader.training_batches(broken, batch_size=3, seed=1, errors=errors)
    seen = [next(batches) for _ in range(20)]
    assert all(batch["rgb"].shape[0] == 3 for batch in seen)
    ids = np.concatenate([batch["id"] for batch in seen])
    assert len(set(ids)) == 6
    assert BROKEN not in ids
    assert errors.ids == (BROKEN,)
    (line,) = path.read_text().splitlines()
    reason = (
        f"nvgesture, split train, clip {BROKEN}: cannot be used"
        " (rgb, frame 0: it is cut off, the end of the JPEG is missing)"
    )
    assert json.loads(line) == {"split": "train", "id": BROKEN, "reason": reason, "step": 0}
    assert capsys.readouterr().err == f"warning: {reason}; the clip is left out\n"
    # Resumed, it is not named again.
    again = ClipErrors("skip", path, "train", max_share=0.5)
    batches = loader.training_batches(broken, batch_size=3, seed=1, errors=again)
    for _ in range(5):
        next(batches)
    assert again.ids == (BROKEN,)
    assert len(path.read_text().splitlines()) == 1
    assert capsys.readouterr().err == ""


def test_each_split_counts_its_own_clips(tmp_path):
    path = tmp_path / "data_errors.jsonl"
    for split in ("train", "test"):
        errors = ClipErrors("skip", path, split, max_share=0.5)
        errors.report(f"{split} 1", "cannot be read", of=4)
        errors.report(f"{split} 2", "cannot be read", of=4)
    again = ClipErrors("skip", path, "test", max_share=0.5)
    assert again.ids == ("test 1", "test 2")
    with pytest.raises(OutsideError, match="3 of 4 clips cannot be used"):
        again.report("test 3", "cannot be read", of=4)


def test_a_file_of_faulty_clips_that_cannot_be_written_is_trouble_from_outside(tmp_path):
    errors = ClipErrors("skip", tmp_path / "nowhere" / "data_errors.jsonl", "train", max_share=0.5)
    with pytest.raises(OutsideError, match="data_errors.jsonl: cannot be written .No such file"):
        errors.report("a", "cannot be read", of=4)


def test_the_clips_that_are_left_keep_their_order_and_their_numbers(broken, video_data, monkeypatch):
    left = loader.training_batches(broken, batch_size=3, seed=1, errors=ClipErrors("skip", max_share=0.5))
    got = [next(left) for _ in range(6)]
    monkeypatch.undo()
    whole = loader.training_batches(opened(video_data, modalities=("rgb",)), batch_size=3, seed=1)
    whole = [next(whole) for _ in range(7)]
    ids, seeds = (np.concatenate([batch[name] for batch in whole]) for name in ("id", "seed"))
    kept = ids != BROKEN
    assert np.concatenate([batch["id"] for batch in got]).tolist() == ids[kept][:18].tolist()
    assert np.concatenate([batch["seed"] for batch in got]).tolist() == seeds[kept][:18].tolist()


def test_a_stored_state_resumes_exactly_without_the_faulty_clip(broken):
    def batches():
        return loader.training_batches(broken, batch_size=3, seed=1, errors=ClipErrors("skip", max_share=0.5))

    undisturbed = batches()
    for _ in range(4):
        next(undisturbed)
    state = undisturbed.get_state()
    want = [next(undisturbed) for _ in range(5)]
    resumed = batches()
    resumed.set_state(state)
    for batch in want:
        got = next(resumed)
        for name in batch:
            np.testing.assert_array_equal(got[name], batch[name], err_msg=name)


def test_evaluation_leaves_a_faulty_clip_out_of_the_scores(broken):
    errors = ClipErrors("skip", max_share=0.5)
    batches = list(loader.evaluation_batches(broken, batch_size=4, errors=errors))
    assert len(batches) == 2
    mask = np.concatenate([batch["mask"] for batch in batches])
    assert mask.tolist() == [True] * 4 + [False] + [True] * 2 + [False]
    ids = np.concatenate([batch["id"] for batch in batches])
    assert ids[4] == ""
    assert not batches[1]["rgb"][0].any()
    assert errors.ids == (BROKEN,)


def test_the_share_that_may_be_left_out_is_exact():
    errors = ClipErrors("skip", max_share=0.29)
    for number in range(29):
        errors.report(f"clip {number}", "it is gone", of=100)
    with pytest.raises(OutsideError, match=r"^30 of 100 clips .*data.max_unreadable=0.29 allows"):
        errors.report("clip 29", "it is gone", of=100)


def test_a_split_of_which_too_many_cannot_be_read_ends_the_run(video_data, monkeypatch):
    split = opened(video_data, modalities=("rgb",))

    def decode(encoded, channels, place):
        raise ValueError("it is no image")

    monkeypatch.setattr(images, "decode", decode)
    with pytest.raises(
        OutsideError, match="4 of 7 clips cannot be used, the last one: nvgesture, split train"
    ):
        next(loader.training_batches(split, batch_size=3, seed=1, errors=ClipErrors("skip", max_share=0.5)))


def test_other_rules_are_refused():
    with pytest.raises(ValueError, match="on_error='ignore': allowed are fail, skip"):
        ClipErrors("ignore")

import dataclasses

import numpy as np
import pytest

from rgbd_jax.errors import UserError
from rgbd_jax.report.scores import Scores, read_scores, write_scores


def assert_equal(a: Scores, b: Scores):
    for field in dataclasses.fields(Scores):
        np.testing.assert_array_equal(getattr(a, field.name), getattr(b, field.name))


def test_written_scores_are_read_back(tmp_path, scores):
    path = tmp_path / "scores.npz"
    write_scores(path, scores)
    assert_equal(read_scores(path), scores)
    with np.load(path) as file:
        assert file["logits"].dtype == np.float32
        assert file["labels"].dtype == np.int32
        assert file["ids"].dtype.kind == file["class_names"].dtype.kind == "U"


def test_lengths_are_written_for_other_programs(tmp_path, scores):
    lengths = np.arange(10, 17, dtype=np.int32)
    write_scores(tmp_path / "scores.npz", dataclasses.replace(scores, lengths=lengths))
    with np.load(tmp_path / "scores.npz") as file:
        np.testing.assert_array_equal(file["lengths"], lengths)
    assert_equal(read_scores(tmp_path / "scores.npz"), scores)


def test_held_out_classes_are_read_back(tmp_path, scores):
    held_out = dataclasses.replace(scores, held_out=("sit down", "jump, twice"))
    write_scores(tmp_path / "scores.npz", held_out)
    assert read_scores(tmp_path / "scores.npz").held_out == ("sit down", "jump, twice")
    with np.load(tmp_path / "scores.npz") as file:
        assert file["held_out"].tolist() == ["sit down", "jump, twice"]


def test_another_programs_file_is_read(tmp_path, scores):
    path = tmp_path / "other.npz"
    logits = scores.logits.astype(np.float64)
    labels = scores.labels.astype(np.int64)
    np.savez(path, ids=scores.ids, logits=logits, labels=labels, class_names=np.array(scores.class_names))
    assert_equal(read_scores(path), dataclasses.replace(scores, data_set="", split="", stream=""))


def faulty(scores):
    """Every way in which a score file can be wrong, and what the message says about it."""
    good = dict(
        ids=scores.ids, logits=scores.logits, labels=scores.labels, class_names=np.array(scores.class_names)
    )
    infinite = scores.logits.copy()
    infinite[4, 2] = np.inf
    return {
        "lacks logits, labels": {"ids": scores.ids, "class_names": good["class_names"]},
        r"logits have shape \(6, 4\), not \(7, 4\)": good | {"logits": scores.logits[:6]},
        r"logits have shape \(7, 3\), not \(7, 4\)": good | {"logits": scores.logits[:, :3]},
        r"labels have shape \(3,\), not \(7,\)": good | {"labels": scores.labels[:3]},
        r"labels \[-1, 4\] lie outside 0 to 3": good | {"labels": np.array([0, 4, 0, 2, -1, 1, 1])},
        "labels are of type float32, not integer": good | {"labels": scores.labels.astype(np.float32)},
        "logits are of type int32, not float": good | {"logits": scores.logits.astype(np.int32)},
        "ids are of type int64, not text": good | {"ids": np.arange(7)},
        "id clip2 occurs 2 times": good | {"ids": np.array([f"clip{i}" for i in (0, 1, 2, 2, 4, 5, 6)])},
        "ids have shape": good | {"ids": np.array([], np.str_)},
        "1 samples have scores that are not finite, the first is clip4": good | {"logits": infinite},
        "is no score file": good | {"ids": np.array(list(scores.ids), object)},
        "held_out names 'run', which is none of the class_names": good | {"held_out": np.array(["run"])},
    }


@pytest.mark.parametrize("case", range(13))
def test_a_faulty_file_is_refused(tmp_path, scores, case):
    message, arrays = list(faulty(scores).items())[case]
    path = tmp_path / "scores.npz"
    np.savez(path, **arrays)
    with pytest.raises(UserError, match=rf"^{path}: .*{message}"):
        read_scores(path)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_a_file_that_is_no_archive_is_refused(tmp_path, content):
    path = tmp_path / "scores.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"^{path}: is no score file"):
        read_scores(path)


def test_an_array_file_and_a_missing_file_are_refused(tmp_path):
    np.save(tmp_path / "array.npy", np.zeros(3))
    with pytest.raises(UserError, match="array.npy: is no score file"):
        read_scores(tmp_path / "array.npy")
    with pytest.raises(UserError, match="nothing.npz: there is no such score file"):
        read_scores(tmp_path / "nothing.npz")


def test_a_cut_off_file_is_refused(tmp_path, scores):
    path = tmp_path / "scores.npz"
    write_scores(path, scores)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match="scores.npz: is no score file"):
        read_scores(path)

"""Damaged records: refused when they are opened where a look shows it, named when they are read."""

import shutil

import numpy as np
import pytest

from rgbd_jax import prepare
from rgbd_jax.data import loader, record_writer
from rgbd_jax.data.builders.nw_ucla import NwUcla
from rgbd_jax.data.clip_errors import ClipErrors
from rgbd_jax.data.records import Records
from rgbd_jax.errors import OutsideError, UserError

RECORDS = "nw_ucla-train.array_record-00000-of-00001"


@pytest.fixture
def data(small_data, tmp_path):
    """A copy of the prepared data that may be damaged."""
    return shutil.copytree(small_data, tmp_path / "data")


def folder(data):
    return data / "nw_ucla" / "1.0.0"


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path, begin, end):
    content = bytearray(path.read_bytes())
    content[begin:end] = (byte ^ 255 for byte in content[begin:end])
    path.write_bytes(content)


def one_record_more(path):
    path.write_text(path.read_text().replace('"7"', '"8"'))


DAMAGES = {
    "no records": (RECORDS, lambda path: path.unlink(), "there is no such file"),
    "empty records": (RECORDS, lambda path: path.write_bytes(b""), "at least 64KB"),
    "cut records": (RECORDS, cut, "cut off|Corrupted|Invalid"),
    "end of records": (RECORDS, lambda path: path.write_bytes(path.read_bytes()[:-10]), "Invalid"),
    "something else": (RECORDS, lambda path: path.write_bytes(b"x" * 200_000), "Corrupted"),
    "another count": ("dataset_info.json", one_record_more, "holds 7 records; dataset_info.json says 8"),
    "cut info": ("dataset_info.json", cut, "dataset_info.json: is damaged"),
    "empty info": ("dataset_info.json", lambda path: path.write_text("{}"), "dataset_info.json or"),
    "cut features": ("features.json", cut, "features.json: is damaged"),
    "no features": ("features.json", lambda path: path.unlink(), "features.json: is damaged .No such file"),
    "empty features": ("features.json", lambda path: path.write_text("[]"), "features.json is damaged"),
    "no text": ("features.json", lambda path: path.write_bytes(b"\xff\xfe"), "features.json: is damaged"),
    "cut metadata": ("metadata.json", cut, "metadata.json: is damaged"),
    "no metadata": ("metadata.json", lambda path: path.write_text("{}"), "max_frames is None"),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_damaged_data_is_refused_when_it_is_opened(data, case):
    name, damage, message = DAMAGES[case]
    damage(folder(data) / name)
    with pytest.raises(UserError, match=message) as raised:
        loader.open_split("nw_ucla", data, "train")
    assert str(raised.value).startswith(str(folder(data)))
    assert "remove the folder" in str(raised.value)
    assert "prepare again" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_other_split_may_be_whole(data):
    (folder(data) / RECORDS).unlink()
    assert len(loader.open_split("nw_ucla", data, "test")) == 5


def test_prepare_does_not_call_damaged_data_prepared(data):
    cut(folder(data) / "dataset_info.json")
    with pytest.raises(UserError, match="dataset_info.json: is damaged .*prepare again"):
        prepare.main(["nw_ucla", f"--data_dir={data}"])


def test_a_damaged_record_is_named(data):
    flip(folder(data) / RECORDS, 100, 150)
    records = loader.open_split("nw_ucla", data, "train").source
    with pytest.raises(
        OutsideError, match=r"nw_ucla, split train, record 0: cannot be read \(Corrupt"
    ) as raised:
        records[0]
    assert "\n" not in str(raised.value)
    assert records[1]["joints"].shape[1:] == (1, 20, 3)


def test_a_record_without_values_is_named(tmp_path):
    records = Records([{"id": b"", "joints": None}], 1, name="some", split="test", folder=tmp_path)
    with pytest.raises(OutsideError, match=r"some, split test, record 0: cannot be read \(no joints\)"):
        records[0]


def test_a_damaged_record_ends_the_batches(data):
    flip(folder(data) / RECORDS, 100, 150)
    split = loader.open_split("nw_ucla", data, "train")
    with pytest.raises(OutsideError, match="split train, record 0: cannot be read"):
        list(loader.evaluation_batches(split, batch_size=2))


@pytest.mark.parametrize("num_workers", [0, 1])
def test_training_can_go_on_without_a_damaged_record(data, num_workers):
    flip(folder(data) / RECORDS, 100, 150)
    split = loader.open_split("nw_ucla", data, "train")
    errors = ClipErrors("skip", max_share=0.5)
    batches = loader.training_batches(split, batch_size=3, seed=0, num_workers=num_workers, errors=errors)
    ids = np.concatenate([next(batches)["id"] for _ in range(6)])
    assert len(ids) == 18
    assert set(ids) == {split.source[index]["id"].decode() for index in range(1, 7)}
    assert errors.ids == ("record 0 of train",)


def test_evaluation_can_go_on_without_a_damaged_record(data):
    flip(folder(data) / RECORDS, 100, 150)
    split, errors = loader.open_split("nw_ucla", data, "train"), ClipErrors("skip", max_share=0.5)
    batches = list(loader.evaluation_batches(split, batch_size=3, errors=errors))
    mask = np.concatenate([batch["mask"] for batch in batches])
    assert mask.tolist() == [False] + [True] * 6 + [False] * 2
    assert errors.ids == ("record 0 of train",)


def test_many_records_are_written_to_several_files(small_source, tmp_path, monkeypatch):
    monkeypatch.setattr(record_writer, "MAX_FILE_BYTES", 10_000)
    NwUcla(data_dir=tmp_path, source=small_source).prepare()
    names = sorted(path.name for path in folder(tmp_path).glob("*train*"))
    assert len(names) > 2
    assert names[-1] == f"nw_ucla-train.array_record-{len(names) - 1:05d}-of-{len(names):05d}"
    ids = [record["id"] for record in loader.open_split("nw_ucla", tmp_path, "train").source]
    assert len(ids) == 7
    assert ids == sorted(ids)
    assert not list(folder(tmp_path).glob("*unfinished*"))


def test_a_full_disk_is_trouble_from_outside(small_source, tmp_path, monkeypatch):
    writer = record_writer.ArrayRecordWriter
    monkeypatch.setattr(
        record_writer, "ArrayRecordWriter", lambda path, options: writer("/dev/full", options)
    )
    with pytest.raises(
        OutsideError, match=r"nw_ucla/1.0.0: cannot be written \(.*No space left.*nothing was saved"
    ):
        NwUcla(data_dir=tmp_path, source=small_source).prepare()
    assert not list(tmp_path.iterdir())


def test_records_end_where_they_end(data):
    records = loader.open_split("nw_ucla", data, "train", limit=3).source
    assert len(list(records)) == 3
    with pytest.raises(IndexError):
        records[3]

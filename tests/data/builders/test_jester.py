"""Jester: the published lists of names, the numbered lists of MotionRGBD."""

import re

import pytest
from data.video_files import write_folder, write_list

from rgbd_jax.data.builders.jester import CLASS_NAMES, Jester


@pytest.fixture
def frames(tmp_path):
    source = tmp_path / "source"
    for number, count in (("100", 4), ("7", 5), ("34870", 3)):
        write_folder(source / "20bn-jester-v1" / number, "%05d.jpg", 1, count)
    return source


def prepared(source, tmp_path):
    builder = Jester(data_dir=tmp_path / "data", source=source)
    builder.prepare()
    return {
        split: list(Jester.open_split(tmp_path / "data", split).source) for split in builder.split_sizes()
    }


def summary(record):
    return record["id"].decode(), CLASS_NAMES[record["label"]], len(record["rgb"])


def test_the_published_lists(frames, tmp_path):
    write_list(frames / "jester-v1-train.csv", ["100;Thumb Up", "7;No gesture"])
    write_list(frames / "jester-v1-validation.csv", ["34870;Swiping Left"])
    records = prepared(frames, tmp_path)
    assert [summary(record) for record in records["train"]] == [
        ("100", "Thumb Up", 4),
        ("7", "No gesture", 5),
    ]
    assert [summary(record) for record in records["valid"]] == [("34870", "Swiping Left", 3)]
    assert records["train"][0].keys() == {"id", "label", "rgb"}


@pytest.mark.parametrize("path", ["100", "20bn-jester-v1/100"])
def test_numbered_lists_follow_the_published_labels(frames, tmp_path, path):
    write_list(frames / "dataset_splits" / "train.txt", [f"{path} 4 0"])
    write_list(frames / "jester-v1-labels.csv", sorted(CLASS_NAMES))
    (record,) = prepared(frames, tmp_path)["train"]
    assert summary(record) == ("100", "Doing other things", 4)


def test_numbered_lists_alone_have_the_order_of_the_classes(frames, tmp_path):
    write_list(frames / "dataset_splits" / "train.txt", ["100 4 1"])
    (record,) = prepared(frames, tmp_path)["train"]
    assert summary(record) == ("100", "Swiping Right", 4)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("7", "found 1 columns .7.; number;class name are needed"),
        ("7;Waving", "found the class 'Waving'; allowed are the 27 of Jester V1"),
        ("8;Thumb Up", "there is no folder .*20bn-jester-v1/8"),
    ],
)
def test_bad_lines_are_named(frames, tmp_path, line, message):
    path = frames / "jester-v1-train.csv"
    write_list(path, ["100;Thumb Up", line])
    (fault,) = Jester(data_dir=tmp_path / "data", source=frames).check()
    assert fault.startswith(f"{path}, line 2: ")
    assert re.search(message, fault)


def test_an_empty_folder_and_a_gap_are_faults(frames, tmp_path):
    (frames / "20bn-jester-v1" / "9").mkdir()
    (frames / "20bn-jester-v1" / "7" / "00003.jpg").unlink()
    write_list(frames / "jester-v1-train.csv", ["100;Thumb Up", "9;Thumb Down", "7;No gesture"])
    empty, gap = Jester(data_dir=tmp_path / "data", source=frames).check()
    assert (
        f"there is no file {frames / '20bn-jester-v1' / '9' / '00001.jpg'}; as many frames as files" in empty
    )
    assert (
        f"there is no file {frames / '20bn-jester-v1' / '7' / '00003.jpg'}; as many frames as files (4" in gap
    )

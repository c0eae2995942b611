"""IsoGD: both layouts, and lines that differ from them."""

import re

import pytest
from data.video_files import number_of, write_folder, write_list, write_video

from rgbd_jax.data import images
from rgbd_jax.data.builders.isogd import Isogd
from rgbd_jax.errors import UserError


@pytest.fixture
def videos(tmp_path):
    source = tmp_path / "source"
    for phase, split in ((1, "train"), (1, "valid"), (2, "test")):
        folder = source / f"IsoGD_phase_{phase}"
        for prefix in "MK":
            write_video(folder / split / "001" / f"{prefix}_00001.avi", 4)
        write_list(
            folder / f"{split}_list.txt", [f"{split}/001/M_00001.avi {split}/001/K_00001.avi {phase * 100}"]
        )
    return source


def prepared(source, tmp_path):
    builder = Isogd(data_dir=tmp_path / "data", source=source)
    builder.prepare()
    return {split: list(Isogd.open_split(tmp_path / "data", split).source) for split in builder.split_sizes()}


def test_the_published_videos(videos, tmp_path):
    records = prepared(videos, tmp_path)
    assert {split: len(found) for split, found in records.items()} == {"train": 1, "valid": 1, "test": 1}
    record = records["test"][0]
    assert record["id"] == b"test/001/00001"
    assert record["label"] == 199
    for modality in ("rgb", "depth"):
        assert [number_of(images.decode(frame, 3)) for frame in record[modality]] == [0, 1, 2, 3]


def test_a_video_that_is_cut_off_is_named(videos, tmp_path):
    for prefix in "MK":  # both alike: the number of frames would not tell
        path = videos / "IsoGD_phase_1" / "valid" / "001" / f"{prefix}_00001.avi"
        write_video(path, 30)
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    (fault,) = Isogd(data_dir=tmp_path / "data", source=videos).check()
    assert re.search(r"valid_list.txt, line 1: .*M_00001.avi: ends after \d+ frames; the 30 that it", fault)


def test_one_phase_alone(videos, tmp_path):
    records = prepared(videos / "IsoGD_phase_1", tmp_path)
    assert {split: len(found) for split, found in records.items()} == {"train": 1, "valid": 1}


@pytest.mark.parametrize("prefix", ["M", "K"])
def test_the_frames_of_motion_rgbd(tmp_path, prefix):
    source = tmp_path / "source"
    write_folder(source / "rgb" / "valid" / "002" / "M_00007", "%06d.jpg", 0, 3)
    write_folder(source / "depth" / "valid" / "002" / "K_00007", "%06d.jpg", 0, 3)
    write_list(source / "dataset_splits" / "valid.txt", [f"valid/002/{prefix}_00007 3 248"])
    (record,) = prepared(source, tmp_path)["valid"]
    assert record["id"] == b"valid/002/00007"
    assert record["label"] == 248
    assert len(record["rgb"]) == len(record["depth"]) == 3


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train/001/M_00001.avi train/001/K_00001.avi", "found 2 columns .*; colour video, depth video and"),
        ("train/001/M_00001.avi train/001/K_00001.avi 250", "found label 250; allowed are 1 to 249"),
        ("train/001/00001.avi train/001/00001.avi 1", "found train/001/00001.avi; a path such as"),
        ("train/001/M_00001.avi train/002/K_00001.avi 1", "there is no file .*train/002/K_00001.avi"),
    ],
)
def test_bad_lines_are_named(videos, tmp_path, line, message):
    path = videos / "IsoGD_phase_1" / "train_list.txt"
    path.write_text(path.read_text() + "\n\n" + line)
    builder = Isogd(data_dir=tmp_path / "data", source=videos)
    (fault,) = builder.check()
    assert fault.startswith(f"{path}, line 3: ")
    assert re.search(message, fault)
    with pytest.raises(UserError, match=message):
        builder.prepare()

"""A data set of one's own: lists, class names, frames and videos, depth as measured or as shown."""

import re

import numpy as np
import pytest
from data.video_files import write_folder, write_image, write_list, write_video

from rgbd_jax import prepare
from rgbd_jax.data import loader
from rgbd_jax.data.builders.custom import Custom
from rgbd_jax.errors import UserError


@pytest.fixture
def source(tmp_path):
    """Two clips, the first as frames, the second as videos, with measured depth of the first alone."""
    folder = tmp_path / "source"
    write_list(folder / "classes.txt", ["wave", "clap hands"])
    write_list(folder / "dataset_splits" / "train.txt", ["me/take_1 3 1"])
    write_list(folder / "dataset_splits" / "mine_2.txt", ["you/take_1 4 0"])
    write_folder(folder / "rgb" / "me" / "take_1", "%06d.jpg", 1, 3)
    write_video(folder / "rgb" / "you" / "take_1.avi", 6)
    return folder


def write_depth(folder, count):
    for number in range(count):
        write_image(folder / f"{number:06d}.png", np.full((20, 30), 1000 + number, np.uint16))


def test_splits_and_classes_are_those_of_the_lists(source, tmp_path, capsys):
    arguments = ["custom", f"--source={source}", f"--data_dir={tmp_path / 'data'}"]
    prepare.main(arguments)
    printed = capsys.readouterr().out
    assert "prepared custom: 1 train, 1 mine_2 clips of up to 4 frames in " in printed
    assert "the whole data set" not in printed
    prepare.main([arguments[0], arguments[2]])
    assert "nothing to do: 1 train, 1 mine_2 clips" in capsys.readouterr().out
    split = loader.open_split("custom", tmp_path / "data", "mine_2")
    assert split.class_names == ("wave", "clap hands")
    assert split.modalities == ("rgb",)
    (record,) = split.source
    assert (record["id"], record["label"], len(record["rgb"])) == (b"you/take_1", 0, 4)


def test_measured_depth_stays_as_it_is(source, tmp_path):
    write_depth(source / "depth" / "me" / "take_1", 3)
    write_depth(source / "depth" / "you" / "take_1", 4)
    Custom(data_dir=tmp_path / "data", source=source).prepare()
    split = loader.open_split("custom", tmp_path / "data", "train", num_frames=3)
    (batch,) = loader.evaluation_batches(split, batch_size=1)
    assert batch["depth"].shape == (1, 3, 20, 30, 1)
    assert batch["depth"][0, :, 0, 0, 0].tolist() == [1000, 1001, 1002]


@pytest.mark.parametrize(
    ("measured", "painted", "message"),
    [
        (
            "me",
            "you",
            "train.txt, line 1: the depth is measured, of 16 bits, that of .*mine_2.txt, line 1 is in",
        ),
        (
            "you",
            "me",
            "train.txt, line 1: the depth is in colours of 8 bits, that of .*line 1 is measured, of",
        ),
    ],
)
def test_depth_of_two_kinds_is_refused(source, tmp_path, measured, painted, message):
    frames = {"me": 3, "you": 4}
    write_depth(source / "depth" / measured / "take_1", frames[measured])
    write_folder(source / "depth" / painted / "take_1", "%06d.jpg", 0, frames[painted])
    builder = Custom(data_dir=tmp_path / "data", source=source)
    (fault,) = builder.check()
    assert re.search(message, fault)
    with pytest.raises(UserError) as raised:
        builder.prepare()
    assert str(raised.value) == fault


def test_a_clip_stands_once_in_a_split(source, tmp_path):
    train = source / "dataset_splits" / "train.txt"
    write_list(train, ["me/take_1 3 1", "you/take_1 4 0", "me/take_1 2 1"])
    builder = Custom(data_dir=tmp_path / "data", source=source)
    (fault,) = builder.check()
    assert fault == (
        f"{train}, line 3: the clip me/take_1 is in the split train already, by {train}, line 1;"
        " once is allowed"
    )
    with pytest.raises(UserError, match="line 3: the clip me/take_1 is in the split train already"):
        builder.prepare()
    # In another split it may stand again.
    write_list(train, ["me/take_1 3 1", "you/take_1 4 0"])
    assert builder.check() == []


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("classes.txt", "wave\nwave", "classes.txt: found 'wave' more than once"),
        ("classes.txt", "", "classes.txt: is empty"),
        ("dataset_splits/a__b.txt", "me/take_1 3 1", "a__b.txt: is no name of a split"),
        ("dataset_splits/train.txt", "me/take_1 3 2", "train.txt, line 1: found label 2; allowed are 0 to 1"),
        (
            "dataset_splits/train.txt",
            "me/take_2 3 1",
            "train.txt, line 1: there is no folder .*rgb/me/take_2",
        ),
    ],
)
def test_bad_descriptions_are_named(source, tmp_path, path, text, message):
    (source / path).write_text(text)
    with pytest.raises(UserError, match=message):
        Custom(data_dir=tmp_path / "data", source=source).prepare()
    assert not list((tmp_path / "data").rglob("*"))

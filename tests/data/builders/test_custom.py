"""A data set of one's own: lists, class names, frames and videos, depth as measured or as shown."""

import re
import shutil

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
        depth = np.full((20, 30), 1000 + number, np.uint16)
        depth[-1] = 0
        write_image(folder / f"{number:06d}.png", depth)


def test_splits_and_classes_are_those_of_the_lists(source, tmp_path, capsys):
    arguments = ["custom", f"--source={source}", f"--data_dir={tmp_path / 'data'}"]
    prepare.main(arguments)
    printed = capsys.readouterr().out
    assert "prepared custom: 1 train, 1 mine_2 clips of up to 4 frames in " in printed
    assert "warning: no clips in train of wave\n" in printed
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


def test_frames_are_found_whatever_their_names_and_endings_are(source, tmp_path):
    shutil.rmtree(source / "rgb" / "me")
    (source / "rgb" / "you" / "take_1.avi").rename(source / "rgb" / "you" / "take_1.AVI")
    write_folder(source / "rgb" / "me" / "take_1", "frame_%04d.PNG", 7, 3)
    (source / "rgb" / "me" / "take_1" / "._frame_0007.PNG").touch()
    write_list(source / "dataset_splits" / "train.txt", ["me/take_1 all 1"])
    assert Custom(data_dir=tmp_path / "data", source=source).check() == []


def test_depth_of_8_bits_is_painted_whatever_the_file(source, tmp_path):
    for who, count in (("me", 3), ("you", 4)):
        write_folder(source / "depth" / who / "take_1", "%06d.png", 0, count)
    builder = Custom(data_dir=tmp_path / "data", source=source)
    assert builder.modalities == ("rgb", "depth") and builder.check() == []


@pytest.mark.parametrize(
    ("clip", "spoil", "message"),
    [
        ("me", lambda me: write_video(me / "take_1.Mov", 3), "found take_1.Mov and take_1 for .*; one video"),
        ("you", lambda you: write_video(you / "take_1.MP4", 4), "found take_1.MP4 and take_1.avi for "),
        ("me", lambda me: write_folder(me / "take_1", "a%d.jpg", 0, 1), r"found \*.jpg and a\*.jpg"),
        (
            "me",
            lambda me: (shutil.rmtree(me / "take_1"), write_depth(me / "take_1", 3)),
            "found depth of 16 bits",
        ),
    ],
    ids=["folder and video", "videos", "frames", "depth"],
)
def test_a_clip_of_which_it_is_not_known_what_it_is_is_refused(source, tmp_path, clip, spoil, message):
    spoil(source / "rgb" / clip)
    (fault,) = Custom(data_dir=tmp_path / "data", source=source).check()
    assert re.search(f"{'train' if clip == 'me' else 'mine_2'}.txt, line 1: .*{message}", fault)


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


@pytest.fixture
def folders(tmp_path):
    """Two classes, of one a space in the name; two people; one folder of frames, else videos."""
    rgb = tmp_path / "folders" / "rgb"
    for number, clip in enumerate(("wave/anna/take 1", "wave/ben/take 1", "clap hands/anna/take.1")):
        write_video(rgb / f"{clip}.avi", 3 + number)
    write_folder(rgb / "clap hands" / "ben" / "take", "%06d.jpg", 1, 2)
    return rgb.parent


def test_folders_of_classes_are_all_it_takes(folders, tmp_path, capsys):
    arguments = ["custom", f"--source={folders}", f"--data_dir={tmp_path / 'data'}"]
    prepare.main([*arguments, "--split=subject", "--test_subjects=ben"])
    printed = capsys.readouterr().out.splitlines()
    assert [line.split() for line in printed[:3]] == [
        ["class", "train", "test"],
        ["clap", "hands", "1", "1"],
        ["wave", "1", "1"],
    ]
    split = loader.open_split("custom", tmp_path / "data", "test")
    found = {record["id"].decode(): (record["label"], len(record["rgb"])) for record in split.source}
    assert found == {"clap hands/ben/take": (0, 2), "wave/ben/take 1": (1, 4)}


def test_what_gives_no_clip_is_named(folders, tmp_path, capsys):
    (folders / "rgb" / "nod").mkdir()
    (folders / "rgb" / "wave" / "1.webm").touch()
    (folders / "rgb" / "wave" / "._2.avi").touch()
    write_folder(folders / "rgb" / "wave" / "ben" / "3", "frame_%d.JPG", 1, 1)
    write_video(folders / "rgb" / "wave" / "ben" / "4.avi", 1)
    video = folders / "rgb" / "wave" / "ben" / "4.avi"
    video.rename(video.with_suffix(".AVI"))
    prepare.main(
        ["custom", f"--source={folders}", f"--data_dir={tmp_path / 'data'}", "--split=random", "--check"]
    )
    printed = capsys.readouterr()
    assert "no clip is in rgb/nod, rgb/wave/1.webm; videos (.avi, .mp4, .mkv, .mov) or" in printed.err
    assert "custom: all 6 clips are in order" in printed.out


def test_the_same_command_can_be_repeated(folders, tmp_path, capsys):
    """After a first faulty clip, after it has succeeded, and where the lists are gone."""
    arguments = ["custom", f"--source={folders}", f"--data_dir={tmp_path / 'data'}"]
    video = folders / "rgb" / "wave" / "ben" / "take 1.avi"
    content = video.read_bytes()
    video.write_bytes(content[:100])
    with pytest.raises(UserError, match="cannot be opened as a video"):
        prepare.main([*arguments, "--split=random"])
    video.write_bytes(content)
    prepare.main([*arguments, "--split=random"])
    shutil.rmtree(folders / "dataset_splits")
    (folders / "classes.txt").unlink()
    capsys.readouterr()
    prepare.main([*arguments, "--split=subject"])
    assert capsys.readouterr().out.startswith("custom is prepared already, nothing to do: ")
    assert [path.name for path in folders.iterdir()] == ["rgb"]
    with pytest.raises(UserError, match="--source is missing"):
        prepare.main([arguments[0], arguments[2], "--split=random"])


@pytest.mark.parametrize(
    ("spoil", "arguments", "message"),
    [
        (lambda root: write_video(root / "rgb" / "x.avi", 2), [], "the clip x lies in no folder of a class"),
        (
            lambda root: write_video(root / "depth" / "wave" / "anna" / "take 1.avi", 2),
            [],
            r"depth: there is no clip clap hands/anna/take.1; both need all",
        ),
        (
            lambda root: shutil.rmtree(root / "rgb"),
            [],
            r"found no videos \(.avi, .mp4, .mkv, .mov\) or folders of numbered frames below rgb/CLASS/",
        ),
        (lambda root: (root / "skeletons").mkdir(), [], "beside them the folder skeletons, whose lists"),
        (lambda root: None, ["--test_share=1"], "--test_share=1.0: a number between 0 and 1 is needed"),
        (lambda root: None, ["--seed=-1"], "--seed=-1: 0 or more is needed"),
        (lambda root: None, ["--test_subjects=ben"], "--test_subjects: goes with --split=subject"),
        (lambda root: None, ["--split=subject", "--test_subjects=ben", "--seed=2"], "without .* and --seed"),
        (lambda root: None, ["--split=subject", "--test_subjects=,"], "names with commas between are needed"),
    ],
)
def test_folders_that_are_no_data_set_are_refused(folders, tmp_path, spoil, arguments, message):
    spoil(folders)
    before = sorted(folders.rglob("*"))
    with pytest.raises(UserError, match=message):
        prepare.main(
            ["custom", f"--source={folders}", f"--data_dir={tmp_path / 'data'}", "--split=random", *arguments]
        )
    assert sorted(folders.rglob("*")) == before and not (tmp_path / "data").exists()


def test_published_splits_are_not_divided_anew(folders, tmp_path):
    with pytest.raises(UserError, match="--split=random: nvgesture has splits of its own"):
        prepare.main(
            ["nvgesture", f"--source={folders}", f"--data_dir={tmp_path / 'data'}", "--split=random"]
        )

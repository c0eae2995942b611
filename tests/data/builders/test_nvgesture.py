"""NVGesture: both layouts, every kind of bad input, and real recordings."""

import numpy as np
import pytest
from data.video_files import number_of, write_folder, write_list, write_video

from rgbd_jax.data import images, loader
from rgbd_jax.data.builders.nvgesture import CLASS_NAMES, Nvgesture
from rgbd_jax.errors import UserError

TRAIN = "nvgesture_train_correct_cvpr2016_v2.lst"
TEST = "nvgesture_test_correct_cvpr2016_v2.lst"


def line(path, first, end, label, colour="sk_color"):
    sensors = f"depth:sk_depth:{first}:{end} color:{colour}:{first}:{end} duo_left:duo_left:1:3"
    return f"path:./Video_data/{path} {sensors} label:{label} "


@pytest.fixture
def videos(tmp_path):
    """The published layout: three clips cut from recordings of twelve frames."""
    source = tmp_path / "source"
    for path in ("class_01/subject1_r0", "class_25/subject1_r0", "class_03/subject2_r1"):
        write_video(source / "Video_data" / path / "sk_color.avi", 12)
        write_video(source / "Video_data" / path / "sk_depth.avi", 12)
    write_list(
        source / TRAIN, [line("class_01/subject1_r0", 3, 8, 1), line("class_25/subject1_r0", 0, 12, 25)]
    )
    write_list(source / TEST, [line("class_03/subject2_r1", 4, 9, 3)])
    return source


@pytest.fixture
def folders(tmp_path):
    """The layout of MotionRGBD: two clips of five frames."""
    source = tmp_path / "source"
    for path in ("train/class_01/subject1_r0", "test/class_03/subject2_r1"):
        write_folder(source / "rgb" / path, "%06d.jpg", 0, 5)
        write_folder(source / "depth" / path, "%06d.jpg", 0, 5)
    write_list(source / "dataset_splits" / "train.txt", ["train/class_01/subject1_r0 5 0 "])
    write_list(source / "dataset_splits" / "valid.txt", [" test/class_03/subject2_r1 5 12"])
    return source


def prepared(source, tmp_path):
    builder = Nvgesture(data_dir=tmp_path / "data", source=source)
    builder.prepare()
    return builder


def test_the_frames_of_the_lists_are_kept(videos, tmp_path):
    builder = prepared(videos, tmp_path)
    assert builder.split_sizes() == {"train": 2, "test": 1}
    assert builder.info.metadata["formats"] == {"rgb": [24, 32, 3], "depth": [24, 32, 3]}
    assert builder.info.metadata["max_frames"] == 12
    split = Nvgesture.open_split(tmp_path / "data", "train")
    first, second = split.source
    assert first["id"] == b"class_01/subject1_r0"
    assert split.class_names[first["label"]] == "move hand left"
    assert split.class_names[second["label"]] == "OK"
    for modality in ("rgb", "depth"):
        numbers = [number_of(images.decode(encoded, 3)) for encoded in first[modality]]
        assert numbers == [3, 4, 5, 6, 7]


def test_image_files_are_kept_as_they_are(folders, tmp_path):
    prepared(folders, tmp_path)
    (record,) = Nvgesture.open_split(tmp_path / "data", "test").source
    assert record["id"] == b"class_03/subject2_r1"
    assert record["label"] == 12  # without a newline at the end of the list
    for modality in ("rgb", "depth"):
        files = sorted((folders / modality / "test" / "class_03" / "subject2_r1").iterdir())
        assert record[modality] == [path.read_bytes() for path in files]


def test_a_modality_that_is_not_there_is_left_out(folders, tmp_path):
    (folders / "depth").rename(folders / "elsewhere")
    builder = prepared(folders, tmp_path)
    assert list(builder.info.metadata["formats"]) == ["rgb"]
    assert Nvgesture.open_split(tmp_path / "data", "train").modalities == ("rgb",)
    with pytest.raises(UserError, match=r"data.modalities=\('rgb', 'depth'\): .* has no depth; it has rgb"):
        Nvgesture.open_split(tmp_path / "data", "train", modalities=("rgb", "depth"))


def damage_frame(source):
    path = source / "rgb" / "train" / "class_01" / "subject1_r0" / "000003.jpg"
    path.write_bytes(path.read_bytes()[:-40])


def remove_frame(source):
    (source / "depth" / "train" / "class_01" / "subject1_r0" / "000004.jpg").unlink()


def remove_folder(source):
    (source / "rgb" / "train" / "class_01" / "subject1_r0").rename(source / "other")


def rewrite(name, old, new):
    def change(source):
        path = source / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    return change


def no_video(source):
    (source / "Video_data" / "class_01" / "subject1_r0" / "sk_depth.avi").write_bytes(b"RIFF no video")


TRAIN_FRAMES = "dataset_splits/train.txt"
BAD_FOLDERS = {
    "two columns": (rewrite(TRAIN_FRAMES, " 5 0", " 5"), "train.txt, line 1: found 2 columns"),
    "no number": (rewrite(TRAIN_FRAMES, " 5 0", " five 0"), "train.txt, line 1: found frames=five"),
    "no frames": (rewrite(TRAIN_FRAMES, " 5 0", " 0 0"), "train.txt, line 1: found frames=0; .* 1 or more"),
    "label": (rewrite(TRAIN_FRAMES, " 5 0", " 5 25"), "line 1: found label 25; allowed are 0 to 24"),
    "no folder": (remove_folder, "train.txt, line 1: there is no folder .*rgb/train/class_01/subject1_r0"),
    "no frame": (
        remove_frame,
        "train.txt, line 1: there is no file .*000004.jpg; 5 frames, from 000000.jpg on,",
    ),
    "cut frame": (damage_frame, "train.txt, line 1: .*000003.jpg: cannot be decoded .it is cut off"),
}
BAD_VIDEOS = {
    "no label": (rewrite(TRAIN, "label:1 ", ""), f"{TRAIN}, line 1: found no label:"),
    "label": (rewrite(TRAIN, "label:1 ", "label:0"), "line 1: found label 0; allowed are 1 to 25"),
    "no range": (rewrite(TRAIN, "sk_depth:3:8", "sk_depth:3"), "line 1: found depth:sk_depth:3; depth:VIDEO"),
    "empty range": (rewrite(TRAIN, "sk_depth:3:8", "sk_depth:8:8"), "line 1: found depth frames 8 to 8"),
    "too short": (
        rewrite(TRAIN, "0:12", "0:13"),
        "line 2: .*sk_depth.avi: ends after 12 frames; frames 0 to",
    ),
    "lengths": (rewrite(TRAIN, "sk_depth:3:8", "sk_depth:3:9"), "line 1: found 5 frames of rgb and 6 frames"),
    "other stem": (rewrite(TRAIN, "sk_color", "colour"), "line 1: there is no file .*/colour.avi"),
    "no video": (no_video, "line 1: .*sk_depth.avi: cannot be opened as a video"),
}


@pytest.mark.parametrize(
    "case", [*(("folders", name) for name in BAD_FOLDERS), *(("videos", n) for n in BAD_VIDEOS)]
)
def test_a_bad_clip_is_named_and_stops_the_preparation(case, tmp_path, request):
    layout, name = case
    source = request.getfixturevalue(layout)
    damage, message = {"folders": BAD_FOLDERS, "videos": BAD_VIDEOS}[layout][name]
    damage(source)
    builder = Nvgesture(data_dir=tmp_path / "data", source=source)
    (fault,) = builder.check()
    with pytest.raises(UserError, match=message) as raised:
        builder.prepare()
    assert str(raised.value) == fault
    assert fault.startswith(str(source))
    assert "\n" not in fault
    assert not list((tmp_path / "data").rglob("*"))


def test_a_source_without_lists_is_refused(tmp_path):
    with pytest.raises(
        UserError, match=f"source={tmp_path}: there is no list of clips, such as nvgesture_train"
    ):
        Nvgesture(data_dir=tmp_path / "data", source=tmp_path).prepare()


def test_a_clip_of_one_frame_is_kept_and_repeated(folders, tmp_path):
    rewrite(TRAIN_FRAMES, " 5 0", " 1 0")(folders)
    builder = Nvgesture(data_dir=tmp_path / "data", source=folders)
    assert builder.check() == []
    (warning,) = builder.warnings
    assert "train.txt, line 1: the clip has one frame" in warning
    builder.prepare()
    split = loader.open_split("nvgesture", tmp_path / "data", "train", num_frames=4)
    (batch,) = loader.evaluation_batches(split, batch_size=1)
    assert [number_of(frame) for frame in batch["rgb"][0]] == [0, 0, 0, 0]


def test_real_recordings(real_data, tmp_path):
    builder = prepared(real_data / "nvgesture_mini", tmp_path)
    assert builder.warnings == []
    assert builder.split_sizes() == {"train": 6, "test": 6}
    split = loader.open_split("nvgesture", tmp_path / "data", "test")
    (batch,) = loader.evaluation_batches(split, batch_size=6)
    assert batch["id"][0] == "class_01/subject3_r1"
    assert batch["label"].tolist() == [0, 1, 2, 3, 4, 5]
    for modality in ("rgb", "depth"):
        assert batch[modality].shape == (6, 64, 240, 320, 3)
        assert (batch[f"{modality}_size"] == (240, 320)).all()
        assert np.ptp(batch[modality].reshape(6, 64, -1).mean(2), axis=1).min() > 0.01  # it moves
    assert len(CLASS_NAMES) == split.num_classes == 25

"""NTU RGB+D: videos and masks as published, the frames of MotionRGBD, two protocols on the same records."""

import json
import re

import numpy as np
import pytest
from data.video_files import number_of, write_folder, write_image, write_list, write_video

from rgbd_jax.data import images, loader
from rgbd_jax.data.builders.ntu_rgbd import NtuRgbd
from rgbd_jax.errors import UserError

# Subject 1 trains and subject 3 tests, camera 2 trains and camera 1 tests.
CLIPS = {
    "S001C001P001R001A001": {"cs_train", "cv_test"},
    "S001C002P001R001A060": {"cs_train", "cv_train"},
    "S001C001P003R002A010": {"cs_test", "cv_test"},
}


def mask(left: int = 0, top: int = 0) -> np.ndarray:
    """A masked depth frame with a person of 60 by 120 pixels."""
    depth = np.zeros((424, 512), np.uint16)
    depth[top : top + 120, left : left + 60] = 2202
    return depth


def write_masks(folder, masks):
    for number, depth in enumerate(masks, 1):
        write_image(folder / f"MDepth-{number:08d}.png", depth)


@pytest.fixture
def videos(tmp_path):
    source = tmp_path / "source"
    for name in CLIPS:
        write_video(source / "nturgb+d_rgb" / f"{name}_rgb.avi", 3, height=1080, width=1920)
        write_masks(source / "nturgb+d_depth_masked" / name, [mask(200, 150), mask(), mask(440, 300)])
    return source


@pytest.fixture
def folders(tmp_path):
    source = tmp_path / "source"
    lists = {}
    for name, splits in CLIPS.items():
        write_folder(source / "Images" / f"{name}_rgb", "%06d.jpg", 1, 2, height=540, width=960)
        write_masks(source / "nturgb+d_depth_masked" / name, [mask(200, 150)] * 2)
        for split in splits:
            lists.setdefault(split, []).append(f"{name}_rgb 2 {int(name[-3:]) - 1} ")
    for split, lines in lists.items():
        protocol, part = split.split("_")
        name = {"train": "train.txt", "test": "valid.txt"}[part]
        write_list(source / "dataset_splits" / f"@{protocol.upper()}" / name, lines)
    return source


def prepared(source, tmp_path):
    builder = NtuRgbd(data_dir=tmp_path / "data", source=source)
    builder.prepare()
    return builder


def metadata_of(builder):
    """As it lies beside the records."""
    return json.loads((builder.folder(builder.source.parent / "data") / "metadata.json").read_text())


@pytest.mark.parametrize("layout", ["videos", "folders"])
def test_the_protocols_are_splits_of_the_same_records(layout, tmp_path, request):
    builder = prepared(request.getfixturevalue(layout), tmp_path)
    assert builder.split_sizes() == {"cs_train": 2, "cs_test": 1, "cv_train": 1, "cv_test": 2}
    assert sum(info.num_examples for info in builder.info.splits.values()) == 3
    for name in builder.split_sizes():
        split = NtuRgbd.open_split(tmp_path / "data", name)
        ids = {record["id"].decode() for record in split.source}
        assert ids == {clip for clip, splits in CLIPS.items() if name in splits}
        assert all(record["label"] == int(record["id"][-3:]) - 1 for record in split.source)
    with pytest.raises(UserError, match="no split 'train'; it has cs_train, cv_train, cs_test, cv_test"):
        NtuRgbd.open_split(tmp_path / "data", "train")


def test_videos_are_cropped_about_the_person(videos, tmp_path):
    builder = prepared(videos, tmp_path)
    assert builder.warnings == []
    metadata = builder.info.metadata
    assert metadata["formats"] == {"rgb": [240, 320, 3], "depth": [240, 320, 1]}
    assert metadata["preparation"]["depth_box"] == [320, 240]
    split = loader.open_split("ntu_rgbd", tmp_path / "data", "cv_train", num_frames=3)
    (batch,) = loader.evaluation_batches(split, batch_size=1)
    assert [number_of(frame) for frame in batch["rgb"][0]] == [0, 1, 2]
    assert batch["depth"].shape == (1, 3, 240, 320, 1)
    assert batch["depth"].dtype == np.uint16
    # Far to the right and below, less than the whole box is left.
    height, width = batch["depth_size"][0].T
    assert height.tolist()[:2] == [240, 240] and height[2] < 240
    assert width.tolist()[:2] == [320, 320] and width[2] < 320
    for frame in batch["depth"][0]:
        assert (frame == 2202).sum() == 60 * 120
    # The person is in the middle, and in the corner, of the box.
    rows, columns = np.nonzero(batch["depth"][0, 0, ..., 0])
    assert abs(rows.mean() - 120) < 10 and abs(columns.mean() - 160) < 10
    rows, columns = np.nonzero(batch["depth"][0, 1, ..., 0])
    assert rows.min() == columns.min() == 0
    # The colour box is half of the frame: what is at its left border says where it was cut.
    left = batch["rgb"][0, :, :, 0, 1].mean(1)
    assert left[1] == pytest.approx(0, abs=4)
    assert left[2] > left[0] > left[1] + 10


def test_frames_of_colour_are_kept_as_they_are(folders, tmp_path):
    prepared(folders, tmp_path)
    (record,) = NtuRgbd.open_split(tmp_path / "data", "cv_train").source
    files = sorted((folders / "Images" / "S001C002P001R001A060_rgb").iterdir())
    assert record["rgb"] == [path.read_bytes() for path in files]
    assert images.decode(record["depth"][0], images.DEPTH).shape == (240, 320, 1)


def test_a_clip_that_two_lines_name_otherwise_is_refused(folders, tmp_path):
    """Here with other numbers of frames; the same line in the lists of both protocols is one clip."""
    path = folders / "dataset_splits" / "@CV" / "train.txt"
    write_list(path, ["S001C002P001R001A060_rgb 1 59"])
    (fault,) = NtuRgbd(data_dir=tmp_path / "data", source=folders).check()
    assert re.match(f"{path}, line 1: the clip S001C002P001R001A060 is in the split cs_train already", fault)


def test_a_frame_without_a_person_is_cropped_about_its_centre_and_counted(folders, tmp_path):
    empty = np.zeros((424, 512), np.uint16)
    empty[92:97, 96:101] = 900  # too small for a person, in the corner of the box about the centre
    write_masks(folders / "nturgb+d_depth_masked" / "S001C002P001R001A060", [empty, mask(200, 150)])
    builder = prepared(folders, tmp_path)
    (warning,) = builder.warnings
    line = r"/dataset_splits/@CS/train.txt, line \d: 1 frames of depth without a person were cropped"
    assert re.search(f"{line}.* none was found in .*/S001C002P001R001A060/MDepth-00000001.png$", warning)
    assert metadata_of(builder)["frames_without_person"] == {"depth": 1}
    (record,) = NtuRgbd.open_split(tmp_path / "data", "cv_train").source
    frame = images.decode(record["depth"][0], images.DEPTH)
    assert frame.shape == (240, 320, 1)
    assert (frame[:5, :5] == 900).all()


def test_a_moment_without_a_person_counts_once_in_each_modality(videos, tmp_path):
    """Nearer than 256 mm it is a person to the rule of depth alone."""
    name = "S001C002P001R001A060"
    masks = videos / "nturgb+d_depth_masked" / name
    write_masks(masks, [mask(200, 150), np.minimum(mask(), 255), np.zeros((424, 512), np.uint16)])
    builder = prepared(videos, tmp_path)
    assert metadata_of(builder)["frames_without_person"] == {"rgb": 2, "depth": 1}
    video = videos / "nturgb+d_rgb" / f"{name}_rgb.avi"
    cropped = "without a person were cropped about their centre; none was found in"
    assert set(builder.warnings) == {
        f"{video}: 2 frames of rgb {cropped} {masks / 'MDepth-00000002.png'} and others",
        f"{video}: 1 frames of depth {cropped} {masks / 'MDepth-00000003.png'}",
    }


def test_the_parameters_of_the_preparation_are_recorded(folders, tmp_path):
    preparation = metadata_of(prepared(folders, tmp_path))["preparation"]
    assert preparation["person"] == {
        "erosion": 3,
        "dilation": 10,
        "smallest_area": 500,
        "mask_for_depth": "depth modulo 256 is not 0",
        "mask_for_colour": "depth is at least 256",
        "centre": "the smallest x and the smallest y of the least rectangles' centres",
    }


def test_one_protocol_is_enough(folders, tmp_path):
    for path in (folders / "dataset_splits" / "@CV").iterdir():
        path.unlink()
    assert prepared(folders, tmp_path).split_sizes() == {
        "cs_train": 2,
        "cs_test": 1,
        "cv_train": 1,
        "cv_test": 2,
    }


def fault(source, tmp_path):
    builder = NtuRgbd(data_dir=tmp_path / "data", source=source)
    (found,) = builder.check()
    with pytest.raises(UserError):
        builder.prepare()
    return found


def test_bad_lists_are_named(folders, tmp_path):
    path = folders / "dataset_splits" / "@CS" / "valid.txt"
    original = path.read_text()
    for line, message in {
        "S001C001P003R002A010_rgb 2": "found 2 columns",
        "S001C001P003R002A010_rgb 2 8": "found label 8; by its name it is 9",
        "S001C001P001R002A010_rgb 2 9": "is listed for cs_test; by its name it belongs to cs_train and cv",
        "S001C001P003R002A061_rgb 2 60": "found action 61; allowed are 1 to 60",
        "001_rgb 2 0": "found 001; a name of the form SsssCcccPpppRrrrAaaa is needed",
        "S001C001P003R002A011_rgb 2 10": "there is no folder .*Images/S001C001P003R002A011_rgb",
    }.items():
        path.write_text(original + "\n" + line)
        found = fault(folders, tmp_path)
        assert found.startswith(f"{path}, line 2: ")
        assert re.search(message, found)


def test_faulty_videos_are_left_out_on_request(videos, tmp_path):
    """Also one whose name says no split: there are no lists here to take a line from."""
    folder = videos / "nturgb+d_rgb"
    (folder / "S001C001P001R001A001_rgb.avi").write_bytes(b"RIFF no video")
    (folder / "unknown_rgb.avi").write_bytes(b"")
    builder = NtuRgbd(data_dir=tmp_path / "data", source=videos, on_error="skip")
    builder.prepare()
    assert builder.split_sizes() == {"cs_train": 1, "cs_test": 1, "cv_train": 1, "cv_test": 1}
    assert metadata_of(builder)["left_out"] == builder.num_left_out == 2
    unknown, damaged = builder.warnings
    assert unknown.startswith(f"{folder / 'unknown_rgb.avi'}: found unknown; ")
    assert damaged.startswith(f"{folder / 'S001C001P001R001A001_rgb.avi'}: ")
    assert all(warning.endswith("; the clip is left out") for warning in builder.warnings)


def test_masks_and_videos_that_do_not_fit_are_named(videos, tmp_path):
    name = "S001C001P001R001A001"
    video = videos / "nturgb+d_rgb" / f"{name}_rgb.avi"
    masks = videos / "nturgb+d_depth_masked" / name
    (masks / "MDepth-00000003.png").rename(videos / "third.png")
    assert (
        fault(videos, tmp_path)
        == f"{video}: found 3 frames of rgb and 2 frames of depth; equally many are needed"
    )
    (videos / "third.png").rename(masks / "MDepth-00000003.png")
    write_image(masks / "MDepth-00000002.png", np.zeros((424, 512), np.uint8))
    assert "MDepth-00000002.png: cannot be decoded (found uint8" in fault(videos, tmp_path)
    masks.rename(videos / "elsewhere")
    assert f"{video}: there is no folder {masks}" in fault(videos, tmp_path)

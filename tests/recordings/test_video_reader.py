"""Recordings of colour and depth: the same rows as of evaluation, whatever they come from."""

import os
import wave

import cv2
import numpy as np
import pytest
from data.video_files import frame, number_of, write_folder, write_image, write_list, write_video

from rgbd_jax.config import load_file, override
from rgbd_jax.data import images, loader
from rgbd_jax.data.builders.custom import Custom
from rgbd_jax.data.builders.ntu_rgbd import NtuRgbd
from rgbd_jax.data.builders.nvgesture import Nvgesture
from rgbd_jax.errors import UserError
from rgbd_jax.recordings import make_reader, parse_given

CLASSES = ("wave", "sit")


def reader(variant, data_set="custom", channels=None):
    """Of 8 frames."""
    overrides = [f"--config.data.name={data_set}"]
    return make_reader(override(load_file(f"configs/demo_rgbd.py:{variant}"), overrides), CLASSES, channels)


def write_depth(folder, count, name="%06d.png", size=(20, 30)):
    for number in range(count):
        depth = np.full(size, 1000 + number, np.uint16)
        depth[: number + 1] = 0
        write_image(folder / (name % number), depth)


def rows(builder, data_dir, split, **reading):
    opened = loader.open_split(builder.name, data_dir, split, num_frames=8, **reading)
    return {str(row["id"][0]): row for row in loader.evaluation_batches(opened, batch_size=1)}


def assert_same(row, expected):
    """Up to what is beyond the border of smaller frames, which no network sees."""
    assert row.keys() == expected.keys()
    for name in row.keys() - {"id", "label"}:
        found, wanted = row[name], expected[name]
        assert found.dtype == wanted.dtype
        if found.ndim == 5:
            height, width = found.shape[2:4]
            wanted = wanted[:, :, :height, :width]
        np.testing.assert_array_equal(found, wanted)


@pytest.fixture
def custom(tmp_path):
    """A video of 12 frames with measured depth, and one of 5 larger ones as frames."""
    folder = tmp_path / "source"
    write_list(folder / "classes.txt", ["wave", "sit"])
    write_list(folder / "dataset_splits" / "test.txt", ["one 12 0", "two 5 1"])
    write_video(folder / "rgb" / "one.avi", 12)
    write_depth(folder / "depth" / "one", 12)
    write_folder(folder / "rgb" / "two", "%06d.jpg", 1, 5, height=30, width=40)
    write_depth(folder / "depth" / "two", 5)
    return folder


@pytest.mark.parametrize("variant", ["rgb", "depth", "fusion"])
def test_recordings_become_the_rows_of_evaluation(variant, custom, tmp_path):
    Custom(data_dir=tmp_path / "data", source=custom).prepare()
    modalities = {"fusion": ("rgb", "depth")}.get(variant, (variant,))
    expected = rows(Custom, tmp_path / "data", "test", modalities=modalities)
    found = reader(variant)
    for name, colour in (("one", "one.avi"), ("two", "two")):
        pair = f"{custom / 'rgb' / colour},{custom / 'depth' / name}"
        single = str(custom / variant / (colour if variant == "rgb" else name))
        for given in [pair] if variant == "fusion" else [pair, single]:
            recording = found.read(parse_given(given))
            assert_same(found.row(recording), expected[name])
            assert recording.name == given
            assert recording.num_frames == {"one": 12, "two": 5}[name]


def test_a_part_of_a_video_becomes_the_row_of_the_gesture(tmp_path):
    """As the lists of NVGesture name it, of the whole take."""
    source = tmp_path / "source"
    take = source / "Video_data" / "class_01" / "subject1_r0"
    write_video(take / "sk_color.avi", 30)
    write_video(take / "sk_depth.avi", 30)
    line = "path:./Video_data/class_01/subject1_r0 depth:sk_depth:7:27 color:sk_color:7:27 label:1"
    for split in ("train", "test"):
        write_list(source / f"nvgesture_{split}_correct_cvpr2016_v2.lst", [line])
    Nvgesture(data_dir=tmp_path / "data", source=source).prepare()
    for variant, name in (("rgb", "sk_color"), ("depth", "sk_depth")):
        (expected,) = rows(Nvgesture, tmp_path / "data", "test", modalities=(variant,)).values()
        found = reader(variant, "nvgesture")
        recording = found.read(parse_given(f"{take / name}.avi:7:27"))
        assert recording.num_frames == 20
        assert_same(found.row(recording), expected)
        whole = found.read(parse_given(f"{take / name}.avi"))
        assert_same(found.row(whole.part(7, 27)), expected)


def test_masked_depth_is_cut_about_the_person_for_a_network_of_ntu(tmp_path):
    """And colour with it, as the data set is prepared."""
    source, name = tmp_path / "source", "S001C001P001R001A001"
    masks = source / "nturgb+d_depth_masked" / name
    for number in range(3):
        mask = np.zeros((424, 512), np.uint16)
        mask[60:260, 200 + 9 * number : 290] = 1500 + number
        write_image(masks / f"MDepth-{number + 1:08d}.png", mask)
    write_video(source / "nturgb+d_rgb" / f"{name}_rgb.avi", 3, height=108, width=192)
    NtuRgbd(data_dir=tmp_path / "data", source=source).prepare()
    pair = f"{source / 'nturgb+d_rgb' / name}_rgb.avi,{masks}"
    for variant in ("rgb", "depth", "fusion"):
        modalities = {"fusion": ("rgb", "depth")}.get(variant, (variant,))
        (expected,) = rows(NtuRgbd, tmp_path / "data", "cs_train", modalities=modalities).values()
        found = reader(variant, "ntu_rgbd")
        assert_same(found.row(found.read(parse_given(pair))), expected)
    colour = reader("rgb", "ntu_rgbd").read(parse_given(pair.split(",")[0]))
    assert colour.formats["rgb"][:2] == (108, 192)  # nothing says where the person is


def test_arrays_are_what_their_files_are(tmp_path):
    write_folder(tmp_path / "colour", "f%d.png", 8, 9)
    write_depth(tmp_path / "depth", 9)
    colour = np.stack([frame(number) for number in range(9)])
    depth = np.stack([cv2.imread(str(path), -1) for path in sorted((tmp_path / "depth").iterdir())])
    of_arrays = reader("fusion")
    row = of_arrays.row(of_arrays.read((colour, depth)))
    expected = of_arrays.row(of_arrays.read(parse_given(f"{tmp_path / 'colour'},{tmp_path / 'depth'}")))
    np.testing.assert_array_equal(row["depth"], expected["depth"])
    assert (
        np.abs(row["rgb"].astype(int) - expected["rgb"]).max() <= 12
    )  # an array is kept as a video's frames
    for variant, array in (("rgb", colour), ("depth", depth), ("depth", depth[..., None]), ("depth", colour)):
        found = reader(variant)
        assert found.row(found.read(array))[variant].shape[:2] == (1, 8)


def test_frames_a_second(tmp_path):
    write_video(tmp_path / "a.avi", 12)
    write_folder(tmp_path / "frames", "%d.jpg", 9, 3)  # 9.jpg, 10.jpg, 11.jpg
    found = reader("rgb")
    video = found.read(parse_given(str(tmp_path / "a.avi")))
    assert (video.fps, video.seconds) == (30, 0.4)
    assert found.read(parse_given(str(tmp_path / "a.avi")), fps=10).seconds == 1.2
    frames = found.read(parse_given(str(tmp_path / "frames")))
    assert (frames.fps, frames.num_frames) == (30, 3)
    assert found.read(parse_given(f"{tmp_path / 'frames'}:1:3")).num_frames == 2


def test_a_name_that_is_no_text_is_read(tmp_path):
    write_video(tmp_path / "a.avi", 12)
    name = os.fsencode(tmp_path / "caf") + b"\xe9.avi"
    try:
        os.rename(tmp_path / "a.avi", name)
    except OSError:
        pytest.skip("this file system has no such names")
    recording = reader("rgb").read(parse_given(os.fsdecode(name)))
    assert (recording.num_frames, recording.fps) == (12, 30)
    assert recording.name == f"{tmp_path}/caf\\xe9.avi"


def bad(tmp_path):
    """Variant, what is given to it, and what must be said."""
    write_video(tmp_path / "a.avi", 12)
    write_video(tmp_path / "short.avi", 11)
    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16000))
    (tmp_path / "empty.avi").touch()
    header = (tmp_path / "a.avi").read_bytes()
    (tmp_path / "headless.avi").write_bytes(header[: header.index(b"movi") + 4])
    write_depth(tmp_path / "depth", 12)
    (tmp_path / "none").mkdir()
    write_folder(tmp_path / "mixed", "a%d.jpg", 0, 2)
    write_folder(tmp_path / "mixed", "b%d.jpg", 0, 2)
    write_folder(tmp_path / "gap", "%03d.jpg", 0, 2)
    write_folder(tmp_path / "gap", "%03d.jpg", 5, 1)
    write_image(tmp_path / "photo.JPG", frame(0))
    np.savez(tmp_path / "j.npz", joints=np.ones((4, 25, 3)))
    both = "found 12 frames of rgb and 11 frames of depth; equally many are needed"
    return [
        ("rgb", "sound.wav", "sound.wav: cannot be opened as a video"),
        ("rgb", "empty.avi", "empty.avi: cannot be opened as a video"),
        ("rgb", "headless.avi", "headless.avi: "),
        ("rgb", "a.avi:0:50", "a.avi: ends after 12 frames; frames 0 to 49 are needed"),
        ("rgb", "j.npz", "j.npz: is a file of joints; the network reads rgb video"),
        ("rgb", "photo.JPG", "photo.JPG: is one image; give the folder of the frames"),
        ("rgb", "depth/000003.png", "depth/000003.png: is one image; give the folder of the frames"),
        ("rgb", "depth", "depth: found depth of 16 bits; colour is needed"),
        ("rgb", "none", "none: found none; numbered image files"),
        ("rgb", "mixed", "mixed: found a*.jpg and b*.jpg; numbered image files"),
        ("rgb", "gap", "002.jpg; as many frames as files (3), from 000.jpg on, are needed"),
        ("fusion", "a.avi", "the network reads colour and depth, give both as COLOUR,DEPTH"),
        ("fusion", "a.avi,short.avi", both),
    ]


def test_what_cannot_be_read_is_named(tmp_path, monkeypatch):
    readers = {variant: reader(variant) for variant in ("rgb", "fusion")}
    cases = bad(tmp_path)
    monkeypatch.chdir(tmp_path)
    for variant, given, message in cases:
        with pytest.raises(UserError) as caught:
            readers[variant].read(parse_given(given))
        assert message in str(caught.value), given
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("variant", "arrays", "message"),
    [
        ("rgb", np.zeros((3, 8, 8), np.uint8), "the array of rgb: found uint8 (3, 8, 8); uint8 (frames"),
        ("rgb", np.zeros((3, 8, 8), np.uint16), "the array of rgb: found uint16 (3, 8, 8); uint8 (frames"),
        ("depth", np.zeros((3, 8, 8)), "or, as measured, uint16 (frames, height, width) is needed"),
        ("rgb", np.zeros((0, 8, 8, 3), np.uint8), "found uint8 (0, 8, 8, 3)"),
        (
            "fusion",
            np.zeros((3, 8, 8, 3), np.uint8),
            "1 arrays: the network reads rgb and depth, 2 are needed",
        ),
    ],
)
def test_arrays_of_another_kind_are_refused(variant, arrays, message):
    with pytest.raises(UserError) as caught:
        reader(variant).read(arrays)
    assert message in str(caught.value)


def test_frames_come_back(tmp_path):
    write_depth(tmp_path / "depth", 9)
    write_video(tmp_path / "a.avi", 9)
    found = reader("fusion")
    recording = found.read(parse_given(f"{tmp_path / 'a.avi'},{tmp_path / 'depth'}"))
    colour, depth = (list(found.decoded(recording, name)) for name in ("rgb", "depth"))
    assert len(colour) == len(depth) == 9
    assert depth[4].dtype == np.uint16 and depth[4].max() == 1004
    assert colour[4].shape == (24, 32, images.COLOUR) and number_of(colour[4]) == 4


def test_depth_of_the_other_kind_is_refused(tmp_path):
    """Painted where measured was learnt from, and the reverse; where that is not known, all is read."""
    write_depth(tmp_path / "depth", 9)
    write_video(tmp_path / "a.avi", 9)
    measured, painted = (reader("depth", channels={"depth": kind}) for kind in (images.DEPTH, images.COLOUR))
    for given in (str(tmp_path / "depth"), np.arange(144, dtype=np.uint16).reshape(2, 8, 9)):
        given = parse_given(given) if isinstance(given, str) else given
        assert measured.read(given).formats["depth"].channels == images.DEPTH
        with pytest.raises(
            UserError, match=r": the depth is measured, of 16 bits; that of the training was in"
        ):
            painted.read(given)
    given = parse_given(str(tmp_path / "a.avi"))
    assert painted.read(given).num_frames == reader("depth").read(given).num_frames == 9
    with pytest.raises(
        UserError, match=r"a.avi: the depth is in colours of 8 bits; that of the training was m"
    ):
        measured.read(given)


def test_a_recording_of_nothing_is_refused_a_part_of_nothing_is_not(tmp_path):
    """What a timeline finds in a dark part is for its reader to judge."""
    write_folder(tmp_path / "dark", "%06d.jpg", 0, 6)
    black = images.encode_jpeg(np.zeros((24, 32, 3), np.uint8))
    for path in (tmp_path / "dark").iterdir():
        path.write_bytes(black)
    found = reader("rgb")
    message = "rgb: each of 6 frames is of one colour or one depth, such as black"
    for given in (parse_given(str(tmp_path / "dark")), np.zeros((6, 24, 32, 3), np.uint8)):
        with pytest.raises(UserError, match=message):
            found.read(given)
    write_folder(tmp_path / "dark", "%06d.jpg", 6, 1)
    recording = found.read(parse_given(str(tmp_path / "dark")))
    assert not found.row(recording.part(0, 6))["rgb"].any()

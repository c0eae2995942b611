"""Faulty clips: each kind is found where it is read, named, and ends the run or is left out."""

import functools
import json
import re

import numpy as np
import pytest
from data.faulty_records import cut, rewrite, with_frames, with_joints, with_label, without
from data.video_files import frame, write_folder, write_image, write_list

from rgbd_jax.data import images, loader
from rgbd_jax.data.builders.custom import Custom
from rgbd_jax.data.builders.nw_ucla import NwUcla
from rgbd_jax.data.clip_errors import ClipErrors
from rgbd_jax.data.sound_clips import BLANK_SPREAD, FaultyClip, FrameCheck, check_joints, check_shape
from rgbd_jax.errors import OutsideError, UserError

FRAMES = 6
LABELS = "allowed are 0 to"


def each(change):
    return lambda frames: [change(encoded) for encoded in frames]


def first(change):
    return lambda frames: [change(frames[0]), *frames[1:]]


def last(change):
    return lambda frames: [*frames[:-1], change(frames[-1])]


def one_number(value):
    return lambda numbers: [*numbers[:-4], value, *numbers[-3:]]


def half_zeros(encoded):
    return encoded[: len(encoded) // 2] + bytes(len(encoded) - len(encoded) // 2)


def jpeg(*size):
    return images.encode_jpeg(frame(0, *size))


BLACK = images.encode_jpeg(np.zeros((24, 32, 3), np.uint8))
BLUE = images.encode_jpeg(np.full((24, 32, 3), (0, 0, 200), np.uint8))
NOTHING_MEASURED = images.encode_png(np.zeros((24, 32, 1), np.uint16))
EIGHT_BITS = images.encode_png(frame(0))

SKELETONS = {
    "record cut": (cut, "cannot be read"),
    "no joints": (without("joints"), "cannot be read"),
    "no label": (without("label"), "cannot be read"),
    "a number less": (with_joints(lambda numbers: numbers[:-1]), "cannot be read"),
    "no frames": (
        with_joints(lambda numbers: []),
        r"found joints \(0, 1, 20, 3\); 1 to 9 frames of 1 to 1 pe",
    ),
    "more frames": (
        with_joints(lambda numbers: numbers * 40),
        "1 to 9 frames of 1 to 1 persons of 20 joints, 3, ar",
    ),
    "NaN": (with_joints(one_number(np.nan)), r"person 0, joint 18: z is nan; finite positions are needed"),
    "infinite": (with_joints(one_number(-np.inf)), r"person 0, joint 18: z is -inf; finite positions"),
    "nobody": (
        with_joints(lambda numbers: [0.0] * len(numbers)),
        "all joints of all 9 frames are 0; somebody mu",
    ),
    "label too large": (with_label(10), f"found label 10; {LABELS} 9"),
    "label below 0": (with_label(-1), f"found label -1; {LABELS} 9"),
}

VIDEO = {
    "record cut": (cut, "cannot be read"),
    "no depth": (without("depth"), "cannot be read"),
    "no frame of depth": (
        with_frames("depth", lambda frames: []),
        "found 6 frames of rgb and 0 frames of depth; eq",
    ),
    "a frame less": (
        with_frames("rgb", lambda frames: frames[:-1]),
        "found 5 frames of rgb and 6 frames of depth",
    ),
    "colour cut": (
        with_frames("rgb", last(lambda encoded: encoded[:-99])),
        "rgb, frame 5: it is cut off, the end",
    ),
    "colour ends in zeros": (
        with_frames("rgb", first(half_zeros)),
        "rgb, frame 0: it is cut off, the end of the JP",
    ),
    "depth cut": (
        with_frames("depth", first(lambda encoded: encoded[:-99])),
        "depth, frame 0: it is cut off, damag",
    ),
    "depth damaged": (
        with_frames("depth", last(half_zeros)),
        "depth, frame 5: it is cut off, damaged or no image",
    ),
    "an empty frame": (with_frames("rgb", first(lambda encoded: b"")), "rgb, frame 0: it is empty"),
    "no image": (
        with_frames("rgb", first(lambda encoded: b"GIF")),
        "rgb, frame 0: it is cut off, damaged or no im",
    ),
    "depth of 8 bits": (
        with_frames("depth", each(lambda _: EIGHT_BITS)),
        "depth, frame 0: found uint8 .*16 bits",
    ),
    "all black": (
        with_frames("rgb", each(lambda _: BLACK)),
        "rgb: each of 6 frames is of one colour or one depth",
    ),
    "all blue": (
        with_frames("rgb", each(lambda _: BLUE)),
        "rgb: each of 6 frames is of one colour or one depth",
    ),
    "no depth measured": (
        with_frames("depth", each(lambda _: NOTHING_MEASURED)),
        "depth: each of 6 frames is of on",
    ),
    "a smaller frame": (
        with_frames("rgb", last(lambda _: jpeg(16, 30))),
        "rgb, frame 5: found 30×16; 32×24 is need",
    ),
    "larger frames": (
        with_frames("rgb", each(lambda _: jpeg(25, 32))),
        "rgb, frame 0: found 32×25; at most 32×24",
    ),
    "label too large": (with_label(2), f"found label 2; {LABELS} 1"),
}

FAULTS = {"nw_ucla": SKELETONS, "custom": VIDEO}
CASES = [(data_set, kind) for data_set, faults in FAULTS.items() for kind in faults]
SOUND = 5  # clips, those after the faulty ones
BATCH = 3


@pytest.fixture(scope="module")
def splits(write_clip, tmp_path_factory):
    """By data set, records of clips with a fault of each kind, in the order of the kinds, then sound ones."""
    source, data = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for number in range(len(SKELETONS) + SOUND):
        write_clip(source, f"a01_s01_e{number:02d}_v01", rng.normal(size=(9, 20, 3)))
    write_clip(source, "a01_s01_e00_v03", rng.normal(size=(9, 20, 3)))
    NwUcla(data_dir=data, source=source).prepare()

    write_list(source / "classes.txt", ["wave", "clap hands"])
    names = [f"take_{number:02d}" for number in range(len(VIDEO) + SOUND)]
    for name in names:
        write_folder(source / "rgb" / name, "%06d.jpg", 0, FRAMES)
        for place in range(FRAMES):
            depth = np.linspace(500, 4000, 24 * 32).astype(np.uint16).reshape(24, 32) + place
            write_image(source / "depth" / name / f"{place:06d}.png", depth)
    write_list(source / "dataset_splits" / "train.txt", [f"{name} {FRAMES} 1" for name in names])
    Custom(data_dir=data, source=source).prepare()

    for data_set, faults in FAULTS.items():
        changes = {number: change for number, (change, _) in enumerate(faults.values())}
        rewrite(data / data_set / "1.0.0", "train", changes)
    return {
        "nw_ucla": loader.open_split("nw_ucla", data, "train"),
        "custom": loader.open_split("custom", data, "train", num_frames=FRAMES),
    }


def sound_ids(split):
    return [record["id"].decode() for record in split.take(range(len(split) - SOUND, len(split))).source]


def ids_of(batches):
    return [str(name) for batch in batches for name in batch["id"]]


def assert_named(errors, path, split, said):
    """Each faulty clip once, in the file and to the user, with what was found."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted(line["id"] for line in lines) == sorted(errors.ids)
    assert len(lines) == len(FAULTS[split.name]) == said.count("; the clip is left out\n")
    for kind, (_, found) in FAULTS[split.name].items():
        matching = [line["reason"] for line in lines if re.search(found, line["reason"])]
        assert matching, kind
        for reason in matching:
            assert split.name in reason and "split train" in reason
            assert f"warning: {reason}; the clip is left out\n" in said


@pytest.mark.parametrize(("data_set", "kind"), CASES)
def test_a_faulty_clip_ends_what_reads_it(splits, data_set, kind):
    number, (_, found) = list(FAULTS[data_set]).index(kind), FAULTS[data_set][kind]
    split = splits[data_set].take([number])
    for batches in (
        loader.training_batches(split, batch_size=1, seed=1),
        loader.evaluation_batches(split, batch_size=1),
    ):
        with pytest.raises(OutsideError, match=found) as raised:
            next(batches)
        message = str(raised.value)
        assert data_set in message and "split train" in message and "\n" not in message
        if "cannot be read" not in message:
            name = splits[data_set].source[number]["id"].decode()
            assert message.startswith(f"{data_set}, split train, clip {name}: cannot be used (")
        assert message.endswith("; with data.on_error=skip it is left out, see data.max_unreadable")


@pytest.mark.parametrize(
    ("data_set", "num_workers"),
    [("nw_ucla", 0), ("custom", 0), ("custom", 2), pytest.param("nw_ucla", 2, marks=pytest.mark.slow)],
)
def test_faulty_clips_leave_the_stream_of_training_before_batches_are_cut(
    splits, data_set, num_workers, tmp_path, capsys
):
    split, path = splits[data_set], tmp_path / "data_errors.jsonl"
    errors = ClipErrors("skip", path, "train")
    make = functools.partial(
        loader.training_batches, split, batch_size=BATCH, seed=1, num_workers=num_workers
    )
    batches = make(errors=errors)
    seen = [next(batches) for _ in range(5)]
    state = batches.get_state()
    later = [next(batches) for _ in range(6)]
    ids = ids_of(seen + later)
    assert len(ids) == 11 * BATCH and set(ids) == set(sound_ids(split))
    assert_named(errors, path, split, capsys.readouterr().err)
    # It is gone on with in the middle of an epoch, after clips that were left out.
    resumed = make(errors=ClipErrors("skip", path, "train"))
    resumed.set_state(state)
    for want in later:
        got = next(resumed)
        for name in want:
            np.testing.assert_array_equal(got[name], want[name], err_msg=name)
    assert capsys.readouterr().err == ""
    if num_workers:
        alone = loader.training_batches(split, batch_size=BATCH, seed=1, errors=ClipErrors("skip"))
        assert ids_of([next(alone) for _ in range(11)]) == ids


@pytest.mark.parametrize("num_workers", [0, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("data_set", FAULTS)
def test_evaluation_is_without_the_faulty_clips(splits, data_set, num_workers, tmp_path, capsys):
    split, path = splits[data_set], tmp_path / "data_errors.jsonl"
    errors = ClipErrors("skip", path, "train")
    batches = list(loader.evaluation_batches(split, batch_size=BATCH, num_workers=num_workers, errors=errors))
    assert len(batches) == -(-len(split) // BATCH)
    mask = np.concatenate([batch["mask"] for batch in batches])
    assert mask[: len(split)].tolist() == [False] * len(FAULTS[data_set]) + [True] * SOUND
    assert not mask[len(split) :].any()
    assert np.array(ids_of(batches))[mask].tolist() == sound_ids(split)
    assert_named(errors, path, split, capsys.readouterr().err)


@pytest.mark.parametrize("data_set", FAULTS)
def test_the_share_of_faulty_clips_is_limited(splits, data_set):
    count, faulty = len(splits[data_set]), len(FAULTS[data_set])
    for make in (
        functools.partial(loader.training_batches, batch_size=count, seed=1),
        functools.partial(loader.evaluation_batches, batch_size=count),
    ):
        too_few = ClipErrors("skip", max_share=(faulty - 1) / count)
        with pytest.raises(OutsideError, match=f"^{faulty} of {count} clips cannot be used, the last one: "):
            next(make(splits[data_set], errors=too_few))
    list(
        loader.evaluation_batches(
            splits[data_set], batch_size=3, errors=ClipErrors("skip", max_share=faulty / count)
        )
    )


@pytest.mark.parametrize("data_set", FAULTS)
def test_a_split_of_which_nothing_is_left_ends_what_reads_it(splits, data_set):
    """A stream without end would be waited for for ever."""
    faulty = splits[data_set].take(range(len(FAULTS[data_set])))
    for batches in (
        loader.training_batches(faulty, batch_size=2, seed=1, errors=ClipErrors("skip")),
        loader.evaluation_batches(faulty, batch_size=2, errors=ClipErrors("skip")),
    ):
        with pytest.raises(OutsideError, match=f"^none of {len(faulty)} clips can be used, the last one: "):
            list(batches)


def test_what_real_data_holds_is_sound():
    joints = np.zeros((4, 2, 25, 3), np.float32)
    joints[2, 0, 3, 1] = 1e-6  # one joint of one of two people, once
    check_joints(joints)
    for scale in (-1e30, 1e-30):  # whose squares are beyond float32
        check_joints(np.full((1, 1, 20, 3), scale, np.float32))
    check_shape(joints, max_frames=4, num_bodies=2, num_joints=25)
    black, other = np.zeros((40, 50, 3), np.uint8), np.zeros((40, 50, 3), np.uint8)
    other[33, 35, 1] = BLANK_SPREAD + 1  # between the pixels that are looked at first
    check = FrameCheck()
    for number, frame_of_clip in enumerate((black, black, other, black)):
        check.add("rgb", number, frame_of_clip)
    depth = np.full((40, 50, 1), 800, np.uint16)
    depth[5, 5] = 801
    check.add("depth", 0, depth)
    check.end()


@pytest.mark.parametrize(
    "shape",
    [(4, 2, 24, 3), (4, 2, 25, 2), (4, 3, 25, 3), (5, 2, 25, 3), (0, 2, 25, 3), (4, 0, 25, 3), (4, 25, 3)],
)
def test_joints_of_another_shape_are_faulty(shape):
    with pytest.raises(FaultyClip, match="1 to 4 frames of 1 to 2 persons of 25 joints, 3, are needed"):
        check_shape(np.ones(shape, np.float32), max_frames=4, num_bodies=2, num_joints=25)


def test_what_is_cut_out_around_people_may_differ_in_size_and_show_nobody():
    depth = [np.zeros((30, size, 1), np.uint16) for size in (20, 22)]
    check = FrameCheck(cut_out=("depth",), masked=("depth",))
    for number, frame_of_clip in enumerate(depth):
        check.add("depth", number, frame_of_clip)
    check.end()


def with_thumbnail(encoded):
    """A JPEG with a small one in a segment before the picture, as cameras write it."""
    inner = images.encode_jpeg(np.zeros((8, 8, 3), np.uint8))
    return encoded[:2] + b"\xff\xe1" + (len(inner) + 2).to_bytes(2) + inner + encoded[2:]


def test_a_jpeg_is_whole_whatever_stands_before_and_behind_the_picture():
    whole = jpeg()
    picture = images.decode(whole, images.COLOUR)
    for encoded in (with_thumbnail(whole), whole + bytes(999), whole + b"\xff\xda\xff\xd8"):
        np.testing.assert_array_equal(images.decode(encoded, images.COLOUR), picture)
    for cut_off in (whole[:-2], half_zeros(whole), half_zeros(with_thumbnail(whole)), whole[:2] + bytes(99)):
        with pytest.raises(ValueError, match="cut off"):
            images.decode(cut_off, images.COLOUR)


# ---------------------------------------------------------------------- preparation


def prepared(builder, source, data, **options):
    made = builder(data_dir=data, source=source, **options)
    made.prepare()
    return made


def test_preparation_finds_nobody_in_a_skeleton(write_clip, tmp_path):
    source, data = tmp_path / "source", tmp_path / "data"
    rng = np.random.default_rng(0)
    for name in ("a01_s01_e00_v01", "a01_s01_e01_v01", "a01_s01_e00_v03"):
        write_clip(source, name, rng.normal(size=(9, 20, 3)))
    nobody = write_clip(source, "a02_s01_e00_v01", np.zeros((9, 20, 3)))
    found = f"{nobody}: all joints of all 9 frames are 0; somebody must be there"
    with pytest.raises(UserError, match=f"^{re.escape(found)}$"):
        prepared(NwUcla, source, data)
    assert not data.exists() or not list(data.iterdir())
    assert NwUcla(data_dir=data, source=source).check() == [found]
    made = prepared(NwUcla, source, data, on_error="skip")
    assert made.warnings == [f"{found}; the clip is left out"]
    assert len(loader.open_split("nw_ucla", data, "train")) == 2


def test_preparation_finds_the_faults_of_video_in_the_source(tmp_path):
    source, data = tmp_path / "source", tmp_path / "data"
    write_list(source / "classes.txt", ["wave", "clap hands"])
    sound, black, sizes, no_depth, cut_off, label = names = [
        "sound", "black", "sizes", "no_depth", "cut_off", "label"
    ]  # fmt: skip
    for name in names:
        write_folder(source / "rgb" / name, "%06d.jpg", 0, FRAMES)
        for place in range(FRAMES):
            depth = np.linspace(500, 4000, 24 * 32).astype(np.uint16).reshape(24, 32)
            write_image(source / "depth" / name / f"{place:06d}.png", depth * (name != no_depth))
    for place in range(FRAMES):
        (source / "rgb" / black / f"{place:06d}.jpg").write_bytes(BLACK)
    (source / "rgb" / sizes / "000003.jpg").write_bytes(jpeg(16, 30))
    path = source / "rgb" / cut_off / "000005.jpg"
    path.write_bytes(half_zeros(path.read_bytes()))
    lines = [f"{name} {FRAMES} {7 if name == label else 1}" for name in names]
    write_list(source / "dataset_splits" / "train.txt", lines)
    listed = source / "dataset_splits" / "train.txt"
    faults = [
        f"{listed}, line 2: rgb: each of 6 frames is of one colour or one depth, such as black; one that"
        " shows something is needed",
        f"{listed}, line 3: rgb, frame 3: found 30×16; 32×24 is needed, the size of the clip's first",
        f"{listed}, line 4: depth: each of 6 frames is of one colour or one depth, such as black; one that"
        " shows something is needed",
        f"{listed}, line 5: {path}: cannot be decoded (it is cut off, the end of the JPEG is missing)",
        f"{listed}, line 6: found label 7; allowed are 0 to 1",
    ]
    assert Custom(data_dir=data, source=source).check() == faults
    with pytest.raises(UserError, match=f"^{re.escape(faults[0])}$"):
        prepared(Custom, source, data)
    made = prepared(Custom, source, data, on_error="skip")
    assert made.warnings == [f"{fault}; the clip is left out" for fault in faults]
    split = loader.open_split("custom", data, "train", num_frames=FRAMES)
    (batch,) = loader.evaluation_batches(split, batch_size=1)
    assert batch["id"].tolist() == [sound]

"""NW-UCLA: every kind of bad input, and the real data set."""

import re
import sys
import tarfile

import numpy as np
import pytest

from rgbd_jax.data.builders.nw_ucla import NwUcla
from rgbd_jax.errors import OutsideError, UserError

FRAMES = np.arange(4 * 20 * 3, dtype=float).reshape(4, 20, 3)


def joints_with(value: float) -> np.ndarray:
    frames = FRAMES.copy()
    frames[2, 7, 1] = value
    return frames


def skeletons_with(value) -> dict:
    frames = FRAMES.tolist()
    frames[2][7][1] = value
    return {"skeletons": frames}


def cut_off(path):
    path.write_text(path.read_text()[:500])


BAD_CLIPS = {
    "cut off": ("a01_s01_e00_v01", FRAMES, {}, cut_off, "not a complete JSON file"),
    "not text": (
        "a01_s01_e00_v01",
        FRAMES,
        {},
        lambda p: p.write_bytes(b"\xff\xfe\x00"),
        "not a complete JSON",
    ),
    "19 joints": ("a01_s01_e00_v01", FRAMES[:, 1:], {}, None, "frame 0 has 19 joints; 20 joints are needed"),
    "two coordinates": (
        "a01_s01_e00_v01",
        FRAMES[..., :2],
        {},
        None,
        r"frame 0, joint 0 is \[0.0, 1.0\]; three",
    ),
    "a word": (
        "a01_s01_e00_v01",
        FRAMES,
        {"skeletons": [[["x", 0, 0]] * 20]},
        None,
        "joint 0 is .*three numbers",
    ),
    "NaN": ("a01_s01_e00_v01", joints_with(np.nan), {}, None, "frame 2, joint 7: y is nan"),
    "infinity": ("a01_s01_e00_v01", joints_with(-np.inf), {}, None, "frame 2, joint 7: y is -inf"),
    "too large for float32": (
        "a01_s01_e00_v01",
        joints_with(1e300),
        {},
        None,
        r"frame 2, joint 7: y is 1e\+300; metres between",
    ),
    "a number as text": (
        "a01_s01_e00_v01",
        FRAMES,
        skeletons_with("1.5"),
        None,
        r"frame 2, joint 7 is .*'1\.5'.*; three numbers",
    ),
    "a boolean": (
        "a01_s01_e00_v01",
        FRAMES,
        skeletons_with(True),
        None,
        "frame 2, joint 7 is .*True.*; three numbers",
    ),
    "null": ("a01_s01_e00_v01", FRAMES, skeletons_with(None), None, "frame 2, joint 7 is .*None.*; three"),
    "no frames": ("a01_s01_e00_v01", FRAMES[:0], {}, None, "no frames"),
    "no skeletons": (
        "a01_s01_e00_v01",
        FRAMES,
        {},
        lambda p: p.write_text('{"joints": []}'),
        "keys joints; .*skel",
    ),
    "a list": ("a01_s01_e00_v01", FRAMES, {}, lambda p: p.write_text("[]"), "found a list"),
    "unknown action": (
        "a07_s01_e00_v01",
        FRAMES,
        {},
        None,
        "found action 7; .* 1, 2, 3, 4, 5, 6, 8, 9, 11, 12",
    ),
    "unknown view": ("a01_s01_e00_v04", FRAMES, {}, None, "found view 4; allowed are views 1, 2, 3"),
    "unknown name": ("a01_s01_e00", FRAMES, {}, None, "not of the form aAA_sSS_eEE_vVV.json"),
}


@pytest.mark.parametrize("case", BAD_CLIPS)
def test_a_bad_clip_stops_the_preparation_and_leaves_nothing(tmp_path, write_clip, case):
    name, joints, changes, damage, message = BAD_CLIPS[case]
    source, data = tmp_path / "source", tmp_path / "data"
    write_clip(source, "a01_s01_e00_v02", FRAMES)
    write_clip(source, "a01_s01_e00_v03", FRAMES)
    path = write_clip(source, name, joints, **changes)
    if damage:
        damage(path)
    with pytest.raises(UserError, match=message) as raised:
        NwUcla(data_dir=data, source=source).prepare()
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)
    assert not list(data.rglob("*"))
    assert not NwUcla.is_prepared(data)


def test_check_reports_every_fault_and_writes_nothing(tmp_path, write_clip):
    write_clip(tmp_path / "source", "a01_s01_e00_v02", FRAMES)
    write_clip(tmp_path / "source", "a01_s01_e00_v03", FRAMES[:0])
    write_clip(tmp_path / "source", "a07_s01_e00_v03", FRAMES)
    builder = NwUcla(data_dir=tmp_path / "data", source=tmp_path / "source")
    first, second = builder.check()
    assert "a01_s01_e00_v03.json: skeletons has no frames" in first
    assert "a07_s01_e00_v03.json: found action 7" in second
    assert not (tmp_path / "data").exists()


def test_a_source_that_is_something_else_is_refused(tmp_path, write_clip):
    def prepare():
        NwUcla(data_dir=tmp_path / "data", source=tmp_path / "source").prepare()

    with pytest.raises(UserError, match=re.escape(str(tmp_path / "source" / "all_sqe"))):
        prepare()
    (tmp_path / "source" / "all_sqe").mkdir(parents=True)
    with pytest.raises(UserError, match="no .json files"):
        prepare()
    write_clip(tmp_path / "source", "a01_s01_e00_v01", FRAMES)
    with pytest.raises(UserError, match="no clips for the split test"):
        prepare()
    assert not list((tmp_path / "data").rglob("*"))


def test_a_place_that_cannot_be_written_is_trouble_from_outside(tmp_path, small_source):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutsideError, match="cannot be written"):
        NwUcla(data_dir=tmp_path / "file", source=small_source).prepare()


def test_tensorflow_is_not_imported(small_data):
    assert NwUcla.is_prepared(small_data)
    assert "tensorflow" not in sys.modules


def test_the_published_data_set(real_data, tmp_path):
    with tarfile.open(real_data / "nw_ucla.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    builder = NwUcla(data_dir=tmp_path / "records", source=tmp_path / "data" / "NW-UCLA")
    builder.prepare()
    assert builder.split_sizes() == NwUcla.PUBLISHED_SIZES
    assert builder.info.metadata["max_frames"] == 201
    for split, want in {
        "train": [102, 102, 96, 124, 101, 102, 99, 99, 98, 97],
        "test": [48, 50, 45, 49, 47, 47, 43, 43, 47, 45],
    }.items():
        labels = [record["label"] for record in builder.as_data_source(split)]
        assert np.bincount(labels).tolist() == want

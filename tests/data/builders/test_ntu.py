"""NTU-60 and NTU-120 from each of their forms: the published arrays, what is left out, what is refused."""

import hashlib
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from data.skeleton_files import person, write_capture

from rgbd_jax.data import loader
from rgbd_jax.data.builders.ntu import Ntu60, Ntu120
from rgbd_jax.data.ntu import captures
from rgbd_jax.errors import OutsideError, UserError

GOLDEN = Path(__file__).parents[2] / "golden" / "gap"
SKELETONS = GOLDEN / "skeletons"
NAME = "S001C001P001R001A001"
# Frames, and the digest of what the published scripts make of them, (frames, 150) in float32.
REAL_CAPTURES = {
    "S001C001P001R001A011": (82, "389d893fa420f55f"),
    "S001C003P008R002A058": (70, "6bf8066524505c83"),
    "S002C001P003R001A003": (100, "bcfcba75dbb82009"),
}


@pytest.fixture(autouse=True)
def read_here(monkeypatch):
    """Other processes take a while to start: where they are not the point, a thread reads."""
    monkeypatch.setattr(captures, "CORES", 1)


def rows(builder, data_dir, split):
    """Clips (T, 150) as the network's input begins, and labels, by id."""
    opened = loader.open_split(builder.name, data_dir, split)
    found = {}
    for batch in loader.evaluation_batches(opened, batch_size=4):
        for place in np.flatnonzero(batch["mask"]):
            clip = batch["joints"][place].reshape(opened.max_frames, -1)
            found[str(batch["id"][place])] = clip, int(batch["label"][place])
    return found


@pytest.mark.parametrize(
    ("builder", "pipeline", "protocols"),
    [
        (Ntu60, "pipeline_ntu", {"CS": ("xsub", slice(8, 12)), "CV": ("xview", slice(4, 8))}),
        (Ntu120, "pipeline_ntu120", {"CSub": ("xsub", slice(8, 12)), "CSet": ("xset", slice(0, 4))}),
    ],
)
def test_the_published_arrays_come_out_to_the_bit(golden, tmp_path, builder, pipeline, protocols):
    reference = golden(f"gap/{pipeline}.npz")
    made = builder(data_dir=tmp_path, source=SKELETONS)
    made.prepare()
    assert made.info.metadata["left_out"] == made.num_left_out == 3
    names = sorted(map(str, reference["names"]))
    for suffix, (protocol, group) in protocols.items():
        for part in ("train", "test"):
            found = rows(builder, tmp_path, f"{protocol}_{part}")
            x, y = reference[f"{suffix}/x_{part}"], reference[f"{suffix}/y_{part}"]
            # By performer, camera or setup, and within each by name.
            order = sorted((name for name in names if name in found), key=lambda name: (name[group], name))
            assert len(order) == len(found) == len(x)
            for name, clip, label in zip(order, x, y, strict=True):
                np.testing.assert_array_equal(found[name][0], clip, err_msg=name)
                assert found[name][1] == label.argmax()


def test_every_record_is_stored_once(tmp_path):
    made = Ntu60(data_dir=tmp_path, source=SKELETONS)
    made.prepare()
    assert sum(info.num_examples for info in made.info.splits.values()) == 14
    assert made.split_sizes() == {"xsub_train": 9, "xsub_test": 5, "xview_train": 9, "xview_test": 5}


def test_what_nobody_acts_in_is_named_and_counted(tmp_path):
    made = Ntu60(data_dir=tmp_path, source=SKELETONS)
    assert made.check() == []
    assert not list(tmp_path.iterdir())
    others, *left_out = made.warnings
    assert "left out 2 captures of setups above 17" in others
    assert made.num_left_out == len(left_out) == 3
    for name in json.loads((SKELETONS / "expected_errors.json").read_text()):
        (line,) = [line for line in left_out if name in line]
        assert line.startswith(f"{SKELETONS / name}.skeleton: is left out: ")


def test_the_missing_captures_are_not_read(tmp_path):
    write_capture(tmp_path / "source", NAME)
    write_capture(tmp_path / "source", "S001C002P005R002A008").write_text("")
    made = Ntu60(data_dir=tmp_path / "data", source=tmp_path / "source")
    made.prepare()
    assert made.split_sizes() == {"xsub_train": 1, "xview_test": 1}
    (line,) = made.warnings
    assert "left out 1 captures whose skeletons are missing" in line


def test_a_split_of_which_nothing_is_left_is_not_there(tmp_path):
    source = tmp_path / "source"
    write_capture(source, "S001C002P003R001A001", [{}])
    with pytest.raises(UserError, match="source: found no clips, all were left out"):
        Ntu60(data_dir=tmp_path / "data", source=source).prepare()
    write_capture(source, NAME)
    made = Ntu60(data_dir=tmp_path / "data", source=source)
    made.prepare()
    assert made.split_sizes() == {"xsub_train": 1, "xview_test": 1}
    assert len(rows(Ntu60, tmp_path / "data", "xview_test")) == 1
    with pytest.raises(UserError, match="ntu60 has no split 'xview_train'; it has xsub_train, xview_test"):
        loader.open_split("ntu60", tmp_path / "data", "xview_train")


def test_both_folders_of_the_archives_are_read(tmp_path):
    write_capture(tmp_path / "nturgb+d_skeletons", NAME)
    write_capture(tmp_path / "nturgb+d_skeletons120", "S018C001P041R001A061")
    assert [path.stem for path in Ntu120(data_dir=tmp_path, source=tmp_path).items()] == [
        NAME,
        "S018C001P041R001A061",
    ]
    assert [path.stem for path in Ntu60(data_dir=tmp_path, source=tmp_path).items()] == [NAME]


@pytest.mark.parametrize("builder", [Ntu60, Ntu120])
def test_one_person_is_alone_in_ntu60_and_twice_in_ntu120(tmp_path, builder):
    write_capture(tmp_path / "source", NAME)
    builder(data_dir=tmp_path / "data", source=tmp_path / "source").prepare()
    ((clip, _),) = rows(builder, tmp_path / "data", "xsub_train").values()
    first, second = clip[:, :75], clip[:, 75:]
    assert first.any()
    np.testing.assert_array_equal(second, first if builder is Ntu120 else 0)


def test_processes_read_what_a_thread_reads(tmp_path, monkeypatch):
    monkeypatch.setattr(captures, "CORES", 2)
    for number in range(6):
        write_capture(tmp_path / "source", f"S001C001P001R001A{number + 1:03d}")
    bad = write_capture(tmp_path / "source", "S001C001P001R001A007")
    bad.write_text(bad.read_text()[:500])
    (fault,) = Ntu60(data_dir=tmp_path, source=tmp_path / "source").check()
    assert fault.startswith(f"{bad}, line 11: the file ends here, cut off")
    bad.unlink()
    Ntu60(data_dir=tmp_path, source=tmp_path / "source").prepare()
    assert len(rows(Ntu60, tmp_path, "xsub_train")) == 6


def test_a_lost_process_is_trouble_from_outside(tmp_path, monkeypatch):
    monkeypatch.setattr(captures, "CORES", 2)
    monkeypatch.setattr(captures, "_start_reader", exit)
    write_capture(tmp_path / "source", NAME)
    with pytest.raises(OutsideError, match="a process that reads the source was lost"):
        Ntu60(data_dir=tmp_path / "data", source=tmp_path / "source").prepare()


def names_of_read(monkeypatch):
    """The names of the captures that are read from now on."""
    names, original = [], captures.read_ntu_skeleton
    monkeypatch.setattr(
        captures, "read_ntu_skeleton", lambda path: (names.append(path.stem), original(path))[1]
    )
    return names


def test_a_stopped_preparation_goes_on_where_it_was(tmp_path, monkeypatch):
    source, data = tmp_path / "source", tmp_path / "data"
    paths = [write_capture(source, f"S001C001P001R001A{number:03d}") for number in (1, 2, 3)]
    whole = paths[2].read_text()
    paths[2].write_text(whole[:500])
    with pytest.raises(UserError, match="A003.skeleton, line 11: the file ends here"):
        Ntu60(data_dir=data, source=source).prepare()
    assert not Ntu60.is_prepared(data)
    paths[2].write_text(whole)
    changed = write_capture(source, "S001C001P001R001A002", [{"7": person(seed=9)}])

    read = names_of_read(monkeypatch)
    Ntu60(data_dir=data, source=source).prepare()
    assert read == [changed.stem, paths[2].stem]
    assert len(rows(Ntu60, data, "xsub_train")) == 3
    assert [path.name for path in (data / "ntu60").iterdir()] == ["1.0.0"]


PREPARE_AND_DIE = """
import os, signal, sys
from rgbd_jax.data.builders.ntu import Ntu60
from rgbd_jax.data.ntu import captures

def read(path, original=captures.read_ntu_skeleton):
    if path.stem.endswith("A009"):
        os.kill(os.getpid(), signal.SIGKILL)
    return original(path)

captures.read_ntu_skeleton, captures.CORES, Ntu60.READERS = read, 1, 1
Ntu60(source=sys.argv[1], data_dir=sys.argv[2]).prepare()
"""


def test_a_killed_preparation_goes_on_where_it_was(tmp_path, monkeypatch):
    source = tmp_path / "source"
    names = [write_capture(source, f"S001C001P001R001A{number:03d}").stem for number in range(1, 10)]
    data, cut = tmp_path / "data", tmp_path / "cut"
    command = [sys.executable, "-c", PREPARE_AND_DIE, source, data]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    shutil.copytree(data, cut)
    (journal,) = (cut / "ntu60" / "1.0.0.unfinished").iterdir()
    os.truncate(journal, journal.stat().st_size - 1)

    read = names_of_read(monkeypatch)
    Ntu60(data_dir=data, source=source).prepare()
    num_read = len(read)
    # At most what was being read and what was read ahead is read again.
    assert read == names[-num_read:] and 1 <= num_read <= 3
    del read[:]
    Ntu60(data_dir=cut, source=source).prepare()
    assert read == names[-num_read - 1 :]
    whole = tmp_path / "whole"
    Ntu60(data_dir=whole, source=source).prepare()
    expected = rows(Ntu60, whole, "xsub_train")
    assert len(expected) == len(names)
    for folder in (data, cut):
        clips = rows(Ntu60, folder, "xsub_train")
        assert list(clips) == list(expected)
        for name, (clip, label) in expected.items():
            np.testing.assert_array_equal(clips[name][0], clip)
            assert clips[name][1] == label
        assert not (folder / "ntu60" / "1.0.0.unfinished").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("notes", "found notes; a name of the form SsssCcccPpppRrrrAaaa is needed"),
        ("S001C001P001R001A061", "found action 61; allowed are 1 to 60"),
        ("S001C001P041R001A001", "found performer 41; allowed are 1 to 40"),
    ],
)
def test_a_file_of_another_name_is_a_fault(tmp_path, name, message):
    write_capture(tmp_path / "source", NAME)
    path = write_capture(tmp_path / "source", name)
    builder = Ntu60(data_dir=tmp_path / "data", source=tmp_path / "source")
    assert builder.check() == [f"{path}: {message}"]
    with pytest.raises(UserError, match=message):
        builder.prepare()
    assert not list((tmp_path / "data").rglob("*"))


def test_a_capture_in_both_folders_is_a_fault(tmp_path):
    write_capture(tmp_path / "source", NAME)
    write_capture(tmp_path / "source" / "nturgb+d_skeletons", NAME)
    (fault,) = Ntu60(data_dir=tmp_path / "data", source=tmp_path / "source").check()
    assert f"the clip {NAME} is in the split xsub_train already" in fault


def test_a_source_without_any_of_the_forms_is_refused(tmp_path):
    with pytest.raises(
        UserError, match="neither .skeleton files, .* nor NTU60_CS.npz, NTU60_CV.npz, nor ntu60_3d"
    ):
        Ntu60(data_dir=tmp_path, source=tmp_path).items()


# --- The npz files of CTR-GCN's scripts -------------------------------------------------------------------


def write_archive(path, reference, suffix, **changes):
    arrays = {f"{x}_{part}": reference[f"{suffix}/{x}_{part}"] for x in "xy" for part in ("train", "test")}
    np.savez(path, **arrays | changes)


@pytest.mark.parametrize(
    ("builder", "pipeline", "suffix", "split"),
    [(Ntu60, "pipeline_ntu", "CV", "xview"), (Ntu120, "pipeline_ntu120", "CSet", "xset")],
)
def test_archives_give_the_arrays_that_they_hold(golden, tmp_path, builder, pipeline, suffix, split):
    reference = golden(f"gap/{pipeline}.npz")
    path = tmp_path / f"{builder.name.upper()}_{suffix}.npz"
    write_archive(path, reference, suffix)
    made = builder(data_dir=tmp_path / "data", source=path)
    assert made.check() == []
    made.prepare()
    for part in ("train", "test"):
        found = rows(builder, tmp_path / "data", f"{split}_{part}")
        x, y = reference[f"{suffix}/x_{part}"], reference[f"{suffix}/y_{part}"]
        assert list(found) == [f"{part}_{number}" for number in range(len(x))]
        for (clip, label), want, one_hot in zip(found.values(), x, y, strict=True):
            np.testing.assert_array_equal(clip, want[: len(clip)])
            assert not want[len(clip) :].any()
            assert label == one_hot.argmax()


def test_several_archives_lie_in_a_folder(golden, tmp_path):
    reference = golden("gap/pipeline_ntu.npz")
    for suffix in ("CS", "CV"):
        write_archive(tmp_path / f"NTU60_{suffix}.npz", reference, suffix)
    made = Ntu60(data_dir=tmp_path / "data", source=tmp_path)
    made.prepare()
    assert made.split_sizes() == {"xsub_train": 9, "xsub_test": 5, "xview_train": 9, "xview_test": 5}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"x_train": np.zeros((9, 5, 75), np.float32)},
            r"x_train has the shape \(9, 5, 75\); \(clips, frames, 150",
        ),
        ({"x_train": np.ones((9, 5, 150), int)}, "is no archive of .*an array of type int64"),
        ({"y_train": np.eye(9, 120)}, r"y_train has the shape \(9, 120\); \(9, 60\) is needed"),
        ({"y_test": np.zeros((5, 60))}, "y_test, row 0: is no one-hot label"),
        ({"x_test": np.full((5, 5, 150), np.nan, np.float32)}, "x_test, row 0: a number is no position"),
    ],
    ids=["columns", "integers", "classes", "labels", "NaN"],
)
def test_a_bad_archive_is_refused(golden, tmp_path, changes, message):
    path = tmp_path / "NTU60_CS.npz"
    write_archive(path, golden("gap/pipeline_ntu.npz"), "CS", **changes)
    with pytest.raises(UserError, match=message):
        Ntu60(data_dir=tmp_path / "data", source=path).prepare()


def test_an_archive_that_is_none_or_of_no_protocol_is_refused(golden, tmp_path):
    (tmp_path / "NTU60_CS.npz").write_bytes(b"PK")
    with pytest.raises(UserError, match="NTU60_CS.npz: is no archive of x_train, y_train, x_test, y_test"):
        Ntu60(data_dir=tmp_path, source=tmp_path).prepare()
    write_archive(tmp_path / "mine.npz", golden("gap/pipeline_ntu.npz"), "CS")
    with pytest.raises(UserError, match="the name says no protocol; allowed are NTU60_CS.npz, NTU60_CV.npz"):
        Ntu60(data_dir=tmp_path, source=tmp_path / "mine.npz").prepare()


def test_an_empty_row_is_left_out(golden, tmp_path):
    x = golden("gap/pipeline_ntu.npz")["CS/x_test"]
    x[3] = 0
    write_archive(tmp_path / "NTU60_CS.npz", golden("gap/pipeline_ntu.npz"), "CS", x_test=x)
    made = Ntu60(data_dir=tmp_path / "data", source=tmp_path)
    made.prepare()
    assert "x_test, row 3: is left out: it is empty" in made.warnings[0]
    assert list(rows(Ntu60, tmp_path / "data", "xsub_test")) == ["test_0", "test_1", "test_2", "test_4"]


# --- The pickles of PYSKL ---------------------------------------------------------------------------------


def annotation(name, num_bodies=1, **changes):
    bodies = [np.stack([person(body, seed=frame) for frame in range(3)]) for body in range(num_bodies)]
    keypoint = np.stack(bodies).astype(np.float16)
    label = int(name[-3:]) - 1
    return {"frame_dir": name, "label": label, "keypoint": keypoint, "total_frames": 3} | changes


def write_pickle(path, *annotations, split=None, **options):
    content = {
        "split": split or {"xsub_train": [NAME], "xview_val": [NAME]},
        "annotations": list(annotations),
    }
    path.write_bytes(pickle.dumps(content, **options))
    return path


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_pickles_are_read_and_centred(tmp_path, protocol):
    two = annotation("S001C001P003R001A050", 2)
    missing = annotation("S001C002P005R002A008")
    path = write_pickle(tmp_path / "ntu60_3danno.pkl", annotation(NAME), two, missing, protocol=protocol)
    made = Ntu60(data_dir=tmp_path / "data", source=path)
    assert made.check() == []
    made.prepare()
    assert "left out 1 captures whose skeletons are missing" in made.warnings[0]
    ((alone, label),) = rows(Ntu60, tmp_path / "data", "xsub_train").values()
    ((both, _),) = rows(Ntu60, tmp_path / "data", "xsub_test").values()
    want = two["keypoint"].astype(np.float32)
    np.testing.assert_array_equal(both.reshape(3, 2, 25, 3), (want - want[0, 0, 1]).transpose(1, 0, 2, 3))
    np.testing.assert_array_equal(alone[:, :75], both[:, :75])
    assert not alone[:, 75:].any()
    assert label == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frame_dir": "clip 1"}, r"annotations\[0\]: found clip 1; a name of the form"),
        ({"label": 5}, r"annotations\[0\]: found label 5; by its name it is 0"),
        ({"keypoint": [1, 2]}, r"annotations\[0\]: keypoint is no array"),
        ({"keypoint": np.zeros((1, 3, 17, 3))}, r"keypoint has the shape \(1, 3, 17, 3\); 1 or 2 bodies"),
        ({"keypoint": np.zeros((3, 3, 25, 3))}, r"keypoint has the shape \(3, 3, 25, 3\); 1 or 2 bodies"),
        ({"total_frames": 4}, r"total_frames=4, 25 joints, 3 is needed"),
        ({"keypoint": np.full((1, 3, 25, 3), np.nan)}, "a number of keypoint is no position"),
        ({"label": np.zeros(2, int)}, "found label no number; by its name it is 0"),
        ({"total_frames": np.full(2, 3)}, "total_frames=no number, 25 joints, 3 is needed"),
    ],
    ids=["name", "label", "list", "joints", "bodies", "frames", "NaN", "labels", "lengths"],
)
def test_a_bad_annotation_is_named(tmp_path, changes, message):
    path = write_pickle(tmp_path / "a.pkl", annotation(NAME, **changes))
    with pytest.raises(UserError, match=message):
        Ntu60(data_dir=tmp_path / "data", source=path).prepare()


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("frame_dir", r"annotations\[0\]: found None; a name of the form"),
        ("label", "found label no number; by its name it is 0"),
        ("total_frames", "total_frames=no number, 25 joints, 3 is needed"),
    ],
)
def test_lists_that_are_too_deep_to_be_shown_are_refused(tmp_path, key, message):
    path = write_pickle(tmp_path / "a.pkl", annotation(NAME, **{key: "text"}), protocol=2)
    deep = b"]" * 5000 + b"a" * 4999
    path.write_bytes(path.read_bytes().replace(b"X\x04\0\0\0text", deep))
    with pytest.raises(UserError, match=message):
        Ntu60(data_dir=tmp_path / "data", source=path).prepare()


def test_another_split_than_the_published_is_refused(tmp_path):
    path = write_pickle(tmp_path / "a.pkl", annotation(NAME), split={"xsub_val": [NAME]})
    with pytest.raises(
        UserError, match=f"{NAME} is listed for xsub_test; by its name it belongs to xsub_train"
    ):
        Ntu60(data_dir=tmp_path / "data", source=path).prepare()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (pickle.dumps(print), "asks for builtins.print; of pickles only dicts, lists, text, numbers"),
        (pickle.dumps(Path("x")), "asks for pathlib.*; of pickles only"),
        (b"\x80\x04\x95", "is no pickle that can be read"),
        (pickle.dumps([1]), "a dict with the keys split and annotations is needed"),
        (pickle.dumps({"split": {}, "annotations": []}), "annotations is no list of clips"),
        (pickle.dumps({"split": 1, "annotations": [1]}), "split is no dict of lists"),
        (pickle.dumps({"split": {"xsub_val": 3}, "annotations": [1]}), "split is no dict of lists"),
        (pickle.dumps({"split": {"xsub_val": [3]}, "annotations": [1]}), "split is no dict of lists"),
    ],
    ids=["program", "object", "cut off", "list", "empty", "split", "number", "numbers"],
)
def test_a_file_that_is_no_such_pickle_is_refused(tmp_path, content, message):
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(UserError, match=message):
        Ntu60(data_dir=tmp_path / "data", source=tmp_path / "a.pkl").prepare()


# --- Real captures ----------------------------------------------------------------------------------------


def test_real_captures_are_prepared(real_data, tmp_path):
    made = Ntu60(data_dir=tmp_path, source=real_data / "ntu_skeletons")
    made.prepare()
    assert not made.warnings
    found = rows(Ntu60, tmp_path, "xsub_train") | rows(Ntu60, tmp_path, "xsub_test")
    lengths = {name: int(clip.any(axis=1).sum()) for name, (clip, _) in found.items()}
    assert lengths == {name: length for name, (length, _) in REAL_CAPTURES.items()}
    for name, (length, digest) in REAL_CAPTURES.items():
        clip = found[name][0][:length].astype("<f4")
        assert hashlib.sha256(clip.tobytes()).hexdigest()[:16] == digest, name
    # In metres: nobody is taller than 2.3, or nearer to the floor than to the head than a person is.
    for name, (clip, _) in found.items():
        joints = clip[: lengths[name]].reshape(-1, 2, 25, 3)
        assert bool(joints[:, 1].any()) == name.endswith("A058")
        height = joints[:, 0, 3, 1] - joints[:, 0, [14, 18], 1].mean(axis=1)
        assert 1.0 < np.median(height) < 2.3

"""A skeleton data set of one's own: files of every kind, layouts, bodies, what is refused."""

import numpy as np
import pytest
from data.skeleton_files import person, write_capture
from data.video_files import write_list

from rgbd_jax import prepare
from rgbd_jax.data import loader
from rgbd_jax.data.builders.custom_skeletons import CustomSkeletons
from rgbd_jax.errors import UserError
from rgbd_jax.skeleton_layouts import CHOICES, LAYOUTS


def clip(num_joints, frames=4, seed=0, people=None):
    shape = (frames, num_joints, 3) if people is None else (frames, people, num_joints, 3)
    return np.random.default_rng(seed).normal(size=shape) + 2


def write_archive(path, joints):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.savez(file, joints=joints)


@pytest.fixture
def source(tmp_path):
    """Two classes of two people each, in files of two kinds; in one clip there are two bodies."""
    root = tmp_path / "source"
    folder = root / "skeletons"
    write_capture(folder / "wave" / "anna", "take 1")
    write_capture(folder / "wave" / "ben", "take.1")
    write_archive(folder / "sit down" / "anna" / "1.npz", clip(25))
    write_archive(folder / "sit down" / "ben" / "1.npz", clip(25, frames=6, people=2))
    return root


def test_folders_of_classes_become_clips(source, tmp_path, capsys):
    arguments = ["custom_skeletons", f"--source={source}", f"--data_dir={tmp_path / 'data'}"]
    prepare.main([*arguments, "--split=subject", "--test_subjects=ben"])
    assert "2 train, 2 test clips of up to 6 frames" in capsys.readouterr().out
    split = loader.open_split("custom_skeletons", tmp_path / "data", "test")
    assert split.class_names == ("sit down", "wave")
    assert (split.max_frames, split.num_bodies, split.num_joints) == (6, 2, 25)
    found = {record["id"].decode(): record for record in split.source}
    assert {name: record["label"] for name, record in found.items()} == {
        "sit down/ben/1": 0,
        "wave/ben/take.1": 1,
    }
    joints = clip(25, frames=6, people=2).astype(np.float32)
    np.testing.assert_allclose(
        found["sit down/ben/1"]["joints"], joints - joints[0, 0, LAYOUTS["ntu25"].centre], atol=1e-6
    )
    waving = found["wave/ben/take.1"]["joints"]
    assert waving.shape == (3, 1, 25, 3)
    np.testing.assert_allclose(waving[2, 0] + person()[1], person(seed=2), atol=1e-6)


@pytest.mark.parametrize("name", CHOICES)
def test_each_layout_is_moved_by_its_centre(tmp_path, name):
    layout = LAYOUTS[name]
    for number in (1, 2):
        write_archive(tmp_path / "skeletons" / "nod" / f"{number}.npz", clip(layout.num_joints, seed=number))
    arguments = ["custom_skeletons", f"--source={tmp_path}", f"--data_dir={tmp_path / 'data'}"]
    prepare.main([*arguments, "--split=random"])
    split = loader.open_split("custom_skeletons", tmp_path / "data", "train")
    assert (split.num_joints, split.num_bodies) == (layout.num_joints, 1)
    assert not split.source[0]["joints"][0, 0, layout.centre].any()
    assert split.source[0]["joints"].any()


def test_nobody_in_a_recording_is_no_fault(source, tmp_path, capsys):
    write_archive(source / "skeletons" / "wave" / "anna" / "nobody.npz", np.zeros((3, 25, 3)))
    arguments = ["custom_skeletons", f"--source={source}", f"--data_dir={tmp_path / 'data'}"]
    prepare.main([*arguments, "--split=random"])
    printed = capsys.readouterr()
    assert "1 were left out" in printed.out
    assert "is left out: all joints of its first actor are 0" in printed.err


@pytest.mark.parametrize("frames", [4, 5])
def test_no_more_frames_are_taken_than_there_are(source, tmp_path, frames):
    joints = source / "skeletons" / "sit down" / "anna" / "1.npz"
    joints.rename(joints.with_suffix(".NPZ"))
    write_list(source / "classes.txt", ["sit down"])
    write_list(source / "dataset_splits" / "train.txt", [f"sit down/anna/1 {frames} 0"])
    faults = CustomSkeletons(data_dir=tmp_path / "data", source=source).check()
    assert len(faults) == (frames > 4)
    assert all("train.txt, line 1: found 4 frames in" in fault for fault in faults)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda folder: write_archive(folder / "take 2.npz", clip(20)),
            "found 20 joints, but 25 in .*; a data set",
        ),
        (
            lambda folder: write_archive(folder / "take 2.npz", clip(30)),
            "found 30 joints; known are 25 .ntu25., 20",
        ),
        (
            lambda folder: write_archive(folder / "take 1.npz", clip(25)),
            "found take 1.npz and take 1.skeleton for",
        ),
        (
            lambda folder: write_archive(folder / "take 1.NPZ", clip(25)),
            "found take 1.NPZ and take 1.skeleton for",
        ),
        (lambda folder: (folder / "take 2.npz").write_text("nothing"), "take 2.npz: is no .npz file"),
        (
            lambda folder: (folder / "take 2.skeleton").write_text("1"),
            "take 2.skeleton, line 1: the file ends",
        ),
    ],
    ids=["layout", "unknown layout", "twice", "twice in capitals", "no archive", "cut off"],
)
def test_a_faulty_recording_is_named(source, tmp_path, spoil, message):
    spoil(source / "skeletons" / "wave" / "anna")
    arguments = ["custom_skeletons", f"--source={source}", f"--data_dir={tmp_path / 'data'}"]
    with pytest.raises(UserError, match=message):
        prepare.main([*arguments, "--split=random"])
    assert not list((tmp_path / "data").rglob("*"))


def test_a_source_without_recordings_is_refused(tmp_path):
    (tmp_path / "skeletons" / "wave").mkdir(parents=True)
    (tmp_path / "skeletons" / "wave" / "1.csv").touch()
    with pytest.raises(
        UserError,
        match=r"found no files of joints \(.skeleton, .json, .npz\) below skeletons/CLASS/, but skel.*/1.csv",
    ):
        CustomSkeletons.clips_below(tmp_path)

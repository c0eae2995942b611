"""Recordings of joints: the same rows as of evaluation, whatever they come from."""

import numpy as np
import pytest
from data.skeleton_files import person, write_capture

from rgbd_jax import prepare
from rgbd_jax.config import load_file, override
from rgbd_jax.data import loader
from rgbd_jax.data.builders.custom_skeletons import CustomSkeletons
from rgbd_jax.data.builders.ntu import Ntu60, Ntu120
from rgbd_jax.data.builders.nw_ucla import NwUcla
from rgbd_jax.data.ntu import captures
from rgbd_jax.errors import UserError
from rgbd_jax.recordings import SkeletonReader, make_reader, parse_given

CLASSES = ("wave", "sit")


def reader(config, *overrides):
    return make_reader(override(load_file(config), overrides), CLASSES)


def archive(path, joints, key="joints"):
    np.savez(path, **{key: joints})
    return parse_given(str(path))


def rows(builder, data_dir, split):
    """The rows of evaluation, by id."""
    opened = loader.open_split(builder.name, data_dir, split)
    return {str(row["id"][0]): row for row in loader.evaluation_batches(opened, batch_size=1)}


def assert_same(row, expected):
    """Up to the zeros that follow a clip, which no network sees."""
    longest = max(row["joints"].shape[1], expected["joints"].shape[1])
    padded = [
        np.pad(x["joints"], ((0, 0), (0, longest - x["joints"].shape[1]), (0, 0), (0, 0), (0, 0)))
        for x in (row, expected)
    ]
    np.testing.assert_array_equal(*padded)
    assert row.keys() == expected.keys()
    assert {name: value.dtype for name, value in row.items() if name != "id"} == {
        name: value.dtype for name, value in expected.items() if name != "id"
    }
    for name in ("num_frames", "seed", "mask"):
        np.testing.assert_array_equal(row[name], expected[name])


@pytest.mark.parametrize("builder", [Ntu60, Ntu120])
def test_captures_become_the_rows_of_evaluation(builder, tmp_path, monkeypatch):
    """Of one person and of two, and where nobody is there for a while."""
    monkeypatch.setattr(captures, "CORES", 1)
    alone = [{"7": person(seed=frame)} for frame in range(14)]
    pair = [{"7": person(seed=frame), "8": person(1.0, seed=50 + frame)} for frame in range(14)]
    source = tmp_path / "source"
    for name, frames in (("S001C001P001R001A001", [*alone, {}, *alone]), ("S001C001P002R001A002", pair)):
        write_capture(source, name, frames)
    builder(data_dir=tmp_path / "data", source=source).prepare()
    found = reader(f"configs/gap/{builder.name}_xsub.py:joint,plain")
    expected = rows(builder, tmp_path / "data", "xsub_train")
    assert len(expected) == 2
    for name, row in expected.items():
        recording = found.read(parse_given(str(source / f"{name}.skeleton")))
        assert_same(found.row(recording), row)


def test_clips_of_nw_ucla_become_the_rows_of_evaluation(golden_clips, tmp_path):
    source = golden_clips
    NwUcla(data_dir=tmp_path, source=source).prepare()
    found = reader("configs/gap/nw_ucla.py:joint,plain")
    expected = rows(NwUcla, tmp_path, "test")
    assert len(expected) == 2
    for name, row in expected.items():
        recording = found.read(parse_given(str(source / "all_sqe" / f"{name}.json")))
        assert_same(found.row(recording), row)


def test_own_skeletons_become_the_rows_of_evaluation(tmp_path):
    """Also where the first of two persons comes later than the second."""
    joints = np.random.default_rng(0).normal(size=(9, 2, 25, 3))
    joints[:3, 0] = joints[5] = 0
    source = tmp_path / "source"
    for name in "ab":
        path = source / "skeletons" / "wave" / f"{name}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, joints=joints)
    arguments = ["custom_skeletons", f"--source={source}", f"--data_dir={tmp_path / 'data'}"]
    prepare.main([*arguments, "--split=random"])
    found = reader("configs/gap/custom.py", "--config.model.num_persons=2")
    ((name, expected),) = rows(CustomSkeletons, tmp_path / "data", "test").items()
    assert_same(found.row(found.read(parse_given(str(source / "skeletons" / f"{name}.npz")))), expected)


def test_who_is_alone_is_the_first_person():
    """A part of a recording in which only the second person is there is seen as of one alone."""
    found = reader("configs/demo.py", "--config.model.num_persons=2")
    joints = np.random.default_rng(0).normal(size=(9, 2, 25, 3)).astype(np.float32)
    joints[4:, 0] = 0
    part = found.read(joints).part(4, 9)
    assert not found.is_empty(part)
    alone = joints[4:, ::-1]
    np.testing.assert_array_equal(found.row(part)["joints"], found.row(found.read(alone))["joints"])


@pytest.fixture
def golden_clips(request, tmp_path):
    folder = tmp_path / "source" / "all_sqe"
    folder.mkdir(parents=True)
    for path in (request.config.rootpath / "tests" / "golden" / "gap" / "ucla").glob("a*.json"):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder.parent


def test_archives_and_arrays_are_moved_to_the_origin(tmp_path):
    """Joints anywhere in space, of one person with and without the axis of persons: one row."""
    found = reader("configs/demo.py")
    joints = np.stack([person(seed=frame) for frame in range(300)])
    given = archive(tmp_path / "a.npz", joints)
    row = found.row(found.read(given))
    assert row["joints"].shape == (1, 512, 1, 25, 3) and row["num_frames"] == 300
    np.testing.assert_array_equal(row["joints"][0, 0, 0, 1], 0)
    np.testing.assert_allclose(row["joints"][0, :300, 0], joints - joints[0, 1], atol=1e-6)
    for other in (joints[:, None], joints.astype(np.float64), joints + [0.0, 1.0, 0.0]):
        np.testing.assert_allclose(found.row(found.read(other))["joints"], row["joints"], atol=1e-6)
    part = found.read(given._replace(first=100, end=164))
    assert part.num_frames == 64 and part.seconds == pytest.approx(64 / 30)
    np.testing.assert_array_equal(part.clip["joints"], found.read(given).part(100, 164).clip["joints"])


def test_who_moves_most_is_seen_where_one_is(tmp_path):
    still = {"8": person(1.0, seed=99)}
    path = write_capture(tmp_path, "any", [{**still, "7": person(seed=frame)} for frame in range(14)])
    recording = reader("configs/demo.py").read(parse_given(str(path)))
    assert recording.clip["joints"].shape == (14, 1, 25, 3)
    np.testing.assert_array_equal(recording.clip["joints"][3, 0], person(seed=3).astype(np.float32))


def test_each_layout_is_read(tmp_path):
    for layout in ("coco17", "openpose18", "mediapipe33"):
        found = reader("configs/demo.py", f"--config.model.layout={layout}")
        assert isinstance(found, SkeletonReader)
        joints = np.random.default_rng(0).normal(size=(9, found.layout.num_joints, 3))
        row = found.row(found.read(joints))
        np.testing.assert_array_equal(row["joints"][0, 0, 0, found.layout.centre], 0)


def bad(tmp_path):
    """Recordings that a network of 25 joints and one person cannot see, and what must be said."""
    joints = np.ones((4, 25, 3))
    hole = np.where(np.arange(3) == 1, np.nan, joints)
    (tmp_path / "a.avi").write_bytes(b"RIFF")
    (tmp_path / "no.npz").write_text("nothing")
    (tmp_path / "empty.skeleton").write_text("0\n")
    (tmp_path / "objects.npz").unlink(missing_ok=True)
    np.savez(tmp_path / "objects.npz", joints=np.array([{}, None], object))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "objects.npz").read_bytes()[:-9])
    locked = bytearray((tmp_path / "objects.npz").read_bytes())
    locked[locked.index(b"PK\1\2") + 8] |= 1  # of the table of contents: encrypted
    (tmp_path / "locked.npz").write_bytes(locked)
    archive_needed = "is no .npz file of numbers, or is damaged; numpy.savez(FILE, joints=...) writes one"
    ucla = [[[0.1, 0.2, 0.3]] * 20] * 2
    (tmp_path / "ucla.json").write_text(f'{{"skeletons": {ucla}}}')
    return [
        (
            archive(tmp_path / "v.npz", np.ones((4, 17, 3))),
            "found 17 joints; the network reads the 25 of ntu25",
        ),
        (parse_given(str(tmp_path / "ucla.json")), "found 20 joints; the network reads the 25 of ntu25"),
        (archive(tmp_path / "m.npz", np.ones((4, 2, 25, 3))), "found 2 persons; the network sees 1"),
        (archive(tmp_path / "k.npz", joints, key="x"), "k.npz: found the keys x; the key joints is needed"),
        (archive(tmp_path / "s.npz", joints[..., 0]), "found joints of float64 (4, 25);"),
        (archive(tmp_path / "e.npz", joints[:0]), "found joints (0, 25, 3); at least one frame is needed"),
        (archive(tmp_path / "h.npz", hole), "frame 0, person 0, joint 0: y is nan; metres between"),
        (archive(tmp_path / "z.npz", 0 * joints), "all joints are 0; somebody must be there"),
        (parse_given(f"{tmp_path / 'v.npz'}:2:9"), "v.npz: ends after 4 frames; frames to 9 are needed"),
        (parse_given(str(tmp_path / "no.npz")), f"no.npz: {archive_needed}"),
        (parse_given(str(tmp_path / "objects.npz")), f"objects.npz: {archive_needed}"),
        (parse_given(str(tmp_path / "cut.npz")), f"cut.npz: {archive_needed}"),
        (parse_given(str(tmp_path / "locked.npz")), f"locked.npz: {archive_needed}"),
        (
            parse_given(str(tmp_path / "a.avi")),
            "is no file of joints; the network reads .skeleton, .json, .npz",
        ),
        (parse_given(str(tmp_path)), "is no file of joints; the network reads"),
        (parse_given(str(tmp_path / "empty.skeleton")), "there is no body in any of its 0 frames"),
    ]


def test_what_the_network_cannot_see_is_refused(tmp_path):
    found = reader("configs/demo.py")
    for given, message in bad(tmp_path):
        with pytest.raises(UserError) as caught:
            found.read(given)
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)

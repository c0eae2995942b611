"""The prepare command, and the way from published files to what a network reads."""

import os
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from data.video_files import frame, write_folder, write_image, write_list
from PIL import Image

from rgbd_jax import prepare
from rgbd_jax.data import loader
from rgbd_jax.data.builders import BUILDERS
from rgbd_jax.data.ntu import captures
from rgbd_jax.errors import UserError
from rgbd_jax.preprocess import skeleton
from rgbd_jax.skeleton_layouts import NW_UCLA
from rgbd_jax.streams import STREAMS

GOLDEN = Path(__file__).parent / "golden" / "gap"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """The reference clips of NW-UCLA's format in its layout."""
    folder = tmp_path_factory.mktemp("nw_ucla")
    (folder / "all_sqe").mkdir()
    for path in (GOLDEN / "ucla").glob("a*.json"):
        (folder / "all_sqe" / path.name).write_bytes(path.read_bytes())
    return folder


def run(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-W", "error", "-m", "rgbd_jax.prepare", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_prepares_once(source, tmp_path, capsys):
    arguments = ["nw_ucla", f"--source={source}", f"--data_dir={tmp_path}"]
    prepare.main([*arguments, "--check"])
    assert capsys.readouterr().out == "nw_ucla: all 4 clips are in order\n"
    assert not list(tmp_path.iterdir())
    prepare.main(arguments)
    assert capsys.readouterr().out.startswith("prepared nw_ucla: 2 train, 2 test clips of up to")
    records = sorted(tmp_path.rglob("*"))
    times = [path.stat().st_mtime_ns for path in records]
    prepare.main(arguments)
    assert "prepared already, nothing to do" in capsys.readouterr().out
    assert [path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("*"))] == times


def test_reference_numbers_hold_through_records(source, tmp_path):
    prepare.main(["nw_ucla", f"--source={source}", f"--data_dir={tmp_path}"])
    split = loader.open_split("nw_ucla", tmp_path, "test")
    batch = next(iter(loader.evaluation_batches(split, batch_size=2)))
    clips = jax.vmap(skeleton.ucla_evaluation_clip)(batch["joints"], batch["num_frames"])
    reference = np.load(GOLDEN / "feeder_ucla.npz")
    assert batch["id"].tolist() == reference["val_order"].tolist()
    np.testing.assert_array_equal(batch["label"], reference["val_label"])
    for stream in STREAMS:
        got = jax.vmap(lambda clip, stream=stream: skeleton.derive_stream(clip, stream, NW_UCLA.parents))(
            clips
        )
        want = reference[f"val_{stream}"].transpose(0, 2, 4, 3, 1)
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-5)


def test_a_clip_is_drawn_on_request(source, tmp_path, capsys):
    arguments = ["nw_ucla", f"--data_dir={tmp_path}"]
    prepare.main([*arguments, f"--source={source}", "--preview=a05_s04_e02_v03"])
    path = tmp_path / "nw_ucla" / "previews" / "a05_s04_e02_v03.gif"
    assert capsys.readouterr().out.endswith(f"wrote {path}\n")
    first = path.read_bytes()
    prepare.main([*arguments, "--preview=a05_s04_e02_v01"])  # of what is prepared already, without source
    assert path.with_stem("a05_s04_e02_v01").read_bytes() != first
    with pytest.raises(UserError, match="there is no clip a05; clips are called such as a"):
        prepare.main([*arguments, "--preview=a05"])


def test_a_video_clip_is_drawn_whatever_the_sizes_of_its_frames(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(BUILDERS["custom"], "CUT_OUT", ("rgb", "depth"))  # as of NTU RGB+D
    source = tmp_path / "source"
    for number, (colour, depth) in enumerate([((24, 32), (20, 24)), ((22, 30), (26, 16))]):
        write_image(source / "rgb" / "clip" / f"{number:06d}.jpg", frame(number, *colour))
        write_image(
            source / "depth" / "clip" / f"{number:06d}.png",
            900 + np.arange(np.prod(depth), dtype=np.uint16).reshape(depth),
        )
    write_list(source / "classes.txt", ["wave"])
    write_list(source / "dataset_splits" / "train.txt", ["clip 2 0"])
    prepare.main(["custom", f"--source={source}", f"--data_dir={tmp_path / 'data'}", "--preview=clip"])
    path = tmp_path / "data" / "custom" / "previews" / "clip.gif"
    assert capsys.readouterr().out.endswith(f"wrote {path}\n")
    with Image.open(path) as picture:
        assert (picture.n_frames, picture.size) == (2, (32 + 24, 26))


def test_captures_that_are_left_out_are_named_and_counted(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(captures, "CORES", 1)  # processes take a while to start
    arguments = ["ntu60", f"--source={GOLDEN / 'skeletons'}", f"--data_dir={tmp_path}"]
    prepare.main([*arguments, "--check"])
    checked = capsys.readouterr()
    assert checked.out == "ntu60: 14 clips are in order, 3 were left out, see above\n"
    assert checked.err.count("is left out: ") == 3
    prepare.main(arguments)
    assert "clips of up to 28 frames" in (prepared := capsys.readouterr().out)
    assert "; 3 were left out" in prepared
    prepare.main(arguments)
    assert "; 3 were left out" in capsys.readouterr().out


def test_what_a_killed_preparation_left_is_removed_after_a_day(source, tmp_path):
    def incomplete(name, age_of_folder, age_of_file):
        path = tmp_path / "data" / name / "1.0.0.array_record"
        path.parent.mkdir(parents=True)
        path.write_text("half")
        os.utime(path, (time.time() - age_of_file,) * 2)
        os.utime(path.parent, (time.time() - age_of_folder,) * 2)
        return path.parent

    day = 24 * 3600
    old = incomplete("nw_ucla/incomplete.AAAAAA_1.0.0", 2 * day, 2 * day)
    running = incomplete("nw_ucla/incomplete.BBBBBB_1.0.0", 2 * day, 60)
    another = incomplete("ntu60/incomplete.CCCCCC_1.0.0", 2 * day, 2 * day)
    prepare.main(["nw_ucla", f"--source={source}", f"--data_dir={tmp_path / 'data'}"])
    assert not old.exists()
    assert running.exists()
    assert another.exists()


def test_faults_are_listed_and_end_with_status_2(source, tmp_path):
    for number, path in enumerate(sorted((source / "all_sqe").iterdir())):
        target = tmp_path / "source" / "all_sqe" / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes()[: 400 if number < 2 else None])
    arguments = ["nw_ucla", f"--source={tmp_path / 'source'}", f"--data_dir={tmp_path / 'data'}"]
    checked = run(*arguments, "--check")
    assert checked.returncode == 2
    *faults, error = checked.stderr.splitlines()
    assert len(faults) == 2
    assert all("not a complete JSON file" in fault for fault in faults)
    assert error.startswith("error: ")
    assert "2 of 4 clips are faulty" in error
    prepared = run(*arguments)
    assert prepared.returncode == 2
    assert prepared.stderr == f"error: {faults[0]}\n"
    assert not list((tmp_path / "data").rglob("*"))


@pytest.fixture
def faulty(tmp_path):
    """THU-READ in three clips: one in order, one whose frame is cut off, one of no class."""
    source = tmp_path / "source"
    for name in ("stir_gs_1", "fold_gs_1", "plug_gs_1"):
        write_folder(source / "RGB" / f"RGB_{name}", "%06d.jpg", 0, 2)
    cut = source / "RGB" / "RGB_fold_gs_1" / "000001.jpg"
    cut.write_bytes(cut.read_bytes()[:-40])
    lines = ["RGB/RGB_stir_gs_1 2 6", "RGB/RGB_fold_gs_1 2 31", "RGB/RGB_plug_gs_1 2 40"]
    write_list(source / "dataset_splits" / "@1" / "train.txt", lines)
    return source


def test_faulty_clips_are_left_out_on_request_named_and_counted(faulty, tmp_path, capsys):
    arguments = ["thu_read", f"--source={faulty}", f"--data_dir={tmp_path / 'data'}"]
    with pytest.raises(UserError, match="cannot be decoded"):
        prepare.main(arguments)
    assert not list((tmp_path / "data").rglob("*"))
    prepare.main([*arguments, "--on_error=skip"])
    printed = capsys.readouterr()
    line = f"{faulty / 'dataset_splits' / '@1' / 'train.txt'}, line"
    cut, label = [line for line in printed.err.splitlines() if line.startswith("warning: ")]
    assert cut.startswith(f"warning: {line} 2: ") and cut.endswith("; the clip is left out")
    assert label == f"warning: {line} 3: found label 40; allowed are 0 to 39; the clip is left out"
    assert printed.out.startswith("prepared thu_read: 1 cs1_train clips of up to 2 frames")
    assert "; 2 were left out" in printed.out
    (record,) = loader.open_split("thu_read", tmp_path / "data", "cs1_train").source
    assert record["id"] == b"stir_gs_1"


def test_where_all_clips_are_faulty_nothing_is_prepared_and_all_are_named(faulty, tmp_path, capsys):
    (faulty / "RGB" / "RGB_stir_gs_1" / "000000.jpg").unlink()
    arguments = ["thu_read", f"--source={faulty}", f"--data_dir={tmp_path / 'data'}", "--on_error=skip"]
    with pytest.raises(UserError, match="found no clips, all were left out"):
        prepare.main(arguments)
    assert capsys.readouterr().err.count("the clip is left out") == 3
    assert not list((tmp_path / "data").rglob("*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["kinetics"], "'kinetics': is not known; available are nw_ucla, ntu60, ntu120, synthetic"),
        (["ntu60", "--source=nowhere"], "--source=nowhere: found neither .skeleton files, there or in"),
        (["nw_ucla", "--source=x", "--check", "--preview=y"], "--check writes no records, --preview draws"),
        (["nw_ucla", "--source=x", "--on_error=ignore"], "invalid choice: 'ignore'"),
        (["nw_ucla"], "--source is missing"),
        (["nw_ucla", "--check"], "--source is missing"),
        (["custom", "--source=x", "--test_share=0.5"], "--test_share: is of the lists that --split makes"),
        (["custom", "--source=x", "--seed=0"], "--seed: is of the lists that --split makes"),
        (["nw_ucla", "--source=nowhere"], "there is no folder nowhere/all_sqe"),
        (["synthetic", "--source=somewhere"], "synthetic is generated and has no source"),
        ([], "DATASET"),
        (["nw_ucla", "--sauce=x"], "--sauce=x"),
    ],
)
def test_bad_arguments_are_the_users_mistake(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        prepare.main(arguments)
    assert not list(Path("data").rglob("*"))

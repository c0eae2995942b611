"""The command `rgbd_jax.predict`, and the same from Python: what evaluation finds, on one's own clips."""

import csv
import functools
import io
import json
import os
import re
import subprocess
import sys
import wave

import cv2
import jax
import numpy as np
import pytest
from data.video_files import frame, write_list, write_video
from untrained_run import save_untrained

import rgbd_jax
from rgbd_jax import predictor
from rgbd_jax.config import ConfigArguments, load_file, override
from rgbd_jax.data.builders import synthetic
from rgbd_jax.data.builders.custom import Custom
from rgbd_jax.data.formats import camera
from rgbd_jax.data.loader import open_split
from rgbd_jax.errors import UserError
from rgbd_jax.evaluate import evaluate
from rgbd_jax.predict import main
from rgbd_jax.training import sharding
from rgbd_jax.training.checkpoint_folders import resolve


@pytest.fixture(autouse=True, scope="module")
def loaded_once():
    """Each network is built and compiled by one test for all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predictor, "Predictor", functools.cache(predictor.Predictor))
        yield


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """The embedded data set, a clip or two of each action; and videos of one's own, of other lengths."""
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "CLIPS_PER_ACTION", {"train": 2, "test": 1})
        open_split("synthetic", folder, "test")
    source = folder / "source"
    write_list(source / "classes.txt", ["wave", "sit"])
    for split, lines in (("train", ["a 30 0"]), ("test", ["a 30 0", "b 12 1"])):
        write_list(source / "dataset_splits" / f"{split}.txt", lines)
    write_video(source / "rgb" / "a.avi", 30, height=48, width=64)
    write_video(source / "rgb" / "b.avi", 12, height=48, width=64)
    Custom(data_dir=folder, source=source).prepare()
    return folder


def saved(workdir, data_dir, config, *overrides):
    overrides = [f"--config.data.data_dir={data_dir}", "--config.eval_batch_size=1", *overrides]
    return save_untrained(workdir, override(load_file(config), overrides))


@pytest.fixture(scope="module")
def skeleton_run(data_dir, tmp_path_factory):
    """Of joints, with a network that compiles soon."""
    workdir = tmp_path_factory.mktemp("runs") / "skeleton"
    return saved(workdir, data_dir, "configs/demo.py:debug", "--config.model.name=baseline_gcn")


@pytest.fixture(scope="module")
def colour_run(data_dir, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "colour"
    return saved(workdir, data_dir, "configs/demo_rgbd.py:rgb,debug", "--config.data.name=custom")


@pytest.fixture(scope="module")
def skeletons(data_dir):
    """The clips of the test split by id, (T, M, V, 3)."""
    split = open_split("synthetic", data_dir, "test")
    return {record["id"].decode(): record["joints"] for record in split.source}


@pytest.fixture(scope="module")
def clips(skeletons, tmp_path_factory):
    """Files of two of them."""
    folder = tmp_path_factory.mktemp("clips")
    for name in list(skeletons)[:2]:
        np.savez(folder / f"{name}.npz", joints=skeletons[name])
    return sorted(map(str, folder.iterdir()))


@pytest.fixture(scope="module")
def minute(skeletons, tmp_path_factory):
    """A recording of 60 seconds: all clips one after the other, again and again."""
    path = tmp_path_factory.mktemp("long") / "minute.npz"
    whole = np.concatenate([*skeletons.values()] * 4)[:1800]
    assert len(whole) == 1800
    np.savez(path, joints=whole)
    return str(path)


def evaluated(run, monkeypatch):
    """Logits by id, as --mode=eval gives them, on one device as the prediction."""
    one_device = sharding.make_mesh(jax.devices()[:1])
    monkeypatch.setattr(sharding, "make_mesh", lambda devices=None, fsdp=1: one_device)
    folder, _ = evaluate(resolve(run), ConfigArguments(None, ()))
    with np.load(folder / "scores.npz") as scores:
        return dict(zip(scores["ids"].tolist(), scores["logits"], strict=True)), tuple(scores["class_names"])


def assert_same(logits, expected):
    """To rounding."""
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


# ---------------------------------------------------------------------- the same as evaluation


def test_joints_have_the_scores_of_evaluation(skeleton_run, skeletons, clips, monkeypatch):
    expected, class_names = evaluated(skeleton_run, monkeypatch)
    network = rgbd_jax.load(skeleton_run)
    assert network.class_names == class_names
    for name, joints in skeletons.items():
        assert_same(network.predict(joints).logits, expected[name])
    for path in clips:
        found = network.predict(path)
        assert found.classes == class_names
        assert_same(found.logits, expected[os.path.basename(path).removesuffix(".npz")])
    largest = max(np.abs(logits).max() for logits in expected.values())
    assert np.ptp(list(expected.values()), axis=0).max() > 1e-3 * largest  # clips are told apart


def test_video_has_the_scores_of_evaluation(colour_run, data_dir, monkeypatch, caplog):
    """Videos of other lengths; the second is recognised without compiling anything."""
    expected, _ = evaluated(colour_run, monkeypatch)
    predictor.Predictor.cache_clear()
    network = rgbd_jax.load(colour_run)
    compiled = []
    for name in ("a", "b"):
        caplog.clear()
        with jax.log_compiles(), caplog.at_level("WARNING"):
            found = network.predict(data_dir / "source" / "rgb" / f"{name}.avi")
        compiled.append("evaluation_step" in caplog.text)
        assert_same(found.logits, expected[name])
    assert compiled == [True, False]
    assert np.abs(expected["a"] - expected["b"]).max() > 1e-4 * np.abs(expected["a"]).max()


# ---------------------------------------------------------------------- the command


def run(capsys, *arguments):
    main(list(map(str, arguments)))
    return capsys.readouterr().out


def test_several_recordings_at_once(skeleton_run, clips, tmp_path, capsys):
    """In each form the same, and the same as from Python."""
    checkpoint = f"--checkpoint={skeleton_run}"
    table = run(capsys, checkpoint, *clips, "--top=2").splitlines()
    assert len(table) == 2 * 3
    found = json.loads(run(capsys, checkpoint, *clips, "--top=2", "--format=json"))
    lines = list(csv.DictReader(io.StringIO(run(capsys, checkpoint, *clips, "--top=2", "--format=csv"))))
    network = rgbd_jax.load(skeleton_run)
    for place, clip in enumerate(clips):
        expected = network.predict(clip).top(2)
        top = [(entry["class"], entry["probability"]) for entry in found[place]["top"]]
        assert (found[place]["input"], top) == (clip, expected)
        assert table[3 * place].startswith(f"{clip}: {found[place]['frames']} frames, ")
        for rank in range(2):
            name, probability = expected[rank]
            assert re.fullmatch(
                rf" +{rank + 1}  {name} +{100 * probability:.1f} %", table[3 * place + 1 + rank]
            )
            line = lines[2 * place + rank]
            assert (line["input"], line["rank"], line["class"]) == (clip, str(rank + 1), name)
            assert float(line["probability"]) == pytest.approx(probability, abs=1e-6)
    output = tmp_path / "new" / "found.json"
    assert run(capsys, checkpoint, *clips, "--top=2", f"--output={output}") == ""
    assert json.loads(output.read_text()) == found


def test_a_minute_gives_a_timeline(skeleton_run, minute, capsys):
    """Segments follow one another without a gap, from the beginning to the end, and are those of Python."""
    (found,) = json.loads(run(capsys, f"--checkpoint={skeleton_run}", minute, "--format=json"))
    assert (found["frames"], found["seconds"]) == (1800, 60)
    timeline = found["timeline"]
    assert timeline[0]["start"] == 0 and timeline[-1]["end"] == 60
    for before, after in zip(timeline[:-1], timeline[1:], strict=True):
        assert before["end"] == after["start"] > before["start"]
        assert before["class"] != after["class"]
    assert all(0 < segment["probability"] <= 1 for segment in timeline)
    segments = rgbd_jax.load(skeleton_run).timeline(minute)
    assert [tuple(entry.values()) for entry in timeline] == list(map(tuple, segments))
    table = run(capsys, f"--checkpoint={skeleton_run}", minute).splitlines()
    assert len(table) == 1 + len(timeline) and " s to " in table[1]


def test_a_segment_is_what_its_windows_show(skeleton_run, minute):
    """Windows one after the other, unsmoothed: each says what the network says of these frames alone."""
    network = rgbd_jax.load(skeleton_run)
    segments = network.timeline(minute, window=300, stride=300, smoothing=1)
    for start in range(0, 1800, 300):
        ((name, _),) = network.predict(f"{minute}:{start}:{start + 300}").top(1)
        (inside,) = {s.class_name for s in segments if s.start <= (start + 150) / 30 < s.end}
        assert inside == name


def test_where_nobody_is_there_nothing_is_recognised(skeleton_run, skeletons):
    """A pause of ten seconds is bridged by what is seen before and after it."""
    clip = next(iter(skeletons.values()))
    joints = np.concatenate([clip, np.zeros((300, *clip.shape[1:]), np.float32), clip])
    network = rgbd_jax.load(skeleton_run)
    segments = network.timeline(joints, window=len(clip), stride=10, smoothing=1)
    assert segments[0].start == 0 and segments[-1].end == pytest.approx(len(joints) / 30)
    assert all(np.isfinite(segment.probability) for segment in segments)
    pause = np.zeros((300, *clip.shape[1:]), np.float32)
    pause[150:160] = clip[:10]
    with pytest.raises(UserError, match="nobody in any of the 4 windows of window=10 and stride=100"):
        network.timeline(pause, window=10, stride=100)


def test_what_was_found_before_a_mistake_is_kept(skeleton_run, clips, tmp_path, capsys):
    np.savez(tmp_path / "coco.npz", joints=np.ones((4, 17, 3)))
    output = tmp_path / "found.json"
    inputs = [clips[0], str(tmp_path / "coco.npz"), clips[1]]
    with pytest.raises(UserError) as caught:
        run(capsys, f"--checkpoint={skeleton_run}", *inputs, f"--output={output}")
    assert "coco.npz: found 17 joints" in str(caught.value)
    assert str(caught.value).endswith("; what was found in 1 of 3 recordings is written")
    assert [entry["input"] for entry in json.loads(output.read_text())] == [clips[0]]


def test_a_name_that_is_no_text_is_written_escaped(skeleton_run, clips, tmp_path, capsys):
    name = os.fsencode(tmp_path) + b"/caf\xe9.npz"
    try:
        os.symlink(os.fsencode(clips[0]), name)
    except OSError:
        pytest.skip("this file system has no such names")
    output = tmp_path / "found.txt"
    run(capsys, f"--checkpoint={skeleton_run}", os.fsdecode(name), f"--output={output}")
    assert output.read_text(encoding="utf-8").startswith(f"{tmp_path}/caf\\xe9.npz: ")


@pytest.mark.parametrize("kind", ["joints", "video"])
def test_the_recording_is_written_with_what_was_found(kind, request, clips, data_dir, tmp_path, capsys):
    checkpoint = request.getfixturevalue("skeleton_run" if kind == "joints" else "colour_run")
    clip = f"{clips[0]}:0:6" if kind == "joints" else data_dir / "source" / "rgb" / "a.avi"
    sliding = [] if kind == "joints" else ["--window=12", "--stride=6"]
    run(capsys, f"--checkpoint={checkpoint}", clip, *sliding, f"--render={tmp_path / 'out.mp4'}")
    video = cv2.VideoCapture(str(tmp_path / "out.mp4"))
    count = 0
    while video.grab():
        count += 1
    assert count == {"joints": 6, "video": 30}[kind]
    assert video.get(cv2.CAP_PROP_FPS) == 30


def test_frames_of_a_camera_are_recognised_as_they_come(colour_run):
    """After the first full window, then every stride; each window as the same frames of a video are, and of
    the last three the mean."""
    frames = [frame(number, 48, 64) for number in range(31)]
    network = rgbd_jax.load(colour_run)
    windows = [np.stack(frames[end - 12 : end]) for end in (12, 18, 24, 30)]
    expected = [network.predict(window).probabilities for window in windows]
    found = list(network.stream(iter(frames), window=12, stride=6, smoothing=3))
    assert len(found) == 4
    for place, prediction in enumerate(found):
        mean = np.mean(expected[max(place - 2, 0) : place + 1], axis=0)
        np.testing.assert_allclose(prediction.probabilities, mean, atol=1e-5)


def test_frames_of_a_camera_keep_their_size(colour_run):
    frames = [np.zeros((48, 64, 3), np.uint8), np.zeros((64, 48, 3), np.uint8)]
    with pytest.raises(
        UserError, match=r"frame 2: has the shape \(64, 48, 3\); those before have \(48, 64, 3\)"
    ):
        next(rgbd_jax.load(colour_run).stream(frames))


@pytest.mark.parametrize(
    ("shape", "number", "message"),
    [
        (
            (48, 64),
            {},
            "the array of rgb: found uint8 (1, 48, 64); uint8 (frames, height, width, 3) is needed",
        ),
        ((48, 64, 3), {"smoothing": 2}, "smoothing=2: an odd number of windows is needed, 1 for none"),
        ((48, 64, 3), {"smoothing": -1}, "smoothing=-1: an odd number of windows is needed, 1 for none"),
        ((48, 64, 3), {"fps": 0}, "fps=0: frames a second are needed, more than 0"),
    ],
)
def test_what_a_stream_cannot_be_is_refused(colour_run, shape, number, message):
    with pytest.raises(UserError) as caught:
        next(rgbd_jax.load(colour_run).stream([np.zeros(shape, np.uint8)], **number))
    assert str(caught.value) == message


def test_a_camera_is_watched_at_its_rate(colour_run, monkeypatch, capsys):
    """Of two seconds of 6 frames each, and every second."""
    monkeypatch.setattr(camera, "camera_frames", lambda index: (frame(n, 48, 64) for n in range(25)))
    lines = run(capsys, f"--checkpoint={colour_run}", "--camera=0", "--fps=6").splitlines()
    assert len(lines) == 3 and all(line.endswith(" %") for line in lines)


def test_the_command_as_a_person_runs_it(skeleton_run, clips, tmp_path):
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "1"}
    command = [sys.executable, "-m", "rgbd_jax.predict", f"--checkpoint={skeleton_run}"]
    pipes = dict(env=environment, capture_output=True, text=True)
    ended = subprocess.run([*command, *clips], **pipes)
    assert ended.returncode == 0 and ended.stderr == ""
    assert ended.stdout.count("frames, ") == 2
    ended = subprocess.run([*command, "nothing.npz"], **pipes)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "error: nothing.npz: there is no such file or folder\n"


def test_importing_the_package_brings_no_jax():
    code = (
        "import rgbd_jax, sys; assert 'jax' not in sys.modules and 'numpy' not in sys.modules; rgbd_jax.load"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# ---------------------------------------------------------------------- mistakes


def mistakes(tmp_path, skeleton_run, colour_run, clips):
    """Command lines with a mistake, and what must be said of it."""
    with wave.open(str(tmp_path / "sound.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(16000))
    (tmp_path / "empty.avi").touch()
    np.savez(tmp_path / "coco.npz", joints=np.ones((4, 17, 3)))
    (tmp_path / "folder").mkdir()
    write_video(tmp_path / "in.avi", 3)
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "in.mp4").touch()
    os.symlink(tmp_path / "in.avi", tmp_path / "same.avi")
    older = tmp_path / "older"
    (older / "checkpoints").mkdir(parents=True)
    copied = older / "checkpoints" / "1"
    subprocess.run(["cp", "-r", str(skeleton_run / "checkpoints" / "1"), str(copied)], check=True)
    metadata = copied / "_CHECKPOINT_METADATA"
    metadata.write_text(re.sub(r'"format": ?2', '"format": 0', metadata.read_text()))
    (copied / "checksums.json").unlink()
    joints, colour = f"--checkpoint={skeleton_run}", f"--checkpoint={colour_run}"
    return [
        ([clips[0]], "--checkpoint is missing: give a run"),
        ([joints], "one of INPUT and --camera is needed"),
        ([joints, clips[0], "--camera=0"], "one of INPUT and --camera is needed"),
        ([f"--checkpoint={tmp_path / 'none'}", clips[0]], "none: there is no such folder; give a run or one"),
        ([f"--checkpoint={tmp_path / 'folder'}", clips[0]], "folder: holds no complete checkpoint"),
        ([f"--checkpoint={older}", clips[0]], "is of format 0; this version reads format 2"),
        ([joints, tmp_path / "gone.npz"], "gone.npz: there is no such file or folder"),
        ([joints, tmp_path / "coco.npz"], "coco.npz: found 17 joints; the network reads the 25 of ntu25"),
        ([joints, tmp_path / "empty.avi"], "empty.avi: is no file of joints; the network reads .skeleton"),
        ([colour, tmp_path / "empty.avi"], "empty.avi: cannot be opened as a video"),
        ([colour, tmp_path / "sound.wav"], "sound.wav: cannot be opened as a video"),
        ([colour, tmp_path / "folder"], "folder: found none; numbered image files"),
        ([colour, clips[0]], "is a file of joints; the network reads rgb video"),
        ([joints, clips[0], "--top=0"], "--top=0: must be 1 or more"),
        ([joints, clips[0], "--fps=0"], "fps=0.0: frames a second are needed, more than 0"),
        ([joints, clips[0], "--window=0"], "window=0: a number of frames is needed, 1 or more"),
        ([joints, clips[0], "--stride=-1"], "stride=-1: a number of frames is needed, 1 or more"),
        ([joints, clips[0], "--smoothing=2"], "smoothing=2: an odd number of windows is needed, 1 for none"),
        ([joints, *clips, "--render=out.mp4"], "--render=out.mp4: one INPUT and a name that ends in .mp4"),
        ([joints, clips[0], "--render=out.gif"], "--render=out.gif: one INPUT and a name that ends in .mp4"),
        ([joints, clips[0], f"--output={clips[0]}"], f".npz: is the input {clips[0]}; give another name"),
        ([colour, "same.avi:0:2", "--output=in.avi"], "--output=in.avi: is the input same.avi; give another"),
        (
            [colour, "frames/in.mp4", "--render=frames/in.mp4"],
            "in.mp4: is the input frames/in.mp4; give another",
        ),
        (
            [colour, "in.avi,frames", "--output=frames/found"],
            "--output=frames/found: lies in the input frames",
        ),
        ([joints, clips[0], "--output=a.mp4", "--render=./a.mp4"], "--render=a.mp4: is what --output names"),
        ([joints, clips[0], "--output=."], "argument --output: '.' is a folder; the name of a file is"),
        ([joints, clips[0], "--output=new/"], "argument --output: 'new/' is a folder; the name of a file is"),
        ([joints, clips[0], "--render="], "argument --render: '' is a folder; the name of a file is needed"),
        ([joints, 300 * "a"], "aaa: there is no such file or folder"),
        ([joints, clips[0], "--format=xml"], "argument --format: invalid choice"),
        ([colour, "--camera=0", "--timeline"], "--timeline: is for recordings; found --camera=0"),
        ([colour, "--camera=0", "--top=5"], "--top: is for recordings; found --camera=0"),
        ([colour, "--camera=0", "--output=a.csv"], "--output: is for recordings; found --camera=0"),
        ([colour, "--camera=-1"], "--camera=-1: must be 0 or more"),
        ([joints, "--camera=0"], "a camera: gives colour alone, which this network does not read"),
        ([colour, "--camera=99"], "--camera=99: OpenCV finds no such camera"),
    ]


def test_mistakes_are_named(tmp_path, skeleton_run, colour_run, clips, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments, message in mistakes(tmp_path, skeleton_run, colour_run, clips):
        with pytest.raises(UserError) as caught:
            main(list(map(str, arguments)))
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("*.mp4"))

"""Networks as files that JAX alone runs: what is in them, and what is refused."""

import dataclasses
import functools
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import pytest
from grain import MapDataset

from rgbd_jax import export
from rgbd_jax.config import load_file, override
from rgbd_jax.data.random_clips import configured_shape, random_batch
from rgbd_jax.data.sampling import sample_frames
from rgbd_jax.errors import OutsideError, UserError
from rgbd_jax.experiment import Experiment
from rgbd_jax.stablehlo import read_archive
from rgbd_jax.training.checkpoint import Checkpoints, Description
from rgbd_jax.training.sharding import make_mesh

PAGE = Path(__file__).parents[1] / "docs" / "export.md"
CASES = {
    "ctrgcn": ["configs/gap/ntu60_xsub.py:joint,plain,debug", "--config.task.window=16"],
    "gap": ["configs/gap/nw_ucla.py:bone,debug", "--config.task.window=16"],
    "four streams gap": ["configs/gap/nw_ucla.py:all,debug", "--config.task.window=16"],
    "bfloat16 ctrgcn": [
        "configs/gap/ntu60_xsub.py:joint,plain,debug",
        "--config.task.window=16",
        "--config.dtype=bfloat16",
    ],
    "depth": ["configs/rgbd/ntu_cs.py:depth,debug"],
    # What the trunks have besides is in the file of depth.
    "fusion": [
        "configs/rgbd/ntu_cs.py:fusion,debug",
        "--config.model.recoupling=False",
        "--config.task.rank_pooling=0",
    ],
    "whole ctrgcn": ["configs/gap/ntu60_xsub.py:joint,plain"],
    "whole depth": ["configs/rgbd/ntu_cs.py:depth"],
    "whole fusion": ["configs/rgbd/ntu_cs.py:fusion"],
}
QUICK = ("ctrgcn", "gap", "depth")
NAMES = [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in CASES]
# Frames and joints of other sizes than the published, for which the files are made.
OPTIONS = {
    "ctrgcn": ["--max_frames=20"],
    "gap": ["--max_frames=24"],
    "four streams gap": ["--max_frames=24"],
    "bfloat16 ctrgcn": ["--max_frames=20"],
    "depth": ["--frame_size=64x48"],
    "fusion": ["--frame_size=40x36,64x48"],
    "whole ctrgcn": [],
    "whole depth": [],
    "whole fusion": ["--frame_size=640x480"],
}
INPUTS = {
    "ctrgcn": {"joints": ("float32", ["b", 20, 2, 25, 3]), "num_frames": ("int32", ["b"])},
    "gap": {"joints": ("float32", ["b", 24, 1, 20, 3]), "num_frames": ("int32", ["b"])},
    "four streams gap": {"joints": ("float32", ["b", 24, 1, 20, 3]), "num_frames": ("int32", ["b"])},
    "bfloat16 ctrgcn": {"joints": ("float32", ["b", 20, 2, 25, 3]), "num_frames": ("int32", ["b"])},
    "depth": {"depth": ("uint16", ["b", 8, 48, 64, 1])},
    "fusion": {"rgb": ("uint8", ["b", 8, 36, 40, 3]), "depth": ("uint16", ["b", 8, 48, 64, 1])},
    "whole ctrgcn": {"joints": ("float32", ["b", 300, 2, 25, 3]), "num_frames": ("int32", ["b"])},
    "whole depth": {"depth": ("uint16", ["b", 64, 240, 320, 1])},
    "whole fusion": {"rgb": ("uint8", ["b", 64, 480, 640, 3]), "depth": ("uint16", ["b", 64, 480, 640, 1])},
}
CLASSES = [f"action {number}" for number in range(7)]


def checkpoint_of(name, folder):
    """A checkpoint of a small network whose statistics are not those that it begins with."""
    file, *overrides = CASES[name]
    config = override(load_file(file), overrides)
    shape = configured_shape(config.data)
    shape = dataclasses.replace(shape, num_classes=len(CLASSES))
    state = Experiment.build(config, shape, 2, make_mesh(jax.devices()[:1])).initial_state()
    draw = np.random.default_rng(3)
    # Means that are moved would let no signal through so many rectifiers.
    moved = jax.tree.map(
        lambda leaf: leaf * draw.uniform(0.1, 1, leaf.shape).astype(np.float32), state.batch_stats
    )
    loader = iter(MapDataset.range(10).repeat().to_iter_dataset())
    with Checkpoints(folder / "checkpoints") as checkpoints:
        description = Description(config.to_dict(), tuple(CLASSES), {}, 4, 1)
        checkpoints.save(state.replace(batch_stats=moved), loader.get_state(), description)
    return folder


class File(NamedTuple):
    """A file, what the command printed, and what it measured: differences and gaps of ten clips or more; and
    the network's logits of the first eight."""

    path: Path
    printed: str
    errors: np.ndarray
    gaps: np.ndarray
    logits: np.ndarray


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Makes the file of a case, once."""

    @functools.cache
    def make(name):
        folder, measured, printed, logits = tmp_path_factory.mktemp("export"), [], [], []
        live_network = export.live_network
        run, out = checkpoint_of(name, folder / "run"), folder / "files" / "network.zip"
        telling = export.telling

        def remember(out, errors, gaps, dtype):
            measured.append((errors, gaps))
            return telling(out, errors, gaps, dtype)

        def listened(*args):
            live = live_network(*args)

            def run(batch):
                found = live(batch)
                logits.append(found[0])
                return found

            return run

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(export, "telling", remember)
            patch.setattr(export, "live_network", listened)
            patch.setattr("builtins.print", printed.append)
            absent = f"--config.data.data_dir={folder / 'absent'}"
            export.main([f"--checkpoint={run}", str(out), absent, *OPTIONS[name]])
        return File(out, *printed, *map(np.concatenate, zip(*measured, strict=True)), logits[0])

    return make


@pytest.mark.parametrize("name", NAMES)
def test_the_file_equals_the_network(name, exported):
    """Eight clips in one batch and two alone. In the small networks no clip is near a tie; in the whole ones,
    which compare thousands of keys for each, all may be, and ten agree nevertheless."""
    file = exported(name)
    allowed = 2**-6 if "bfloat16" in name else 1e-5  # bfloat16 has eight bits, see `export.TOLERANCE`
    is_clear = file.gaps > 1e-5
    assert "whole" in name or (is_clear.all() and len(is_clear) == 10)
    assert (file.errors[is_clear] <= allowed).all() and (file.errors <= allowed).sum() >= 10
    # The clips are told apart.
    assert np.ptp(file.logits, axis=0).max() > 1e-4 * np.abs(file.logits).max()
    assert np.isinf(file.gaps).all() == (name.endswith(("ctrgcn", "gap")))
    assert re.search(
        r"^\S+network.zip: takes .* on 1\d random clips differ by \S+ of the largest$", file.printed
    )
    assert [path.name for path in file.path.parent.iterdir()] == ["network.zip"]

    with zipfile.ZipFile(file.path) as archive:
        assert archive.testzip() is None
        description = json.loads(archive.read("description.json"))
    assert description["class_names"] == CLASSES and description["checkpoint_step"] == 4
    found = {key: (array["dtype"], array["shape"]) for key, array in description["inputs"].items()}
    assert found == INPUTS[name]
    assert description["output"]["shape"] == ["b", 7] and description["output"]["dtype"] == "float32"


def test_the_example_runs_the_file_where_this_program_is_absent(exported, tmp_path):
    file = exported("ctrgcn").path
    example, *_ = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    (tmp_path / "recognise.py").write_text(example)
    program, description = read_archive(file)
    shape = configured_shape(override(load_file(CASES["ctrgcn"][0]), []).data)
    batch = random_batch(dataclasses.replace(shape, max_frames=20), 8)
    clips = {name: batch[name] for name in description["inputs"]}
    np.savez(tmp_path / "clips.npz", **clips)
    without = "import runpy, sys; sys.modules['rgbd_jax'] = None; del sys.argv[0]"
    code = f"{without}; runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, "-c", code, "recognise.py", str(file), "clips.npz"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    probabilities = np.asarray(jax.nn.softmax(program(clips)))
    lines = [f"{CLASSES[row.argmax()]}: {row.max():.3f}" for row in probabilities]
    assert done.stdout.splitlines() == lines


def test_the_frames_of_the_page_are_those_of_evaluation():
    _, code = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    names = {}
    exec(code, names)
    for available in (1, 5, 63, 64, 65, 200):
        np.testing.assert_array_equal(names["sampled_frames"](available, 64), sample_frames(available, 64))


def test_a_file_that_differs_is_not_written(tmp_path):
    near, far = 1e-6, 1.0
    for errors, gaps, dtype, told in (
        ([0, 9e-6], [far, near], "float32", [0, 9e-6]),
        ([1e-6, 1e-3], [far, near], "float32", [1e-6]),  # another key was shown
        ([1e-2, 1e-3], [far, far], "bfloat16", [1e-2, 1e-3]),
    ):
        assert export.telling(tmp_path, np.array(errors), np.array(gaps), dtype).tolist() == told
    for errors, gaps in (([0, 2e-5], [far, far]), ([0, np.nan], [far, far]), ([0, np.nan], [far, near])):
        with pytest.raises(OutsideError, match="was not written: read back, it gives logits that differ"):
            export.telling(tmp_path, np.array(errors), np.array(gaps), "float32")


@pytest.mark.parametrize("num_ties, compared", [(0, 10), (4, 12), (7, 0)])
def test_clips_are_drawn_until_ten_are_compared(num_ties, compared, monkeypatch, tmp_path):
    """Where too many are near a tie, the file is as good as not compared."""
    is_tie = np.arange(10) < num_ties
    found = np.where(is_tie, 1e-2, 1e-7), np.where(is_tie, 1e-7, 1.0)
    monkeypatch.setattr(export, "differences", lambda *_: found)
    shape = configured_shape(override(load_file(CASES["ctrgcn"][0]), []).data)
    if compared:
        assert len(export.verify(tmp_path, None, None, shape, (), "float32")) == compared
    else:
        with pytest.raises(OutsideError, match="the network's logits of 9 out of 30 random clips"):
            export.verify(tmp_path, None, None, shape, (), "float32")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["network.bin"], "network.bin: the name of the file to write must end in .zip"),
        (["folder.zip"], "folder.zip: is a folder; name the file to write"),
        (["a.zip", "--frame_size=320"], "argument --frame_size: '320': sizes are such as 320x240"),
        (["a.zip", "--frame_size=0x240"], "argument --frame_size: '0x240': sizes are such as"),
        (["a.zip", "--max_frames=-3"], "--max_frames=-3: must be 1 or more"),
        (["a.zip", "--frame_size=320x240"], "--frame_size: is of video; the clips of ntu60 are skeletons"),
        (["a.zip", "--config.task.window=5"], "config.task.window=5: allowed is a multiple of 4"),
        (["a.zip", "--config.data.name=custom"], "data set 'custom': is not prepared and its shape is not"),
    ],
)
def test_mistakes_are_named_before_anything_is_computed(
    arguments, message, tmp_path, checkpoint, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.zip").mkdir()
    with pytest.raises(UserError, match=f"^{re.escape(message)}"):
        export.main([f"--checkpoint={checkpoint}", *arguments])
    assert [path.name for path in tmp_path.iterdir()] == ["folder.zip"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return checkpoint_of("ctrgcn", tmp_path_factory.mktemp("run"))

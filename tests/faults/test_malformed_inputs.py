"""Whatever a command is given: status 2, one line that says what is wrong with it, and nothing is written."""

import functools
import hashlib
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from data.video_files import write_list, write_video
from faults.malformed import checkpoints, configs, recordings, scores, sources, weights
from faults.malformed.case import CASES, Given, archive_of
from untrained_run import save_untrained

from rgbd_jax import predictor
from rgbd_jax.command import run_command
from rgbd_jax.config import load_file, override
from rgbd_jax.data.builders import synthetic
from rgbd_jax.data.builders.custom import Custom
from rgbd_jax.data.loader import open_split

CONFIGS = Path(__file__).parents[2] / "configs"
AREAS = (checkpoints, configs, recordings, scores, sources, weights)


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """What all cases may use. Each network is built by one of them for all."""
    folder = tmp_path_factory.mktemp("given")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(predictor, "Predictor", functools.cache(predictor.Predictor))
        patch.setattr(synthetic, "CLIPS_PER_ACTION", {"train": 2, "test": 1})
        open_split("synthetic", folder / "data", "test")
        source = folder / "source"
        write_list(source / "classes.txt", ["wave", "sit"])
        for split in ("train", "test"):
            write_list(source / "dataset_splits" / f"{split}.txt", ["a all 0", "b all 1"])
        for name in "ab":
            write_video(source / "rgb" / f"{name}.avi", 12, height=48, width=64)
        Custom(data_dir=folder / "data", source=source).prepare()

        def run(name, config, *overrides):
            overrides = [
                f"--config.data.data_dir={folder / 'data'}",
                "--config.eval_batch_size=8",
                *overrides,
            ]
            return save_untrained(folder / name, override(load_file(str(CONFIGS / config)), overrides))

        joints = run("joints", "demo.py:debug", "--config.model.name=baseline_gcn")
        colour = run("colour", "demo_rgbd.py:rgb,debug", "--config.data.name=custom")
        yield Given(
            CONFIGS, folder / "data", joints, colour, archive_of(folder / "scores.npz", **scores.WHOLE)
        )


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The case's own, and the current one: what is written to a relative path is seen."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(*folders):
    """All files with a checksum, all folders and links, but what Python keeps of configs that it read."""
    found = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if "__pycache__" in path.parts:
                continue
            if path.is_symlink():
                found[path] = os.readlink(path)
            else:
                found[path] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
    return found


def check_refused(says, status, messages):
    """The status of a user's mistake, and one line about it, after whatever was said before."""
    assert "Traceback" not in messages
    assert status == 2, messages
    errors = [line for line in messages.splitlines() if line.startswith("error:")]
    assert errors == messages.splitlines()[-1:]
    assert re.search(says, errors[0]), errors[0]


PARAMETERS = [
    pytest.param(case, id=case.name, marks=[pytest.mark.slow] if case.slow else []) for case in CASES
]


@pytest.mark.parametrize("case", PARAMETERS)
def test_it_is_refused_in_one_line_and_nothing_is_written(case, given, folder, monkeypatch, capfd):
    arguments = [str(argument) for argument in case.make(folder, given)]
    before = contents(folder, given.data.parent)
    monkeypatch.setattr(sys, "argv", [case.command, *arguments])
    with pytest.raises(SystemExit) as left:
        run_command(importlib.import_module(f"rgbd_jax.{case.command}").main)
    check_refused(case.says, left.value.code, capfd.readouterr().err)
    assert contents(folder, given.data.parent) == before


CHOSEN = ["a_pickle_that_runs_a_program", "folders_that_link_to_one_another", "a_header_without_a_bottom"]
MORE = [
    "an_archive_that_says_it_is_huge",
    "a_stored_config_without_a_bottom",
    "a_description_without_a_bottom",
    "an_export_of_fewer_than_no_frames",
    "prompts_of_endless_width",
    "no_steps",
]


@pytest.mark.parametrize("name", CHOSEN + [pytest.param(name, marks=pytest.mark.slow) for name in MORE])
def test_so_it_is_by_a_process_of_its_own(name, given, folder):
    (case,) = (case for case in CASES if case.make.__name__ == name)
    arguments = [str(argument) for argument in case.make(folder, given)]
    before = contents(folder)
    ended = subprocess.run(
        [sys.executable, "-m", f"rgbd_jax.{case.command}", *arguments],
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "1", "PYTHONPATH": str(CONFIGS.parent)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    check_refused(case.says, ended.returncode, ended.stderr)
    assert contents(folder) == before


def test_a_name_that_the_terminal_has_no_letters_for_is_printed_all_the_same(folder):
    archive_of(folder / "köln.npz", **scores.WHOLE)
    ended = subprocess.run(
        [sys.executable, "-m", "rgbd_jax.ensemble", "köln.npz"],
        env=os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONPATH": str(CONFIGS.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("k\\xf6ln.npz: top-1 ")


def test_there_are_cases_of_all_commands_that_read_files():
    commands = {case.command for case in CASES}
    assert commands == {"main", "prepare", "predict", "ensemble", "convert", "export", "bench", "embed"}
    assert all(any(case.make.__module__ == area.__name__ for case in CASES) for area in AREAS)

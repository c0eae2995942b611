"""The command `rgbd_jax.main` as a person runs it: real processes, exit statuses, standard error."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import jax
import numpy as np
import pytest
from run_folder import EVALUATION, rows

from rgbd_jax.errors import UserError
from rgbd_jax.main import main
from rgbd_jax.provenance import read_sessions
from rgbd_jax.report.choice import telling_samples
from rgbd_jax.report.scores import read_scores


@pytest.fixture(scope="module")
def small(synthetic_data):
    """The demo with a network that compiles soon: three epochs of four steps, a checkpoint after each."""
    return [
        "--config=configs/demo.py:debug",
        "--config.model.name=baseline_gcn",
        "--config.batch_size=8",
        "--config.eval_batch_size=8",
        "--config.data.limit=32",
        f"--config.data.data_dir={synthetic_data}",
        "--config.num_epochs=3",
        "--config.checkpoint_every=1",
    ]


@pytest.fixture(scope="module")
def start(small):
    """Starts training in a process of its own, on one CPU device."""
    environment = os.environ | {"JAX_NUM_CPU_DEVICES": "1"}

    def start(*arguments):
        command = [sys.executable, "-m", "rgbd_jax.main", *small, *arguments]
        pipes = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return subprocess.Popen(command, env=environment, **pipes)

    return start


@pytest.fixture(scope="module")
def finished_run(start, tmp_path_factory):
    """An undisturbed run."""
    workdir = tmp_path_factory.mktemp("runs") / "straight"
    process = start(f"--workdir={workdir}")
    _, messages = process.communicate(timeout=300)
    assert process.returncode == 0, messages
    return workdir


def wait_for_step(workdir, process, step):
    """Wait until a checkpoint of this or a later step is complete."""
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[1]
        folder = workdir / "checkpoints"
        done = [int(path.name) for path in folder.iterdir() if path.name.isdigit()] if folder.is_dir() else []
        if done and max(done) >= step:
            return
        time.sleep(0.01)
    raise AssertionError(f"no checkpoint of step {step} appeared")


# ---------------------------------------------------------------------- interrupted and gone on with


@pytest.mark.parametrize("stop, status", [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, 143)])
def test_a_stopped_run_goes_on_as_if_nothing_had_happened(start, finished_run, tmp_path, stop, status):
    process = start(f"--workdir={tmp_path / 'run'}")
    wait_for_step(tmp_path / "run", process, 5)  # in the middle of the second epoch
    process.send_signal(stop)
    _, messages = process.communicate(timeout=120)
    assert process.returncode == status, messages
    if stop == signal.SIGTERM:
        assert "saved" in messages.splitlines()[-1]
    assert len(rows(tmp_path / "run")) < len(rows(finished_run))

    process = start(f"--workdir={tmp_path / 'run'}")
    _, messages = process.communicate(timeout=300)
    assert process.returncode == 0, messages
    assert rows(tmp_path / "run") == rows(finished_run)


# ---------------------------------------------------------------------- evaluation


def test_evaluation_gives_what_the_training_run_logged(finished_run, tmp_path, capsys):
    run = tmp_path / "elsewhere"
    shutil.copytree(finished_run, run)
    (run / "eval" / "pictures").mkdir(parents=True)  # of an earlier evaluation
    # The checkpoint's path is all it takes; that there are eight devices here must not change a sample.
    main(["--mode=eval", f"--checkpoint={run}"])
    metrics = json.loads((run / "eval" / "metrics.json").read_text())
    logged = [row for row in rows(run) if row["split"] == "valid"][-1]
    assert metrics["checkpoint_step"] == logged["step"] == 12
    assert (metrics["top1"], metrics["count"]) == (logged["top1"], logged["count"])
    np.testing.assert_allclose(metrics["loss"], logged["loss"], rtol=1e-5)
    assert {path.name for path in (run / "eval").iterdir()} == EVALUATION
    assert "of 32 samples" in capsys.readouterr().out


def test_the_first_samples_are_drawn(finished_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    main(["--mode=eval", f"--workdir={run}", "--config.visualize=2"])
    ids = np.load(run / "eval" / "scores.npz")["ids"]
    folder = run / "eval" / "pictures"
    assert {str(path.relative_to(folder)) for path in folder.rglob("*.png")} == {
        "curves.png",
        "accuracy_precision.png",
        *(
            f"{number:03d}_{name}/{what}.png"
            for number, name in enumerate(ids[:2], start=1)
            for what in ("skeleton", "joint_activation")
        ),
    }


def test_the_report_is_written_with_telling_samples_and_removed_without(finished_run, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    changes = ["--config.visualize=2", "--config.seed=77"]
    main(["--mode=eval", f"--workdir={run}", "--report", *changes])
    path = run / "eval" / "report.html"
    assert f"report: {path}\n" in capsys.readouterr().out
    page = path.read_text()
    scores = read_scores(run / "eval" / "scores.npz")
    chosen = scores.ids[telling_samples(scores, 2)]
    folders = {folder.name for folder in (run / "eval" / "pictures").iterdir() if folder.is_dir()}
    assert folders == {f"{number:03d}_{name}" for number, name in enumerate(chosen, start=1)}
    assert page.count("<img ") == 4 and all(f"<summary><code>{name}</code>" in page for name in chosen)
    # From metrics.jsonl, sessions.jsonl and the checkpoint.
    assert "validation ends at" in page and "step 12, epoch 3 of 3" in page
    assert "<dt>seed</dt><dd>1</dd>" in page
    assert "<code>seed</code></td><td><code>1</code></td><td><code>77</code>" in page
    assert "was not recorded" not in page and page.count(f"jax {jax.__version__}") == 2
    main(["--mode=eval", f"--workdir={run}"])
    assert not path.exists() and not (run / "eval" / "pictures").exists()


def test_a_broken_log_is_named_before_anything_is_replaced(finished_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    (run / "eval").mkdir()
    (run / "eval" / "metrics.json").write_text("of an earlier evaluation")
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 13}\n')
    with pytest.raises(UserError, match=r"metrics\.jsonl, line \d+: is no row of a run's log"):
        main(["--mode=eval", f"--workdir={run}", "--report"])
    assert [path.name for path in (run / "eval").iterdir()] == ["metrics.json"]


def test_each_session_of_a_run_is_noted(finished_run):
    (session,) = read_sessions(finished_run)
    assert (session["step"], session["device"]) == (0, "1 x cpu")


def test_evaluation_of_one_checkpoint_writes_to_its_run(finished_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    step = max((path.name for path in (run / "checkpoints").iterdir()), key=int)
    main(
        [
            "--mode=eval",
            f"--checkpoint={run / 'checkpoints' / step}",
            "--config.eval_batch_size=8",
            "--split=train",
        ]
    )
    assert json.loads((run / "eval" / "metrics.json").read_text())["count"] == 32


# ---------------------------------------------------------------------- what lies outside


def test_a_disk_that_takes_no_more_ends_with_status_3(finished_run, tmp_path):
    """No file may grow past a kilobyte, as if the disk were full."""
    run = tmp_path / "run"
    shutil.copytree(finished_run, run)
    ended = subprocess.run(
        ["bash", "-c", 'ulimit -f 1; exec "$@"', "bash"]
        + [sys.executable, "-m", "rgbd_jax.main", "--mode=eval", f"--workdir={run}"],
        env=os.environ | {"JAX_NUM_CPU_DEVICES": "1", "JAX_ENABLE_COMPILATION_CACHE": "0"},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 3
    assert ended.stderr.splitlines()[-1] == (
        f"error: {run / 'eval' / 'scores.npz'}: cannot be written (File too large); nothing was replaced"
    )
    assert "Traceback" not in ended.stderr and list((run / "eval").iterdir()) == []


# ---------------------------------------------------------------------- mistakes


def mistakes(small, finished_run, tmp_path):
    """Command lines with a mistake, and what must be said of it."""
    empty, new = tmp_path / "empty", f"--workdir={tmp_path / 'new'}"
    return [
        ([*small, new, "--config.typo=1"], "--config.typo: config has no key 'typo'"),
        ([*small, new, "--config.seed=many"], "--config.seed=many: the value must be of type int"),
        ([*small, new, "--config.task.stream=bones"], "config.task.stream='bones': allowed are joint"),
        ([*small, new, "--config.data.eval_split=dev"], "has no split 'dev'"),
        ([*small, new, "--config.batch_size=64"], "batch_size=64 is more than one epoch"),
        ([*small, new, "--fast"], "unrecognized arguments: --fast"),
        ([*small], "--workdir is missing"),
        ([*small, f"--workdir={finished_run}", "--config.seed=9"], "another experiment (seed: 1 -> 9)"),
        ([new], "--config is missing"),
        (["--config=configs/x.py", new], "there is no config file configs/x.py"),
        (["--config=configs/demo.py:fast", new], "variant 'fast': allowed is debug"),
        (
            ["--config=configs/gap/nw_ucla.py:joint,plain", new, f"--config.data.data_dir={empty}"],
            "nw_ucla is not prepared there; run python -m rgbd_jax.prepare nw_ucla",
        ),
        (["--mode=test"], "argument --mode: invalid choice"),
        (["--mode=eval"], "needs one of --workdir and --checkpoint"),
        (["--mode=eval", f"--checkpoint={tmp_path / 'nowhere'}"], "nowhere: there is no such folder"),
        (["--mode=eval", f"--checkpoint={empty}"], "empty: holds no complete checkpoint"),
        (
            ["--mode=eval", f"--checkpoint={finished_run}", "--config.model.base_width=16"],
            "is a checkpoint of another network",
        ),
    ]


def test_mistakes_are_named_and_nothing_is_written(small, finished_run, tmp_path):
    (tmp_path / "empty").mkdir()
    before = sorted(finished_run.rglob("*"))
    for arguments, message in mistakes(small, finished_run, tmp_path):
        with pytest.raises(UserError) as caught:
            main(arguments)
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)
        assert [path.name for path in tmp_path.iterdir()] == ["empty"], message
        assert not list((tmp_path / "empty").iterdir()), message
    assert sorted(finished_run.rglob("*")) == before


@pytest.mark.parametrize("argument", ["--checkpoint=runs/a", "--which=best", "--split=test", "--report"])
def test_who_forgets_mode_eval_does_not_train(tmp_path, argument):
    with pytest.raises(UserError, match=f"{argument}: allowed only with --mode=eval"):
        main(["--config=configs/demo.py", f"--workdir={tmp_path / 'run'}", argument])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("below", ["", "run", "runs/run"])
def test_a_run_cannot_lie_in_a_file(tmp_path, below):
    file = tmp_path / "notes.txt"
    file.write_text("mine")
    with pytest.raises(UserError, match=r"notes.txt is a file; give a folder"):
        main(["--config=configs/demo.py", f"--workdir={file / below}"])
    assert file.read_text() == "mine"


def test_a_mistake_ends_with_status_2_and_one_line(start, tmp_path):
    process = start(f"--workdir={tmp_path / 'run'}", "--config.optimizer.nam=adam")
    output, messages = process.communicate(timeout=60)
    assert process.returncode == 2
    assert output == ""
    assert messages.splitlines() == [
        "error: --config.optimizer.nam: config.optimizer has no key 'nam'; "
        "its keys are clip_norm, momentum, name, nesterov, weight_decay"
    ]
    assert not (tmp_path / "run").exists()

"""What a run says about how it was made."""

import json
import subprocess

import jax
import pytest

from rgbd_jax import provenance
from rgbd_jax.errors import OutsideError, UserError
from rgbd_jax.provenance import commit_of, read_sessions, record_session, surroundings


def test_sessions_are_added_one_by_one(tmp_path):
    assert read_sessions(tmp_path) == []
    record_session(tmp_path, 0)
    record_session(tmp_path, 120)
    first, second = read_sessions(tmp_path)
    assert (first["step"], second["step"]) == (0, 120)
    assert first["device"] == f"{jax.device_count()} x cpu"
    assert first["versions"]["jax"] == jax.__version__
    assert first.keys() - {"step"} == surroundings().keys()


def test_a_torn_last_line_is_passed_over_then_cut_and_another_is_named(tmp_path):
    record_session(tmp_path, 0)
    path = tmp_path / "sessions.jsonl"
    path.write_text(path.read_text() + '{"step": 5, "star')
    assert len(read_sessions(tmp_path)) == 1
    record_session(tmp_path, 7)
    assert [session["step"] for session in read_sessions(tmp_path)] == [0, 7]
    path.write_text('{"step": 5}\n')
    with pytest.raises(UserError, match=r"sessions\.jsonl, line 1: is no session of a run"):
        read_sessions(tmp_path)


def test_a_folder_that_is_none_is_trouble_from_outside(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(OutsideError, match=r"sessions\.jsonl: cannot be written"):
        record_session(tmp_path / "run", 0)


def git(folder, *arguments):
    identity = ["-c", "user.name=me", "-c", "user.email=me@example.org"]
    command = ["git", "-C", folder, *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_is_that_of_the_checkout_and_changes_are_said(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    assert commit_of(package) == ""
    (package / "__init__.py").write_text("")
    git(tmp_path, "init", "-q")
    assert commit_of(package) == ""  # in a checkout, but not of it: an environment inside another's folder
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "Begin")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert commit_of(package) == commit
    (package / "__init__.py").write_text("x = 1\n")
    assert commit_of(package) == f"{commit} with changes"


def test_without_git_the_commit_is_not_known(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert commit_of(provenance.Path(provenance.__file__).parent) == ""
    assert json.dumps(surroundings())

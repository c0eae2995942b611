"""What is kept of clips that are left out, over the steps of a run and when it is resumed."""

import json

import pytest

from rgbd_jax.data.clip_errors import ClipErrors
from rgbd_jax.errors import UserError
from rgbd_jax.evaluate import share_faults
from rgbd_jax.training import together


def errors_of(path, split="train"):
    return ClipErrors("skip", path, split)


def test_a_resumed_run_counts_as_at_the_same_step_before(tmp_path):
    path = tmp_path / "data_errors.jsonl"
    undisturbed, counts = errors_of(path), []
    for step, clip in ((2, "a"), (5, "b"), (5, "a"), (9, "c")):
        undisturbed.step = step
        undisturbed.report(clip, f"{clip} is gone", of=10)
        counts.append(undisturbed.count())
    assert counts == [1, 2, 2, 3]
    resumed = errors_of(path)
    for step, count in ((2, 1), (4, 1), (5, 2), (8, 2), (9, 3)):
        resumed.step = step
        assert resumed.count() == count
    assert resumed.ids == ("a", "b", "c")
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [2, 5, 9]


def test_what_another_process_has_met_is_of_the_step_at_which_it_met_it(tmp_path, monkeypatch):
    path = tmp_path / "data_errors.jsonl"
    first, other = errors_of(path), ClipErrors("skip", path, "train", writes=False)
    other.step = 7
    other.report("b", "it is gone", of=10)
    first.step = 10  # where a checkpoint is saved
    of_all = [[], [json.dumps(fault) for fault in other.news()]]
    monkeypatch.setattr(together, "text_of_all", lambda texts: of_all)
    share_faults(first, 10)
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"split": "train", "id": "b", "reason": "it is gone", "step": 7}
    ]


def test_a_line_that_a_killed_run_left_without_end_gives_way(tmp_path):
    path = tmp_path / "data_errors.jsonl"
    errors_of(path).report("a", "it is gone", of=10)
    whole = path.read_text()
    path.write_text(whole + '{"split": "train", "id": "b", "rea')
    resumed = errors_of(path)
    assert resumed.ids == ("a",)
    assert path.read_text() != whole, "nothing is written before there is something to say"
    resumed.report("c", "it is gone", of=10)
    assert path.read_text().startswith(whole)
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == ["a", "c"]


@pytest.mark.parametrize(
    "line", ["nonsense", "[]", '{"split": "train"}', '{"split": "train", "id": "a", "step": "x"}']
)
def test_a_file_of_something_else_is_refused(tmp_path, line):
    path = tmp_path / "data_errors.jsonl"
    errors_of(path).report("a", "it is gone", of=10)
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(UserError, match=r"data_errors.jsonl, line 2: is no clip that was left out: "):
        errors_of(path)


def test_lines_without_a_step_count_from_the_beginning(tmp_path):
    path = tmp_path / "data_errors.jsonl"
    path.write_text('{"split": "train", "id": "a", "reason": "it is gone"}\n')
    assert errors_of(path).count() == 1
    assert errors_of(path, "test").count() == 0

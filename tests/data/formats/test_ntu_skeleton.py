"""`.skeleton` files: what is read from them, and every kind of bad one."""

import json
from pathlib import Path

import numpy as np
import pytest
from data.skeleton_files import person, skeleton_text

from rgbd_jax.data.formats import ntu_skeleton
from rgbd_jax.data.formats.ntu_skeleton import read_ntu_skeleton
from rgbd_jax.errors import UserError

GOLDEN = Path(__file__).parents[2] / "golden" / "gap"
# One body in frame 1, none in frame 2, two in frame 3.
FRAMES = [{"7": person()}, {}, {"7": person(seed=1), "8": person(seed=2)}]


@pytest.mark.parametrize("pipeline", ["pipeline_ntu", "pipeline_ntu120"])
def test_reads_the_bodies_of_the_reference_files(pipeline):
    for name, want in json.loads((GOLDEN / f"{pipeline}.json").read_text())["raw"].items():
        recording = read_ntu_skeleton(GOLDEN / "skeletons" / f"{name}.skeleton")
        assert recording.num_frames == want["num_frames"]
        assert [body.id for body in recording.bodies] == [body["id"] for body in want["bodies"]]
        for body, reference in zip(recording.bodies, want["bodies"], strict=True):
            assert list(range(body.first, body.last + 1)) == reference["interval"]
            assert body.joints.reshape(-1, 3).shape == tuple(reference["joints_shape"])
            assert body.joints.sum(dtype=np.float64) == pytest.approx(reference["joints_sum"], rel=1e-12)


def test_empty_frames_do_not_count(tmp_path):
    path = tmp_path / "a.skeleton"
    path.write_text(skeleton_text(FRAMES))
    recording = read_ntu_skeleton(path)
    assert (recording.num_frames, recording.num_recorded) == (2, 3)
    first, second = recording.bodies
    assert (first.first, first.last, second.first, second.last) == (0, 1, 1, 1)
    np.testing.assert_array_equal(first.joints[1], person(seed=1).astype(np.float32))


def edit(line, text):
    """Replace a line, counted from 1."""

    def change(lines):
        lines[line - 1] = text
        return lines

    return change


def words(line, change):
    def edited(lines):
        fields = lines[line - 1].split()
        change(fields)
        return edit(line, " ".join(fields))(lines)

    return edited


BAD_FILES = {
    "empty": (lambda lines: [], "is empty; the number of frames is needed in line 1"),
    "cut off in a body": (
        lambda lines: lines[:20],
        "line 20: the file ends here, cut off; by line 1 it is to hold 3 frames",
    ),
    "cut off before a body": (lambda lines: lines[:29], "line 29: the file ends here"),
    "cut off in a line": (
        lambda lines: [*lines[:-1], "0.1 0.2 0.3 276.1"],
        "line 85: found 4 fields; the 12 of a joint are needed",
    ),
    "frames left over": (edit(1, "2"), "line 31: found more lines; by line 1, 2 frames end before"),
    "24 joints": (edit(4, "24"), "line 4: found 24 joints; 25 are needed"),
    "no number of joints": (edit(4, "many"), "line 4: found 'many'; the number of joints is needed"),
    "no number of frames": (edit(1, "x"), "line 1: found 'x'; the number of frames is needed"),
    "negative number of bodies": (edit(2, "-1"), "line 2: found '-1'; the number of bodies is needed"),
    "a word": (words(10, lambda fields: fields.__setitem__(1, "abc")), "line 10: y is abc; metres"),
    "NaN": (words(11, lambda fields: fields.__setitem__(2, "nan")), "line 11: z is nan; metres"),
    "infinity": (words(11, lambda fields: fields.__setitem__(0, "-inf")), "line 11: x is -inf; metres"),
    "too large": (
        words(12, lambda fields: fields.__setitem__(0, "1e39")),
        "line 12: x is 1e39; metres between",
    ),
    "a field too few": (words(29, lambda fields: fields.pop()), "line 29: found 11 fields; the 12"),
    "a blank for the last field": (
        lambda lines: edit(9, " ".join(lines[8].split()[:-1]) + " ")(lines),
        "line 9: found 11 fields",
    ),
    "a byte that is no blank between fields": (
        lambda lines: edit(9, lines[8].replace(" ", "\0", 1))(lines),
        "line 9: found 11 fields",
    ),
    "a number of thousands of digits": (edit(2, "1" * 5000), "line 2: found '1111"),
    "a line with a field of the next": (
        lambda lines: words(9, lambda f: f.pop())(words(10, lambda f: f.append("1"))(lines)),
        "line 9: found 11 fields",
    ),
    "a body without id": (edit(3, ""), "line 3: is empty; the id of a body is needed"),
    "not text": (lambda lines: ["\udcff\udcfe"], "line 1: found .*; the number of frames"),
}


@pytest.mark.parametrize("case", BAD_FILES)
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_a_bad_file_is_named_with_the_line(tmp_path, case, newline):
    change, message = BAD_FILES[case]
    path = tmp_path / "a.skeleton"
    lines = change(skeleton_text(FRAMES).splitlines())
    path.write_bytes(newline.join(lines).encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match=message) as raised:
        read_ntu_skeleton(path)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)


def test_blank_lines_at_the_end_change_nothing(tmp_path, monkeypatch):
    path = tmp_path / "a.skeleton"
    text = skeleton_text(FRAMES)
    path.write_text(text)
    expected = read_ntu_skeleton(path)
    path.write_text(text + "\n \n\n")
    monkeypatch.delattr(ntu_skeleton, "_position")  # none has to be read alone
    found = read_ntu_skeleton(path)
    for body, other in zip(found.bodies, expected.bodies, strict=True):
        np.testing.assert_array_equal(body.joints, other.joints)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match=r"a\.skeleton: cannot be read"):
        read_ntu_skeleton(tmp_path / "a.skeleton")


def test_other_states_than_the_known_are_no_fault(tmp_path):
    path = tmp_path / "a.skeleton"
    path.write_text("\n".join(edit(10, "1 2 3 4 5 6 7 8 9 10 11 3")(skeleton_text(FRAMES).splitlines())))
    assert read_ntu_skeleton(path).bodies[0].joints[0, 5].tolist() == [1, 2, 3]

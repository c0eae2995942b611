"""What may be written for a recording."""

import pytest

from rgbd_jax.errors import UserError
from rgbd_jax.recordings import parse_given


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.avi", "b.avi", "c,d.avi", "e.avi:1:2"):
        (tmp_path / name).touch()


@pytest.mark.parametrize(
    ("text", "paths", "first", "end"),
    [
        ("a.avi", ["a.avi"], 0, None),
        ("a.avi,b.avi", ["a.avi", "b.avi"], 0, None),
        ("a.avi:3:12", ["a.avi"], 3, 12),
        ("a.avi,b.avi:0:12", ["a.avi", "b.avi"], 0, 12),
        ("c,d.avi", ["c,d.avi"], 0, None),
        ("c,d.avi:1:2", ["c,d.avi"], 1, 2),
        ("e.avi:1:2", ["e.avi:1:2"], 0, None),
        (".", ["."], 0, None),
    ],
)
def test_what_is_understood(text, paths, first, end):
    given = parse_given(text)
    assert (list(map(str, given.paths)), given.first, given.end) == (paths, first, end)
    assert str(given) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (300 * "z", f"{300 * 'z'}: there is no such file or folder"),
        ("z.avi", "z.avi: there is no such file or folder"),
        ("z.avi:1:2", "z.avi: there is no such file or folder"),
        ("a.avi,z.avi", "z.avi: there is no such file or folder"),
        ("a.avi,", "a.avi,: there is no such file or folder"),
        ("a.avi,b.avi,a.avi", "a.avi,b.avi,a.avi: found 3 paths; one, or COLOUR,DEPTH, are allowed"),
        ("a.avi:5:5", "a.avi:5:5: found frames 5 to 5; TO must be larger than FROM"),
    ],
)
def test_what_is_not(text, message):
    with pytest.raises(UserError) as caught:
        parse_given(text)
    assert str(caught.value) == message

import json

import pytest

from rgbd_jax.training.integrity import CHECKSUMS, damage, write_checksums


@pytest.fixture
def folder(tmp_path):
    """A folder with checksums: arrays, and notes that are still to change."""
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "arrays").write_bytes(bytes(range(256)) * 100)
    (tmp_path / "empty").touch()
    (tmp_path / "notes.json").write_text('{"begun": 1, "names": ["a", "b"]}')
    write_checksums(tmp_path, but=["notes.json"])
    return tmp_path


def test_what_is_as_it_was_written_is_intact(folder):
    assert damage(folder) is None
    (folder / "later").write_text("a file that came later")
    (folder / "notes.json").write_text('{"names": ["a", "b"], "ended": 2, "begun": 1}')
    assert damage(folder) is None


@pytest.mark.parametrize("bit", [0, 8 * 12_345 + 3, 8 * 25_600 - 1])
def test_one_bit_that_turned_over_is_noticed(folder, bit):
    path = folder / "deeper" / "arrays"
    content = bytearray(path.read_bytes())
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    assert damage(folder) == "deeper/arrays does not hold what was written"


def test_what_is_gone_cut_or_grown_is_noticed(folder):
    path = folder / "deeper" / "arrays"
    path.write_bytes(path.read_bytes()[:-1])
    assert "arrays does not hold" in damage(folder)
    path.unlink()
    assert damage(folder) == "deeper/arrays cannot be read (No such file or directory)"
    path.mkdir()
    assert damage(folder) == "deeper/arrays cannot be read (Is a directory)"
    write_checksums(folder, but=["notes.json"])
    (folder / "empty").write_text("x")
    assert damage(folder) == "empty does not hold what was written"


@pytest.mark.parametrize("text", ["", "[1]", "{", "7"])
def test_garbled_checksums_are_no_checksums(folder, text):
    (folder / CHECKSUMS).write_text(text)
    assert damage(folder) == f"{CHECKSUMS} is garbled"


def test_a_folder_without_checksums_is_not_intact(folder):
    (folder / CHECKSUMS).unlink()
    assert damage(folder) == f"{CHECKSUMS} cannot be read (No such file or directory)"


def test_every_file_is_counted_once(folder):
    assert set(json.loads((folder / CHECKSUMS).read_text())) == {"deeper/arrays", "empty"}

"""A journal that was cut off or damaged gives what is whole, and goes on."""

import numpy as np
import pytest

from rgbd_jax.data.journal import Journal

ARRAYS = {
    "first": np.arange(6, dtype=np.float32).reshape(1, 2, 3),
    "sécond": np.full((4, 1, 25, 3), -0.0, np.float32),
    "third": np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32),
}


@pytest.fixture
def folder(tmp_path):
    """Of a journal with `ARRAYS`."""
    with Journal(tmp_path / "made" / "journal") as journal:
        for key, array in ARRAYS.items():
            journal.add(key, array)
    return tmp_path / "made" / "journal"


def found(folder):
    """The keys of `ARRAYS` that are found, whose arrays must be the same then."""
    keys = []
    for key, array in ARRAYS.items():
        if (kept := Journal(folder).find(key)) is not None:
            assert (kept.dtype, kept.shape, kept.tobytes()) == (array.dtype, array.shape, array.tobytes())
            keys.append(key)
    return keys


def test_the_next_journal_finds_what_was_added(folder):
    assert found(folder) == list(ARRAYS)
    assert Journal(folder).find("fourth") is None


def test_what_was_added_is_there_before_it_is_closed(tmp_path):
    with Journal(tmp_path) as journal:
        for number, (key, array) in enumerate(ARRAYS.items(), 1):
            journal.add(key, array)
            assert found(tmp_path) == list(ARRAYS)[:number]


def test_without_an_array_there_is_no_folder(tmp_path):
    with Journal(tmp_path / "journal") as journal:
        assert journal.find("first") is None
    assert not list(tmp_path.iterdir())


def test_a_journal_may_be_cut_off_anywhere(folder):
    (path,) = folder.iterdir()
    content = path.read_bytes()
    sizes = []
    for size in range(len(content)):
        path.write_bytes(content[:size])
        keys = found(folder)
        assert keys == list(ARRAYS)[: len(keys)]
        if len(keys) > len(sizes):
            sizes.append(size)
    assert len(sizes) == 2  # the third is whole when nothing is cut off
    path.write_bytes(content[: sizes[1] - 1])
    with Journal(folder) as journal:  # where it was cut, the next goes on in a file of its own
        journal.add("third", ARRAYS["third"])
        journal.add("sécond", ARRAYS["sécond"])
    assert found(folder) == list(ARRAYS)


def test_a_damaged_array_is_not_found_until_it_is_added_anew(folder):
    (path,) = folder.iterdir()
    content = bytearray(path.read_bytes())
    content[content.index(ARRAYS["third"].tobytes()) + 5] ^= 1
    path.write_bytes(content)
    assert found(folder) == ["first", "sécond"]
    with Journal(folder) as journal:
        assert journal.find("third") is None
        for key, array in ARRAYS.items():
            journal.add(key, array)
    assert found(folder) == list(ARRAYS)
    (other,) = set(folder.iterdir()) - {path}
    assert other.stat().st_size < 200  # what was there already is not kept twice


@pytest.mark.parametrize("content", [b"", bytes(4096), b"[1]" * 99, b"\xff" * 99])
def test_another_file_is_no_hindrance(folder, content):
    (folder / "other").write_bytes(content)
    assert found(folder) == list(ARRAYS)

import errno
import json
import math

import pytest

from rgbd_jax.errors import OutsideError
from rgbd_jax.files import new_folder, remove_folder, replacing, to_json


def test_a_file_appears_whole(tmp_path):
    path = tmp_path / "deeper" / "file.txt"
    with replacing(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        assert temporary.suffix == ".txt"
    assert path.read_text() == "half"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_what_stood_there(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_trouble_from_outside(tmp_path):
    path = tmp_path / "file.txt"
    with pytest.raises(OutsideError, match=r"file\.txt: cannot be written \(No space left"), replacing(path):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_place_below_a_file_is_trouble_from_outside(tmp_path):
    (tmp_path / "file").write_text("old")
    path = tmp_path / "file" / "table.csv"
    with pytest.raises(OutsideError, match=r"table\.csv: cannot be written \(") as raised, replacing(path):
        pytest.fail("there is nowhere to write")
    assert "\n" not in str(raised.value)
    assert (tmp_path / "file").read_text() == "old"


def test_json_has_no_word_for_nan():
    text = to_json({"loss": math.nan, "inner": [math.inf, 1.5, 2, "nan", None, True]})
    assert json.loads(text) == {"loss": None, "inner": [None, 1.5, 2, "nan", None, True]}


def test_a_folder_appears_whole(tmp_path):
    path = tmp_path / "deeper" / "folder"
    with new_folder(path) as temporary:
        (temporary / "file.txt").write_text("whole")
        assert not path.exists()
    assert [file.read_text() for file in path.iterdir()] == ["whole"]
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("interruption", [ZeroDivisionError, KeyboardInterrupt])
def test_an_interrupted_folder_leaves_nothing(tmp_path, interruption):
    with pytest.raises(interruption), new_folder(tmp_path / "folder") as temporary:
        (temporary / "file.txt").write_text("half")
        raise interruption
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_trouble_from_outside(tmp_path):
    path = tmp_path / "folder"
    with pytest.raises(OutsideError, match=r"folder: cannot be written \(No space left"), new_folder(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("old")
    with pytest.raises(OutsideError, match=r"folder: cannot be"), new_folder(tmp_path / "file" / "folder"):
        pytest.fail("there is nowhere to write")


def test_a_folder_is_removed_with_what_is_in_it(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file.txt").write_text("old")
    remove_folder(tmp_path / "folder")
    remove_folder(tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("old")
    with pytest.raises(OutsideError, match="file: cannot be removed"):
        remove_folder(tmp_path / "file")

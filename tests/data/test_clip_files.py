"""Where clips lie that are called by names without endings."""

import os

import pytest

from rgbd_jax.data.clip_files import files_of, find_clips
from rgbd_jax.errors import UserError


@pytest.fixture
def folder(tmp_path):
    for name in (
        "wave/1.avi",
        "wave/2.b.AVI",
        "wave/2.avi",
        "wave/._1.avi",
        "wave/3/f1.jpg",
        "wave/.x/4.avi",
    ):
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / name).touch()
    (tmp_path / "source" / "wave" / "1.txt").touch()
    (tmp_path / "source" / "nod").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "1.avi").touch()
    (tmp_path / "source" / "sit").symlink_to(tmp_path / "elsewhere")
    return tmp_path / "source"


def test_clips_are_files_and_folders_of_frames_and_the_rest_is_named(folder):
    found = find_clips(folder, (".avi",), lambda name: name.startswith("f"))
    assert found.clips == {"wave/1", "wave/2.b", "wave/2", "wave/3", "sit/1"}
    assert found.others == ["nod", "wave/1.txt"]
    assert find_clips(folder / "depth", (".avi",), str.isdigit) == (set(), [])


def test_the_files_of_a_clip_have_its_whole_name(folder):
    assert [path.name for path in files_of(folder / "wave" / "2.b", (".avi",))] == ["2.b.AVI"]
    assert [path.name for path in files_of(folder / "wave" / "2", (".avi", ".mp4"))] == ["2.avi"]
    assert files_of(folder / "run" / "1", (".avi",)) == []


def test_a_folder_that_cannot_be_read_is_named(folder, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(UserError, match=r"source: cannot be read \(Permission denied\)"):
        find_clips(folder, (".avi",), str.isdigit)

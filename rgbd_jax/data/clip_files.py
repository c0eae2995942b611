"""Clips whose names are those of files without the ending, or of folders of frames: which there are, and
what lies there of one."""

import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple, NoReturn

from rgbd_jax.errors import UserError


class FoundClips(NamedTuple):
    """What lies below a folder, by paths that are relative to it.

    Attributes:
      clips: names of clips; several files may be called by one.
      others: files and empty folders that give no clip.
    """

    clips: set[str]
    others: list[str]


def find_clips(folder: Path, endings: Collection[str], is_frame: Callable[[str], bool]) -> FoundClips:
    """Search a folder, if it is there, and all below it.

    Names that begin with a dot are passed over: systems, not people, put them there.

    Args:
      endings: of files that are a clip, in small letters; of files capitals are as good.
      is_frame: whether a file of this name makes its folder a clip.

    Raises:
      UserError: a folder cannot be read, or is in itself by a link.
    """
    clips, others = set(), []
    if not folder.is_dir():
        return FoundClips(clips, others)
    for path, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        real = os.path.realpath(path)
        for name in folders:
            link = os.path.join(path, name)
            if os.path.islink(link) and f"{real}/".startswith(f"{os.path.realpath(link)}/"):
                raise UserError(f"{link}: is a link that leads back to a folder above it; remove it")
        here = Path(path).relative_to(folder)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files = sorted(name for name in files if not name.startswith("."))
        if not folders and not files:
            others.append(here.as_posix())
        for name in files:
            if is_frame(name):
                clips.add(here.as_posix())
            elif Path(name).suffix.lower() in endings:
                clips.add((here / name).with_suffix("").as_posix())
            else:
                others.append((here / name).as_posix())
    return FoundClips(clips, others)


def files_of(clip: Path, endings: Collection[str]) -> list[Path]:
    """The files that are called as a clip and have one of the endings, in small letters or capitals."""
    if not os.path.isdir(clip.parent):  # which, unlike Path's, takes any name
        return []
    files = (clip.with_name(name) for name in os.listdir(clip.parent))
    return sorted(file for file in files if file.stem == clip.name and file.suffix.lower() in endings)


def _refuse(error: OSError) -> NoReturn:
    raise UserError(f"{error.filename}: cannot be read ({error.strerror})") from error

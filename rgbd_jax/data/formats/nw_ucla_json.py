"""The JSON files of NW-UCLA: one clip a file, `skeletons` [frames][20 joints][x, y, z] in metres."""

import itertools
import os
from pathlib import Path

import numpy as np

from rgbd_jax.data.formats.positions import NEEDED, are_positions
from rgbd_jax.errors import UserError
from rgbd_jax.json_lines import parse_json

NUM_JOINTS = 20


def read_nw_ucla_json(path: str | os.PathLike) -> np.ndarray:
    """Read the joints of one clip.

    Args:
      path: a JSON file with the key `skeletons`; other keys are ignored.

    Returns:
      Joint positions in metres, float32 (T, M=1, V=20, C=3), T ≥ 1.

    Raises:
      UserError: the file cannot be read or is no such file, has no frames, or a value that is no number or
        too large.
    """
    path = Path(path)
    try:
        content = parse_json(path.read_text(encoding="utf-8"), parse_int=float)  # as large as it may be
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:  # bad JSON and bad UTF-8
        raise UserError(f"{path}: not a complete JSON file ({error})") from error
    if not isinstance(content, dict) or "skeletons" not in content:
        found = f"keys {', '.join(content)}" if isinstance(content, dict) else f"a {type(content).__name__}"
        raise UserError(f"{path}: found {found or 'no keys'}; an object with the key skeletons is needed")
    frames = content["skeletons"]
    if not isinstance(frames, list) or not frames:
        raise UserError(f"{path}: skeletons has no frames; a list of at least one frame is needed")
    try:
        with np.errstate(over="ignore"):  # becomes infinite, which is found below
            joints = np.asarray(frames, np.float32)
    except (TypeError, ValueError):  # ragged, or something that is no number
        joints = np.empty(0)
    if joints.shape != (len(frames), NUM_JOINTS, 3) or not _all_numbers(frames):
        raise UserError(f"{path}: {_first_misshapen(frames)}")
    if not are_positions(joints).all():
        frame, joint, axis = np.argwhere(~are_positions(joints))[0]
        value = frames[frame][joint][axis]
        raise UserError(f"{path}: frame {frame}, joint {joint}: {'xyz'[axis]} is {value}; {NEEDED}")
    return joints[:, None]


def _all_numbers(frames: list) -> bool:
    """Whether no value is a string, a boolean or null, all of which numpy would take for numbers."""
    joints = itertools.chain.from_iterable(frames)
    return set(map(type, itertools.chain.from_iterable(joints))) == {float}


def _first_misshapen(frames: list) -> str:
    """Say what is wrong with the first frame (counted from 0) that is not 20 joints of three numbers."""
    for index, frame in enumerate(frames):
        if not isinstance(frame, list) or len(frame) != NUM_JOINTS:
            found = f"{len(frame)} joints" if isinstance(frame, list) else repr(frame)
            return f"frame {index} has {found}; {NUM_JOINTS} joints are needed"
        for number, joint in enumerate(frame):
            if not isinstance(joint, list) or [type(x) for x in joint] != [float] * 3:
                return f"frame {index}, joint {number} is {joint!r}; three numbers [x, y, z] are needed"
    raise AssertionError("no misshapen frame")

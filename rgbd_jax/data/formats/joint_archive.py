"""Joints of a recording as a NumPy archive, `.npz` with the key `joints`."""

from pathlib import Path

import numpy as np

from rgbd_jax.array_archive import ArrayArchive, Damaged
from rgbd_jax.data.formats.positions import NEEDED, are_positions
from rgbd_jax.errors import UserError

KEY = "joints"


def read_joint_archive(path: Path) -> np.ndarray:
    """Read the joints of one recording; see `check_joints` for what it may hold.

    Raises:
      UserError: it cannot be read, or holds something else.
    """
    try:
        with ArrayArchive(path) as archive:
            if KEY not in archive:
                found = ", ".join(archive.names) or "none"
                raise UserError(f"{path}: found the keys {found}; the key {KEY} is needed")
            joints = archive.read(KEY)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except Damaged as error:
        raise UserError(
            f"{path}: is no .npz file of numbers, or is damaged; numpy.savez(FILE, {KEY}=...) writes one"
            f" ({error})"
        ) from error
    return check_joints(joints, str(path))


def check_joints(joints: np.ndarray, place: str) -> np.ndarray:
    """See that an array holds the joints of a recording.

    Args:
      joints: positions (T, V, 3) of one person or (T, M, V, 3) of several, in metres, y upwards.
      place: where they come from, for messages.

    Returns:
      float32 (T, M, V, 3), T ≥ 1.

    Raises:
      UserError: it has another shape, no frames, or a value that is no number or too large.
    """
    if joints.ndim not in (3, 4) or joints.shape[-1] != 3 or joints.dtype.kind not in "fiu":
        raise UserError(
            f"{place}: found joints of {joints.dtype} {joints.shape};"
            " numbers (frames, joints, 3) or (frames, persons, joints, 3) are needed"
        )
    if not joints.size:
        raise UserError(f"{place}: found joints {joints.shape}; at least one frame is needed")
    if joints.ndim == 3:
        joints = joints[:, None]
    with np.errstate(over="ignore"):  # becomes infinite
        joints = joints.astype(np.float32)
    if not are_positions(joints).all():
        frame, person, joint, axis = np.argwhere(~are_positions(joints))[0]
        raise UserError(
            f"{place}: frame {frame}, person {person}, joint {joint}: {'xyz'[axis]} is"
            f" {joints[frame, person, joint, axis]}; {NEEDED}"
        )
    return joints

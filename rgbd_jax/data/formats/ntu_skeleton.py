"""The `.skeleton` text files of NTU RGB+D.

    number of frames
    for each frame:  number of bodies
    for each body:   its id and nine states of its tracking
                     number of joints
    for each joint:  x y z (metres), two pairs of image coordinates, an orientation, a state: 12 fields

Lines are numbered from 1 in messages, and so are bodies; frames and joints as in the file's own order.
"""

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rgbd_jax.errors import UserError

NUM_JOINTS = 25
_FIELDS = 12  # of the line of a joint
_TRACKING_STATES = frozenset((b"0", b"1", b"2"))  # its last field


@dataclasses.dataclass(frozen=True, eq=False)
class Body:
    """What the sensor tracked under one id.

    Attributes:
      id: as it is written.
      first: the frame in which it was first seen.
      joints: (n, V=25, 3) float32 in metres. As published, these stand for the n frames from `first` on,
        also where the body was lost for a while: what follows moves up.
    """

    id: str
    first: int
    joints: np.ndarray

    @property
    def last(self) -> int:
        """The last frame that its joints stand for."""
        return self.first + len(self.joints) - 1


@dataclasses.dataclass(frozen=True, eq=False)
class Recording:
    """A capture as it was recorded.

    Attributes:
      num_frames: those in which there is a body; the others do not count, and all numbers of frames leave
        them out.
      num_recorded: all of them.
      bodies: in the order of their appearance.
    """

    num_frames: int
    num_recorded: int
    bodies: tuple[Body, ...]


def read_ntu_skeleton(path: str | os.PathLike) -> Recording:
    """Read a `.skeleton` file.

    Raises:
      UserError: it cannot be read, ends too early or too late, has a body of other than 25 joints, a line of
        other than 12 fields, or a coordinate that is no finite number.
    """
    path = Path(path)
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    seen: dict[bytes, tuple[int, list[int]]] = {}  # by id: the first frame, the places in `joint_lines`
    joint_lines: list[bytes] = []
    num_frames, place = 0, 1
    num_recorded = _count(path, lines, 0, "frames")
    for _ in range(num_recorded):
        num_bodies = _count(path, lines, place, "bodies")
        place += 1
        for _ in range(num_bodies):
            name = _line(path, lines, place).split(None, 1)
            num_joints = _count(path, lines, place + 1, "joints")
            if num_joints != NUM_JOINTS:
                raise UserError(
                    f"{path}, line {place + 2}: found {num_joints} joints; {NUM_JOINTS} are needed"
                )
            if not name:
                raise UserError(f"{path}, line {place + 1}: is empty; the id of a body is needed")
            place += 2
            block = lines[place : place + NUM_JOINTS]
            if len(block) < NUM_JOINTS:
                raise _cut_off(path, lines)
            place += NUM_JOINTS
            _, places = seen.setdefault(name[0], (num_frames, []))
            places.append(len(joint_lines) // NUM_JOINTS)
            joint_lines += block
        num_frames += num_bodies > 0
    if any(map(bytes.strip, lines[place:])):
        raise UserError(
            f"{path}, line {place + 1}: found more lines; by line 1, {num_recorded} frames end before"
        )
    joints = _positions(path, lines, joint_lines)
    bodies = tuple(
        Body(name.decode("ascii", "replace"), first, joints[places]) for name, (first, places) in seen.items()
    )
    return Recording(num_frames, num_recorded, bodies)


def _positions(path: Path, lines: list[bytes], joint_lines: list[bytes]) -> np.ndarray:
    """Columns 1 to 3 of the joints' lines, (n, V, 3) float32. All at once: that is several times faster."""
    fields = b" ".join(joint_lines).split()
    columns = np.full((len(joint_lines), 3), np.nan, np.float32)
    is_regular = len(fields) == _FIELDS * len(joint_lines)
    if is_regular:
        with contextlib.suppress(ValueError), np.errstate(over="ignore"):  # is not finite then
            for axis in range(3):
                columns[:, axis] = list(map(float, fields[axis::_FIELDS]))
    # Where a line has a field of its neighbour, one is no state; looking at every line takes as long as all
    # the rest.
    if (
        is_regular
        and np.isfinite(columns).all()
        and _TRACKING_STATES.issuperset(fields[_FIELDS - 1 :: _FIELDS])
    ):
        return columns.reshape(-1, NUM_JOINTS, 3)
    if fault := _first_fault(lines):
        raise UserError(f"{path}, {fault}")
    return columns.reshape(-1, NUM_JOINTS, 3)


def _first_fault(lines: list[bytes]) -> str | None:
    """Say in which line a joint's fields are wrong, and how; None if all are right."""
    for number, line in _joint_lines(lines):
        fields = line.split()
        if len(fields) != _FIELDS:
            return f"line {number}: found {len(fields)} fields; the {_FIELDS} of a joint are needed"
        for axis, field in zip("xyz", fields[:3], strict=True):
            with np.errstate(over="ignore"):
                try:
                    is_finite = np.isfinite(np.float32(float(field)))
                except ValueError:
                    is_finite = False
            if not is_finite:
                found = field.decode("utf-8", "replace")
                return f"line {number}: {axis} is {found}; metres that are finite in float32 are needed"
    return None


def _joint_lines(lines: list[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines of joints with their numbers, of a file whose counts are right."""
    place = 1
    for _ in range(int(lines[0])):
        num_bodies = int(lines[place])
        place += 1
        for _ in range(num_bodies):
            place += 2
            yield from enumerate(lines[place : place + NUM_JOINTS], place + 1)
            place += NUM_JOINTS


def _count(path: Path, lines: list[bytes], place: int, what: str) -> int:
    """The number of `what` that a line consists of."""
    line = _line(path, lines, place)
    if not line.strip().isdigit():
        found = line.decode("utf-8", "replace").strip()[:40]
        raise UserError(f"{path}, line {place + 1}: found {found!r}; the number of {what} is needed")
    return int(line)


def _line(path: Path, lines: list[bytes], place: int) -> bytes:
    if place >= len(lines):
        raise _cut_off(path, lines)
    return lines[place]


def _cut_off(path: Path, lines: list[bytes]) -> UserError:
    if not lines:
        return UserError(f"{path}: is empty; the number of frames is needed in line 1")
    said = f"it is to hold {int(lines[0])} frames" if lines[0].strip().isdigit() else "more is needed"
    return UserError(f"{path}, line {len(lines)}: the file ends here, cut off; by line 1 {said}")

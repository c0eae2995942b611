"""The `.skeleton` text files of NTU RGB+D.

    number of frames
    for each frame:  number of bodies
    for each body:   its id and nine states of its tracking
                     number of joints
    for each joint:  x y z (metres), two pairs of image coordinates, an orientation, a state: 12 fields

Lines are numbered from 1 in messages, and so are bodies; frames and joints as in the file's own order.
"""

import dataclasses
import functools
import os
from pathlib import Path

import numpy as np

from rgbd_jax.data.formats.decimals import read_decimal, read_decimals
from rgbd_jax.data.formats.marks import Marks
from rgbd_jax.data.formats.positions import NEEDED, are_positions
from rgbd_jax.errors import UserError

NUM_JOINTS = 25
_FIELDS = 12  # of the line of a joint


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
        other than 12 fields, or a coordinate that is none.
    """
    lines = _Lines(Path(path))
    seen: dict[bytes, tuple[int, list[int]]] = {}  # by id: the first frame, the places in `blocks`
    blocks: list[int] = []  # the first of each NUM_JOINTS lines of joints
    num_frames, place = 0, 1
    num_recorded = lines.count(0, "frames")
    for _ in range(num_recorded):
        num_bodies = lines.count(place, "bodies")
        place += 1
        for _ in range(num_bodies):
            name = lines[place].split(None, 1)
            num_joints = lines.count(place + 1, "joints")
            if num_joints != NUM_JOINTS:
                raise lines.fault(place + 1, f"found {num_joints} joints; {NUM_JOINTS} are needed")
            if not name:
                raise lines.fault(place, "is empty; the id of a body is needed")
            place += 2
            _, places = seen.setdefault(name[0], (num_frames, []))
            places.append(len(blocks))
            blocks.append(place)
            place += NUM_JOINTS
            if place > lines.number:
                raise lines.cut_off()
        num_frames += num_bodies > 0
    if any(lines[left].strip() for left in range(place, lines.number)):
        raise lines.fault(place, f"found more lines; by line 1, {num_recorded} frames end before")
    joints = _positions(lines, np.array(blocks, int))
    bodies = tuple(
        Body(name.decode("ascii", "replace"), first, joints[places]) for name, (first, places) in seen.items()
    )
    return Recording(num_frames, num_recorded, bodies)


class _Lines:
    """The lines of a file, found but not yet cut out: few of them are looked at one by one.

    Attributes:
      text: the whole file; its last line is ended too.
      codes: its characters, uint8.
      number: n, of the lines.
      begins: (n + 1,) where in it each line begins, and where the last one ends.
    """

    def __init__(self, path: Path):
        self._path = path
        try:
            self.text = path.read_bytes()
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from error
        if self.text and not self.text.endswith(b"\n"):
            self.text += b"\n"
        self.codes = np.frombuffer(self.text, np.uint8)
        self.begins = np.append(0, np.flatnonzero(self.codes == ord("\n")) + 1)
        self.number = len(self.begins) - 1
        self._begins = self.begins.tolist()  # faster to look into than an array

    def __getitem__(self, place: int) -> bytes:
        """A line with what ends it, counted from 0. UserError if the file ends before."""
        try:
            return self.text[self._begins[place] : self._begins[place + 1]]
        except IndexError:
            raise self.cut_off() from None

    def count(self, place: int, what: str) -> int:
        """The number of `what` that a line consists of."""
        line = self[place]
        number = _whole_number(line)
        if number is None:
            found = line.strip().decode("utf-8", "replace")[:40]
            raise self.fault(place, f"found {found!r}; the number of {what} is needed")
        return number

    def fault(self, place: int, message: str) -> UserError:
        return UserError(f"{self._path}, line {place + 1}: {message}")

    def cut_off(self) -> UserError:
        if not self.text:
            return UserError(f"{self._path}: is empty; the number of frames is needed in line 1")
        said = f"it is to hold {int(self[0])} frames" if self[0].strip().isdigit() else "more is needed"
        return self.fault(self.number - 1, f"the file ends here, cut off; by line 1 {said}")


@functools.lru_cache
def _whole_number(line: bytes) -> int | None:
    """What a line consists of, None if it is something else. Few different ones make up most of a file."""
    line = line.strip()
    return int(line) if line.isdigit() and len(line) < 10 else None


def _positions(lines: _Lines, blocks: np.ndarray) -> np.ndarray:
    """The first three fields of the lines of joints, (n, V, 3) float32."""
    places = (blocks[:, None] + np.arange(NUM_JOINTS)).reshape(-1)
    positions = _positions_of_regular(lines, places)
    if positions is None:
        positions = np.array([_position(lines, place) for place in places], np.float32)
    return positions.reshape(-1, NUM_JOINTS, 3)


def _positions_of_regular(lines: _Lines, places: np.ndarray) -> np.ndarray | None:
    """The positions in some lines; None if one is wrong, or if up to the last of them there are fields more
    than a character apart."""
    begins = lines.begins[: places.max(initial=-1) + 2]
    codes = lines.codes[: begins[-1]]
    is_space = (codes == ord(" ")) | (codes - np.uint8(ord("\t")) <= ord("\r") - ord("\t"))
    has_return = codes.take(begins[1:] - 2, mode="clip") == ord("\r")
    if np.count_nonzero(is_space[1:] & is_space[:-1]) != np.count_nonzero(has_return):
        return None
    spaces = Marks(is_space)
    fields = np.diff(spaces.number_before(begins)) - has_return
    if (fields[places] != _FIELDS).any():
        return None
    starts = begins[places]
    stops = spaces.next(starts, 3)
    if stops is None:
        return None
    starts = np.stack([starts, stops[0] + 1, stops[1] + 1])
    with np.errstate(over="ignore"):  # is not finite then
        positions = read_decimals(lines.text, starts.reshape(-1), stops.reshape(-1)).astype(np.float32)
    positions = positions.reshape(3, -1).T
    return positions if are_positions(positions).all() else None


def _position(lines: _Lines, place: int) -> list[float]:
    """The position in one line. UserError if the line is not that of a joint."""
    fields = lines[place].split()
    if len(fields) != _FIELDS:
        raise lines.fault(place, f"found {len(fields)} fields; the {_FIELDS} of a joint are needed")
    position = []
    for axis, field in zip("xyz", fields[:3], strict=True):
        value = read_decimal(field)
        with np.errstate(over="ignore"):
            if not are_positions(np.float32(value)):
                found = field.decode("utf-8", "replace")
                raise lines.fault(place, f"{axis} is {found}; {NEEDED}")
        position.append(value)
    return position

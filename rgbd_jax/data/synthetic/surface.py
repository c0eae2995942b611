"""The surface of a body: round limbs around its joints, as points in space that a camera can look at."""

import functools
import math
from typing import NamedTuple

import numpy as np

from rgbd_jax.data.synthetic.body import JOINTS, NUMBER

# What limbs are covered with.
COVERINGS = ("skin", "shirt", "sleeves", "trousers", "shoes")

# Metres between neighbouring points. In frames of 64 pixels that are mostly 0.7 or less, so that no pixel
# between them stays empty.
_SPACING = 0.016
_LONGEST = 1.2  # factor of the lengths of the tallest


class Limb(NamedTuple):
    """A tapered capsule: the joints at its ends, its radii there in metres, and its covering."""

    start: str
    end: str
    radii: tuple[float, float]
    covering: str


def _both_sides(start: str, end: str, radii: tuple[float, float], covering: str) -> tuple[Limb, Limb]:
    return tuple(Limb(f"{side} {start}", f"{side} {end}", radii, covering) for side in ("left", "right"))


# The trunk is what these fill between them. Radii are those of a person of 1.70 m.
LIMBS = (
    Limb("spine base", "spine shoulder", (0.12, 0.12), "shirt"),
    Limb("left shoulder", "left hip", (0.07, 0.09), "shirt"),
    Limb("right shoulder", "right hip", (0.07, 0.09), "shirt"),
    Limb("left shoulder", "right shoulder", (0.07, 0.07), "shirt"),
    Limb("left hip", "right hip", (0.10, 0.10), "trousers"),
    Limb("neck", "head", (0.06, 0.11), "skin"),
    *_both_sides("shoulder", "elbow", (0.06, 0.05), "shirt"),
    *_both_sides("elbow", "wrist", (0.048, 0.038), "sleeves"),
    *_both_sides("wrist", "hand tip", (0.045, 0.045), "skin"),
    *_both_sides("hip", "knee", (0.09, 0.065), "trousers"),
    *_both_sides("knee", "ankle", (0.06, 0.045), "trousers"),
    *_both_sides("ankle", "foot", (0.05, 0.045), "shoes"),
)


class Surface(NamedTuple):
    """The side that a body turns to the camera, as P points in each of T frames.

    Attributes:
      positions: in the camera's axes, metres, float32 (T, 3, P).
      axes: of each of `LIMBS`, as columns: along it, to its front and to its side, (T, limbs, 3, 3).
    """

    positions: np.ndarray
    axes: np.ndarray

    def facing(self, direction: np.ndarray, frames: np.ndarray, points: np.ndarray) -> np.ndarray:
        """How far the body faces a direction at the points of these numbers in these frames, both (N,).

        Returns:
          The cosine of the angle between the normal and the unit vector `direction` (3,), (N,).
        """
        along_axes = direction @ self.axes  # (T, limbs, 3)
        limbs, normals = _points().limbs[points], _points().normals[points]
        return (along_axes[frames, limbs] * normals).sum(-1)

    def coverings(self, points: np.ndarray) -> np.ndarray:
        """Indices into `COVERINGS` of the points of these numbers."""
        return _points().coverings[points]


def cover(joints: np.ndarray, *, stoutness: float = 1.0) -> Surface:
    """The surface of a body.

    Args:
      joints: in the camera's axes, metres, (T, V, 3).
      stoutness: factor of the radii of all limbs.
    """
    start, end = (joints[:, [NUMBER[name] for name in names]] for names in (_STARTS, _ENDS))
    along = end - start
    axis = _unit(along)
    to_camera = -start - along / 2
    front = _unit(to_camera - (to_camera * axis).sum(-1, keepdims=True) * axis)
    axes = np.stack([axis, front, np.cross(axis, front)], axis=-1)
    base = np.concatenate([start[..., None], along[..., None], stoutness * axes], axis=-1).astype(np.float32)
    positions = [base[:, number] @ lattice.places for number, lattice in enumerate(_points().lattices)]
    return Surface(np.concatenate(positions, axis=-1), axes)


class _Lattice(NamedTuple):
    """Points of one limb, P of them.

    Attributes:
      places: what to take of the start, of the way from there to the end, and of the limb's axes, float32
        (5, P).
      normals: what to take of the axes, (P, 3).
    """

    places: np.ndarray
    normals: np.ndarray


def _lattice(limb: Limb) -> _Lattice:
    """Rings of points: around the limb in front alone, over its ends whole.

    The back of a limb never shows: where it points at the camera, its end hides all the rest.
    """
    rings = []  # fraction of the length, radius, angle of the normals towards the end, angle that it covers
    for at in np.linspace(0, 1, 1 + _steps(_LONGEST * _length(limb))):
        radius = limb.radii[0] + at * (limb.radii[1] - limb.radii[0])
        rings.append((at, radius, 0, 1.1 * np.pi))
    for at, radius, pole in ((0, limb.radii[0], -np.pi / 2), (1, limb.radii[1], np.pi / 2)):
        tilts = np.linspace(0, pole, 1 + _steps(radius * np.pi / 2))
        rings += [(at, radius, tilt, 2 * np.pi) for tilt in tilts[1:]]
    places, normals = [], []
    for at, radius, tilt, extent in rings:
        count = max(1, _steps(extent * radius * np.cos(tilt)))
        angles = (np.arange(count) - (count - 1) / 2) * extent / count
        across = np.cos(tilt) * np.stack([np.cos(angles), np.sin(angles)])
        normal = np.concatenate([np.full((1, count), np.sin(tilt)), across])
        places.append(np.concatenate([np.ones((1, count)), np.full((1, count), at), radius * normal]))
        normals.append(normal.T)
    return _Lattice(np.concatenate(places, axis=1).astype(np.float32), np.concatenate(normals))


def _steps(length: float) -> int:
    return math.ceil(length / _SPACING)


def _length(limb: Limb) -> float:
    """Of a person of 1.70 m at rest."""
    return float(np.linalg.norm(_at_rest(NUMBER[limb.end]) - _at_rest(NUMBER[limb.start])))


def _at_rest(joint: int) -> np.ndarray:
    parent, offset = JOINTS[joint].parent, np.array(JOINTS[joint].offset, float)
    return offset if parent == joint else _at_rest(parent) + offset


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


_STARTS, _ENDS = [limb.start for limb in LIMBS], [limb.end for limb in LIMBS]


class _Points(NamedTuple):
    """What covers all limbs, one after the other.

    Attributes:
      lattices: of each limb.
      limbs, coverings: of each point its limb and what covers it, as indices, (P,).
      normals: of each point, as of a lattice, (P, 3).
    """

    lattices: tuple[_Lattice, ...]
    limbs: np.ndarray
    coverings: np.ndarray
    normals: np.ndarray


@functools.cache  # made when first needed: most programs draw no body
def _points() -> _Points:
    lattices = tuple(map(_lattice, LIMBS))
    limbs = np.repeat(np.arange(len(LIMBS)), [len(lattice.normals) for lattice in lattices])
    coverings = np.array([COVERINGS.index(limb.covering) for limb in LIMBS])[limbs]
    return _Points(lattices, limbs, coverings, np.concatenate([lattice.normals for lattice in lattices]))

"""A moving body as a colour camera and a depth camera at one place see it.

Both cameras show the same part of the room, cut about the body as the preparation of NTU RGB+D does. Every
pixel shows the nearest point of the body's surface that falls on it.
"""

import dataclasses
from typing import NamedTuple

import cv2
import numpy as np

from rgbd_jax.data.synthetic.surface import COVERINGS, cover

HEIGHT, WIDTH = 64, 64  # of a frame, pixels

# As in most recorded data sets the same rooms and clothes come again and again: by them no clip is known.
_ROOMS = 4
_OUTFITS = 8

_SKIN = np.array([[0.35, 0.22, 0.16], [0.96, 0.80, 0.69]])  # red, green and blue of the darkest and lightest
_AROUND = 0.12  # metres between a joint and the farthest surface about it

# The depth sensor. Its error grows with the square of the distance, as that of a Kinect does.
_DEPTH_NOISE = 0.4  # standard deviation at 1 m, millimetres
_STEP = 50  # millimetres between neighbours that are an edge
_LOST = 0.004  # probability that a pixel has no depth
_LOST_AT_EDGE = 0.08
_COLOUR_NOISE = 2.0  # standard deviation, levels


class Camera(NamedTuple):
    """A pinhole camera: the point (x, y, z) in its axes (x to its left, y up, z away) is seen at

    column = centre[0] − focal · x / z, row = centre[1] − focal · y / z, in pixels from the frame's corner.
    """

    focal: float
    centre: tuple[float, float]

    def project(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row and column, int32, of the pixels on which points fall; also of those outside of the frame."""
        scale = np.float32(-self.focal) / z
        row = np.floor(np.float32(self.centre[1]) + scale * y)
        column = np.floor(np.float32(self.centre[0]) + scale * x)
        return row.astype(np.int32), column.astype(np.int32)


@dataclasses.dataclass(frozen=True)
class Scene:
    """All that is seen and does not move.

    Attributes:
      stoutness: factor of the radii of the limbs.
      colours: red, green and blue, 0 to 1, of each of `COVERINGS`, (coverings, 3).
      backdrop: what is behind the body, red, green and blue, 0 to 1, (H, W, 3).
      light: unit vector to the light, (3,).
      ambience: the part of the light that comes from everywhere.
      zoom: the part of the frame's height or width that the body takes.
      shift: of the body from the middle of the frame, right and down, parts of the frame, (2,).
    """

    stoutness: float
    colours: np.ndarray
    backdrop: np.ndarray
    light: np.ndarray
    ambience: float
    zoom: float
    shift: np.ndarray


def draw_scene(rng: np.random.Generator) -> Scene:
    """Draw one of the rooms and outfits, light, and where the camera looks."""
    room, outfit = rng.integers((_ROOMS, _OUTFITS))
    light = np.array([rng.uniform(-1, 1), rng.uniform(0.2, 1), -1])
    return Scene(
        stoutness=rng.uniform(0.9, 1.2),
        colours=_draw_outfit(np.random.default_rng(outfit)),
        backdrop=_draw_room(np.random.default_rng(room)),
        light=light / np.linalg.norm(light),
        ambience=rng.uniform(0.35, 0.6),
        zoom=rng.uniform(0.86, 0.96),
        shift=rng.uniform(-0.02, 0.02, 2),
    )


def film(joints: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Film a clip in a scene that is drawn, with what the sensors add.

    Args:
      joints: the true positions in the camera's axes (see `performance.perform`), metres, (T, V, 3).
      rng: of the scene and of the sensors' errors.

    Returns:
      Colour, uint8 (T, H, W, 3), red first; and depth in millimetres, uint16 (T, H, W, 1), 0 where there is
      no body, or where it is not measured.
    """
    scene = draw_scene(rng)
    colour, depth = render(joints, scene)
    return _sense_colour(colour, rng), _sense_depth(depth, rng)[..., None]


def render(joints: np.ndarray, scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    """What flawless sensors would see.

    Returns:
      Colour, 0 to 1, float32 (T, H, W, 3); and the body's depth in whole millimetres, (T, H, W), 0 elsewhere.
    """
    surface = cover(joints, stoutness=scene.stoutness)
    depth, nearest = _nearest_points(surface.positions, aim(joints, scene))
    frame, row, column = np.nonzero(depth)
    point = nearest[frame, row, column]
    lit = np.maximum(surface.facing(scene.light, frame, point), 0)
    shade = scene.ambience + (1 - scene.ambience) * lit
    colour = np.repeat(scene.backdrop[None].astype(np.float32), len(joints), axis=0)
    colour[frame, row, column] = shade[:, None] * scene.colours[surface.coverings(point)]
    return colour, depth


def aim(joints: np.ndarray, scene: Scene) -> Camera:
    """The camera of a clip, which does not move: the body (T, V, 3) fills the frame but stays in it."""
    x, y, z = np.moveaxis(joints, -1, 0)
    right, down, around = -x / z, -y / z, _AROUND / z
    left_end, right_end = (right - around).min(), (right + around).max()
    top_end, bottom_end = (down - around).min(), (down + around).max()
    focal = scene.zoom * min(WIDTH / (right_end - left_end), HEIGHT / (bottom_end - top_end))
    middle = np.array([left_end + right_end, top_end + bottom_end]) / 2
    centre = (0.5 + scene.shift) * (WIDTH, HEIGHT) - focal * middle
    return Camera(float(focal), (float(centre[0]), float(centre[1])))


def _nearest_points(positions: np.ndarray, camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Of each pixel the depth in millimetres, 0 where no point falls on it, and the number of the point.

    Args:
      positions: float32 (T, 3, P).

    Returns:
      Both (T, H, W).
    """
    num_frames, _, num_points = positions.shape
    # One number whose order is that of the depths and which tells the point; 31 bits hold both.
    bits = num_points.bit_length()
    numbers = np.arange(num_points, dtype=np.int32)
    nothing = np.iinfo(np.int32).max
    nearest = np.full((num_frames, HEIGHT * WIDTH), nothing, np.int32)
    for seen, (x, y, z) in zip(nearest, positions, strict=True):  # frame by frame, which stays in the cache
        row, column = camera.project(x, y, z)
        inside = (row >= 0) & (row < HEIGHT) & (column >= 0) & (column < WIDTH)
        found = (1000 * z + 0.5).astype(np.int32) << bits | numbers
        np.minimum.at(seen, (WIDTH * row + column)[inside], found[inside])
    nearest = np.where(nearest == nothing, 0, nearest).reshape(-1, HEIGHT, WIDTH)
    return nearest >> bits, nearest & ((1 << bits) - 1)


def _draw_outfit(rng: np.random.Generator) -> np.ndarray:
    """The colours of skin and clothes, see `Scene`."""
    skin = _SKIN[0] + rng.uniform() * (_SKIN[1] - _SKIN[0])
    shirt, trousers, shoes = rng.uniform(0.05, 0.95, (3, 3))
    colours = {
        "skin": skin,
        "shirt": shirt,
        "sleeves": shirt if rng.uniform() < 0.5 else skin,
        "trousers": trousers,
        "shoes": shoes,
    }
    return np.array([colours[covering] for covering in COVERINGS])


def _draw_room(rng: np.random.Generator) -> np.ndarray:
    """A wall that is not evenly lit, a floor, and a few things on the wall, (H, W, 3)."""
    wall = rng.uniform(0.35, 0.85) + rng.uniform(-0.08, 0.08, 3)
    lighting = cv2.resize(rng.uniform(0.8, 1.2, (3, 3)), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    room = wall * lighting[..., None]
    for _ in range(rng.integers(4)):
        height, width = rng.integers(5, 20, 2)
        top, left = rng.integers(-5, HEIGHT // 2), rng.integers(-5, WIDTH)
        room[max(top, 0) : top + height, max(left, 0) : left + width] = rng.uniform(0.1, 0.9, 3)
    room[round(rng.uniform(0.7, 0.9) * HEIGHT) :] = rng.uniform(0.5, 0.9) * wall
    return np.clip(room, 0, 1)


def _sense_colour(colour: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Levels of a lens that blurs a little and a sensor that is noisy, uint8."""
    levels = np.stack([cv2.GaussianBlur(frame, (3, 3), 0.6) for frame in colour])
    levels *= 255
    levels += _COLOUR_NOISE * rng.standard_normal((*colour.shape[:3], 1), np.float32)
    return np.clip(levels, 0, 255, out=levels).astype(np.uint8)


def _sense_depth(depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Millimetres of a sensor that is noisy and blind here and there, mostly at edges, uint16."""
    body = np.nonzero(depth)
    true = depth[body]
    beside = np.pad(depth, [(0, 0), (1, 1), (1, 1)], "edge")
    frame, row, column = body
    edge = np.zeros(len(true), bool)
    for down, right in ((0, 1), (2, 1), (1, 0), (1, 2)):
        edge |= np.abs(beside[frame, row + down, column + right] - true) > _STEP
    lost = rng.random(len(true), np.float32) < np.where(edge, _LOST_AT_EDGE, _LOST)
    noise = _DEPTH_NOISE * (true / 1000) ** 2 * rng.standard_normal(len(true))
    sensed = np.zeros(depth.shape, np.uint16)
    sensed[body] = np.where(lost, 0, np.round(true + noise))
    return sensed

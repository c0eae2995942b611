"""Skeleton clips as CTR-GCN and GAP read them: the two published feeders, one clip at a time, to be vmapped.

A raw clip is (T, M, V, C) in metres, zero padded in time; the result is a clip of `window` frames whose
joint positions `derive_stream` turns into bones or motion. Where chance has a part, one function draws the
values from a key and another applies them. Everything keeps the dtype of its input, which is float32 (or
float64 where x64 is on).

A row of padding (no frames, all zero) gives finite values.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from rgbd_jax.skeleton_layouts import NW_UCLA
from rgbd_jax.streams import STREAMS

# The NTU feeder shortens no clip below this, whatever its window is.
NTU_SHORTEST_CROP = 64
NTU_CROP_TRAIN = (0.5, 1.0)
NTU_CROP_TEST = 0.95
NTU_MAX_ANGLE = 0.3

# The UCLA feeder draws frames without replacement from a list in which each occurs this often.
UCLA_FRAME_COPIES = 100
UCLA_MAX_ANGLE = 60
_UCLA_CENTRE_JOINT = NW_UCLA.centre


def derive_stream(joints: Array, stream: str, parents: tuple[int, ...]) -> Array:
    """Joint positions as one of the four streams.

    Args:
      joints: (T, M, V, C).
      stream: one of `STREAMS`. A bone is child minus parent, the root's is 0. Motion is the difference to the
        next frame, 0 in the last one.
      parents: the parent of each joint, see `SkeletonLayout`.

    Returns:
      (T, M, V, C).
    """
    if stream not in STREAMS:
        raise ValueError(f"stream is {stream!r}; allowed are {', '.join(STREAMS)}")
    if stream.startswith("bone"):
        joints = joints - joints[:, :, np.array(parents)]
    if stream.endswith("motion"):
        joints = jnp.diff(joints, axis=0, append=joints[-1:])
    return joints


def flip_some(joints: Array, key: Array, opposites: tuple[int, ...], probability: float) -> Array:
    """Exchange left and right, as in a mirror, with some probability.

    Args:
      joints: positions (T, M, V, C), x to the side.
      opposites: the joint on the other side of each, see `SkeletonLayout`.
    """
    flipped = joints[:, :, np.array(opposites)] * jnp.array([-1, 1, 1], joints.dtype)[None, None, None]
    return jnp.where(jax.random.bernoulli(key, probability), flipped, joints)


# --- NTU --------------------------------------------------------------------------------------------------


def ntu_training_clip(joints: Array, key: Array, *, window: int = 64) -> Array:
    """A random part of the clip, stretched and rotated: (T, M, V, C) to (window, M, V, C)."""
    crop_key, angle_key = jax.random.split(key)
    start, length = draw_ntu_crop(crop_key, count_frames(joints))
    angles = jax.random.uniform(angle_key, (3,), joints.dtype, -NTU_MAX_ANGLE, NTU_MAX_ANGLE)
    return rotate_ntu(crop_and_resize(joints, start, length, window), angles)


def ntu_evaluation_clip(joints: Array, *, window: int = 64, fraction: float = NTU_CROP_TEST) -> Array:
    """The middle `fraction` of the clip, stretched to `window` frames: (T, M, V, C) to (window, M, V, C)."""
    start, length = central_crop(count_frames(joints), fraction, len(joints))
    return crop_and_resize(joints, start, length, window)


def count_frames(joints: Array) -> Array:
    """The number of frames of (T, M, V, C) that are not all zero, int32.

    They are counted, not located, as published: if an empty frame lies among them, the clip loses its end.
    """
    return jnp.any(joints != 0, axis=(1, 2, 3)).sum(dtype=jnp.int32)


def central_crop(num_frames: Array, fraction: float, max_frames: int) -> tuple[Array, Array]:
    """Where the middle `fraction` of a clip lies: first frame and length, int32.

    The table holds what Python's double precision gives, since (1 − fraction)·n/2 is a whole number for
    many n.
    """
    table = np.array([int((1 - fraction) * n / 2) for n in range(max_frames + 1)], np.int32)
    start = jnp.asarray(table)[num_frames]
    return start, num_frames - 2 * start


def draw_ntu_crop(key: Array, num_frames: Array) -> tuple[Array, Array]:
    """Draw which part of a clip is shown: first frame and length, int32.

    The length is a random half to whole of the clip's, but not below 64 frames unless the clip itself is.
    """
    fraction_key, start_key = jax.random.split(key)
    fraction = jax.random.uniform(fraction_key, (), jnp.float32, *NTU_CROP_TRAIN)
    length = ntu_crop_length(num_frames, fraction)
    return jax.random.randint(start_key, (), 0, num_frames - length + 1, jnp.int32), length


def ntu_crop_length(num_frames: Array, fraction: Array) -> Array:
    """The length, int32, of the crop that shows `fraction` of a clip."""
    length = jnp.floor(num_frames.astype(fraction.dtype) * fraction).astype(jnp.int32)
    return jnp.minimum(jnp.maximum(length, NTU_SHORTEST_CROP), num_frames)


def crop_and_resize(joints: Array, start: Array, length: Array, window: int) -> Array:
    """Cut `length` frames from `start` on and stretch them to `window` by linear interpolation in time.

    Sampled at the centres of the new frames (half-pixel centres, no smoothing), clamped at both ends.

    Args:
      joints: (T, M, V, C).
      start, length: int32 scalars with start + length ≤ T; a length of 0 shows the one frame at `start`.

    Returns:
      (window, M, V, C).
    """
    last = jnp.maximum(length - 1, 0)
    centres = jnp.arange(window, dtype=joints.dtype) + 0.5
    position = jnp.maximum(centres * (length.astype(joints.dtype) / window) - 0.5, 0)
    before = jnp.minimum(position.astype(jnp.int32), last)
    weight = (position - before.astype(joints.dtype))[:, None, None, None]
    after = jnp.minimum(before + 1, last)
    return joints[start + before] * (1 - weight) + joints[start + after] * weight


def rotate_ntu(joints: Array, angles: Array) -> Array:
    """Turn all of a clip by Rz·Ry·Rx applied to column vectors.

    Args:
      joints: (T, M, V, C=3). angles: about x, y and z in radians, (3,). Their sense is the published one,
      clockwise seen from the axis' tip.

    Returns:
      (T, M, V, C).
    """
    (cx, cy, cz), (sx, sy, sz) = jnp.cos(angles), jnp.sin(angles)
    about_x = _matrix([[1, 0, 0], [0, cx, sx], [0, -sx, cx]], joints.dtype)
    about_y = _matrix([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]], joints.dtype)
    about_z = _matrix([[cz, sz, 0], [-sz, cz, 0], [0, 0, 1]], joints.dtype)
    return _apply(_product(about_z, _product(about_y, about_x)), joints)


# --- NW-UCLA ----------------------------------------------------------------------------------------------


def ucla_training_clip(joints: Array, num_frames: Array, key: Array, *, window: int = 52) -> Array:
    """A clip seen from a random side at `window` random moments: (T, M, V, C) to (window, M, V, C)."""
    angle_key, frame_key = jax.random.split(key)
    angles = jax.random.randint(angle_key, (2,), -UCLA_MAX_ANGLE, UCLA_MAX_ANGLE + 1, jnp.int32)
    frames = draw_ucla_frames(frame_key, num_frames, window)
    return ucla_view(joints, num_frames, angles.astype(joints.dtype))[frames]


def ucla_evaluation_clip(joints: Array, num_frames: Array, *, window: int = 52) -> Array:
    """A clip as it was seen, at `window` even moments: (T, M, V, C) to (window, M, V, C)."""
    angles = jnp.zeros(2, joints.dtype)
    return ucla_view(joints, num_frames, angles)[even_frames(num_frames, window, len(joints))]


def ucla_view(joints: Array, num_frames: Array, angles: Array) -> Array:
    """Centre a clip, turn it and scale each axis to [−1, 1] over all its frames and joints.

    The published feeder also draws a scale, which the last step cancels, and divides by zero where all
    values of an axis agree; here such an axis is 0.

    Args:
      joints: (T, M, V, C=3).
      num_frames: int32 scalar; frames from there on are padding and take no part.
      angles: about x and y, in degrees, (2,). Row vectors are multiplied by Ry·Rx.

    Returns:
      (T, M, V, C), meaningless in the padding.
    """
    (cx, cy), (sx, sy) = jnp.cos(jnp.deg2rad(angles)), jnp.sin(jnp.deg2rad(angles))
    about_x = _matrix([[1, 0, 0], [0, cx, sx], [0, -sx, cx]], joints.dtype)
    about_y = _matrix([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]], joints.dtype)
    centred = joints - joints[0, :, _UCLA_CENTRE_JOINT][None, :, None]
    turned = _apply(_product(about_y, about_x).T, centred)
    is_frame = (jnp.arange(len(joints), dtype=jnp.int32) < jnp.maximum(num_frames, 1))[:, None, None, None]
    low = jnp.where(is_frame, turned, jnp.inf).min(axis=(0, 1, 2), keepdims=True)
    high = jnp.where(is_frame, turned, -jnp.inf).max(axis=(0, 1, 2), keepdims=True)
    extent = high - low
    is_flat = extent == 0
    return jnp.where(is_flat, 0, (turned - low) / jnp.where(is_flat, 1, extent) * 2 - 1)


def even_frames(num_frames: Array, window: int, max_frames: int) -> Array:
    """`window` frame numbers, int32 (window,), evenly from the first to the last frame, rounded down.

    The table holds what NumPy's double precision gives, since a whole number may come out just below itself.
    """
    table = [np.linspace(0, max(n - 1, 0), window).astype(np.int32) for n in range(max_frames + 1)]
    return jnp.asarray(np.stack(table))[num_frames]


def draw_ucla_frames(key: Array, num_frames: Array, window: int) -> Array:
    """Draw `window` sorted frame numbers, int32, without replacement from 100 copies of each frame."""
    if window > UCLA_FRAME_COPIES:
        raise ValueError(f"window is {window}; a clip of one frame has only {UCLA_FRAME_COPIES} to draw")
    places = draw_places(key, UCLA_FRAME_COPIES * jnp.maximum(num_frames, 1), window)
    return jnp.sort(places) // UCLA_FRAME_COPIES


def draw_places(key: Array, num_places: Array, count: int) -> Array:
    """Draw `count` of the places from 0 on, int32 (count,), without replacement.

    Floyd's algorithm (Bentley and Floyd, "A sample of brilliance", 1987): of N places it takes, for
    j = N − count … N − 1, a random one of 0 … j, or j itself if that one is taken. Every set of places is
    equally likely, at a cost that does not depend on N.
    """
    number = jnp.arange(count, dtype=jnp.int32)
    newest = num_places - count + number
    candidates = jax.random.randint(key, (count,), 0, newest + 1, jnp.int32)

    # Not one after the other, which would be hundreds of small programs on a GPU: a candidate is taken if it
    # came before, or if it is the j of an earlier draw whose own candidate was taken. That draw may depend on
    # a third in the same way; each turn of the loop looks twice as far back.
    is_earlier = number[None] < number[:, None]
    is_taken = jnp.any((candidates[None] == candidates[:, None]) & is_earlier, axis=1)
    owner = candidates - newest[0]
    owner = jnp.where((owner >= 0) & (owner < number), owner, number)
    for _ in range((count - 1).bit_length()):
        is_taken, owner = is_taken | is_taken[owner], owner[owner]
    return jnp.where(is_taken, newest, candidates)


# --- Rotation ---------------------------------------------------------------------------------------------


def _matrix(rows: list[list], dtype: jnp.dtype) -> Array:
    return jnp.stack([jnp.stack([jnp.asarray(x, dtype) for x in row]) for row in rows])


def _product(a: Array, b: Array) -> Array:
    # Sums of products here and below: a matrix product would be slower on the CPU, and a matrix unit may
    # round its operands to fewer bits.
    return sum(a[:, i, None] * b[None, i] for i in range(3))


def _apply(matrix: Array, joints: Array) -> Array:
    """The matrix times each joint's position as a column."""
    return sum(joints[..., i, None] * matrix[None, None, None, :, i] for i in range(3))

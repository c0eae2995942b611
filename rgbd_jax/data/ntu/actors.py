"""Who of the bodies in a recording of NTU RGB+D acts: the published rules (CTR-GCN, ICCV 2021).

A recording may hold bodies that were seen for a moment, furniture taken for people, and one person under
several ids. The constants are the published ones.
"""

from collections.abc import Sequence

import numpy as np

from rgbd_jax.data.formats.ntu_skeleton import NUM_JOINTS, Body, Recording
from rgbd_jax.skeleton_layouts import NTU

# A body seen in no more frames is noise.
_NOISE_FRAMES = 11
# Wider than this share of its height, a body is not upright; if that is so in this share of its frames, it is
# noise.
_UPRIGHT_WIDTH = 0.8
_NOISE_SHARE = 0.69754


class NoActor(Exception):
    """Nobody acts in a recording; the message says why."""


def find_actors(recording: Recording) -> np.ndarray:
    """The one or two people who act.

    Of several bodies those that are noise are dropped; the one that moves most is the first actor, and each
    further one continues the first actor or, where it is there at the same time, is or continues the second.
    Frames in which neither is there are cut.

    Returns:
      Joints (T, M, V=25, 3) float32 in metres, M 1 or 2, zeros where an actor is not there.

    Raises:
      NoActor: there is nobody, only noise, or the same body twice.
    """
    if not recording.bodies:
        raise NoActor(f"there is no body in any of its {recording.num_recorded} frames")
    if len(recording.bodies) == 1:
        return _place(recording.bodies, recording.num_frames)[:, None]
    bodies = [body for body in recording.bodies if len(body.joints) > _NOISE_FRAMES]
    if not bodies:
        raise NoActor(
            f"none of its {len(recording.bodies)} bodies is there in more than {_NOISE_FRAMES} frames"
        )
    actors = _share_out(_by_motion(bodies))
    joints = np.stack([_place(bodies, recording.num_frames) for bodies in actors], axis=1)
    return without_empty_frames(joints)


def without_empty_frames(joints: np.ndarray) -> np.ndarray:
    """The frames of (T, M, V, 3) in which somebody is there."""
    return joints[joints.any(axis=(1, 2, 3))]


def centre(joints: np.ndarray, joint: int = NTU.centre) -> np.ndarray:
    """Move a clip so that a joint of the first actor is at the origin in the first frame.

    Of two actors, one who is not there stays at zero; one alone is moved in all frames, as published.

    Args:
      joints: (T, M, V, 3), see `find_actors`.
      joint: its number; as published the middle of the spine.

    Raises:
      NoActor: the first actor is never there.
    """
    is_there = joints.any(axis=(2, 3))
    if not is_there[:, 0].any():
        raise NoActor("all joints of its first actor are 0 throughout")
    moved = joints - joints[is_there[:, 0].argmax(), 0, joint]
    if joints.shape[1] > 1:
        moved[~is_there] = 0
    return moved


def _by_motion(bodies: Sequence[Body]) -> list[Body]:
    """The bodies that are not mostly lying about, those that move most first."""
    motions = {body.id: _motion(body.joints) for body in bodies}
    kept = list(bodies)
    for body in bodies:
        if len(kept) == 1:  # the last one stays, whatever it looks like
            break
        is_upright = _upright(body.joints)
        share = (~is_upright).sum() / len(is_upright)
        if share >= _NOISE_SHARE:
            kept.remove(body)
        elif share > 0:
            motions[body.id] = min(motions[body.id], _motion(body.joints[is_upright]))
    return sorted(kept, key=lambda body: motions[body.id], reverse=True)


def _motion(joints: np.ndarray) -> np.float32:
    """Variance of all positions (n, V, 3), over the axes in sum."""
    return np.var(joints.reshape(-1, 3), axis=0).sum()


def _upright(joints: np.ndarray) -> np.ndarray:
    """In which frames of (n, V, 3) a body is upright, bool (n,)."""
    extent = joints.max(axis=1) - joints.min(axis=1)
    # In double precision, as NumPy 1 compared these numbers when the published files were made.
    return extent[:, 0].astype(np.float64) <= _UPRIGHT_WIDTH * extent[:, 1].astype(np.float64)


def _share_out(bodies: Sequence[Body]) -> list[list[Body]]:
    """The bodies of the first actor and, if more than one body is given, those of the second, maybe none.

    Two bodies that share one frame count as one after the other. The second actor's time is published to
    begin with the clip: a body that comes when it has begun and another has been there is dropped.
    """
    first, *others = bodies
    if not others:
        return [[first]]
    actors = [[first], []]
    times = [(first.first, first.last), (0, 0)]
    for body in others:
        for actor, (begin, end) in enumerate(times):
            if min(end, body.last) - max(begin, body.first) <= 0:
                actors[actor].append(body)
                times[actor] = min(begin, body.first), max(end, body.last)
                break
    return actors


def _place(bodies: Sequence[Body], num_frames: int) -> np.ndarray:
    """The joints of an actor's bodies, (T, V, 3), each at its time, a later body over an earlier one."""
    joints = np.zeros((num_frames, NUM_JOINTS, 3), np.float32)
    for body in bodies:
        if body.last >= num_frames:
            raise NoActor(f"the body {body.id} is there more than once in a frame")
        joints[body.first : body.last + 1] = body.joints
    return joints

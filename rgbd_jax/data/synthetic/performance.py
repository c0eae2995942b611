"""One person performing one action before a camera: what is drawn by chance, and the motion that follows."""

import dataclasses

import numpy as np

from rgbd_jax.data.synthetic.actions import ACTIONS, DEGREES_OF_FREEDOM, MOVEMENTS, PARTS
from rgbd_jax.data.synthetic.body import NUM_JOINTS, Proportions, forward_kinematics, turn

FRAME_RATE = 30

# All degrees of freedom of a body.
ANGLES = tuple((part, name) for part, kind in PARTS.items() for name in DEGREES_OF_FREEDOM[kind])

# Upright, but not stiff: where the angles (degrees) differ from 0 before and after the action.
_AT_EASE = {(side, "sideways"): 8 for side in ("left arm", "right arm")} | {
    (side, "elbow"): 12 for side in ("left arm", "right arm")
}
_SWAYS = 3  # slow sines that make the small motion of a part which is idle


@dataclasses.dataclass(frozen=True)
class Performance:
    """All that distinguishes one recording from another.

    Attributes:
      action: one of `ACTIONS`.
      num_frames: T.
      proportions: of the body.
      begins, ends: where the action lies in the clip, fractions of its length; past 1 the clip ends first.
      tempo: cycles a second.
      first_cycle: where in its cycle the action begins, in cycles.
      amplitude: factor of each angle of the action, (angles,).
      posture: degrees added to each angle throughout, (angles,).
      sway: degrees, cycles a second and phase of the sines added to each angle, (angles, sines, 3).
      yaw, pitch: radians; how far the body is turned about its own axis, and then tilted away from the
        camera, as by one that looks up.
      position: of the point on the floor below the body, in the camera's axes, metres, (3,).
      noise: standard deviation of a measured coordinate, metres.
      seed: of what the sensor adds.
    """

    action: str
    num_frames: int
    proportions: Proportions
    begins: float
    ends: float
    tempo: float
    first_cycle: float
    amplitude: np.ndarray
    posture: np.ndarray
    sway: np.ndarray
    yaw: float
    pitch: float
    position: np.ndarray
    noise: float
    seed: int


def draw_performance(action: str, rng: np.random.Generator) -> Performance:
    """Draw a person, a place and a way to perform `action`."""
    amplitude = rng.uniform(0.7, 1.15) * rng.uniform(0.85, 1.15, len(ANGLES))
    sway = np.stack(
        [
            rng.uniform(0, 2.5, (len(ANGLES), _SWAYS)),
            rng.uniform(0.1, 0.8, (len(ANGLES), _SWAYS)),
            rng.uniform(0, 1, (len(ANGLES), _SWAYS)),
        ],
        axis=-1,
    )
    begins, ends = rng.uniform(0, 0.2), rng.uniform(0.8, 1.05)
    tempo, num_cycles = rng.uniform(0.8, 1.3), rng.uniform(1.5, 2.3)
    return Performance(
        action=action,
        num_frames=round(FRAME_RATE * num_cycles / tempo / (ends - begins)),
        proportions=Proportions(
            height=rng.uniform(0.85, 1.12),
            trunk=rng.uniform(0.92, 1.08),
            shoulders=rng.uniform(0.85, 1.15),
            arms=rng.uniform(0.92, 1.08),
            legs=rng.uniform(0.92, 1.08),
        ),
        begins=begins,
        ends=ends,
        tempo=tempo,
        first_cycle=rng.uniform(-0.15, 0.15),
        amplitude=amplitude,
        posture=rng.normal(0, 4, len(ANGLES)),
        sway=sway,
        yaw=rng.uniform(-np.pi / 3, np.pi / 3),
        pitch=np.deg2rad(rng.uniform(-15, 15)),
        position=np.array([rng.uniform(-0.6, 0.6), rng.uniform(-1.2, -0.6), rng.uniform(2.0, 4.0)]),
        noise=rng.uniform(0.004, 0.015),
        seed=int(rng.integers(2**32)),
    )


def perform(performance: Performance) -> np.ndarray:
    """The true joint positions in the camera's axes (x to its left, y up, z away) in metres, (T, V, C)."""
    angles = np.deg2rad(joint_angles(performance))
    by_name = {name: angles[:, column] for column, name in enumerate(ANGLES)}
    standing = forward_kinematics(performance.proportions.offsets(), _turns(by_name))
    view = turn("x", performance.pitch) @ turn("y", performance.yaw)
    return standing @ view.T + performance.position


def sense(performance: Performance, joints: np.ndarray) -> np.ndarray:
    """What a depth sensor reports of the joints (T, V, C): with noise, single joints lost for a while.

    A lost joint is reported beside its place by about a decimetre.
    """
    rng = np.random.default_rng(performance.seed)
    num_frames = len(joints)
    sensed = joints + rng.normal(0, performance.noise, joints.shape)
    for _ in range(rng.poisson(2)):
        joint, start = rng.integers(NUM_JOINTS), rng.integers(num_frames)
        stop = start + rng.integers(3, 15)
        sensed[start:stop, joint] += rng.normal(0, 0.06, 3)
    return sensed


def joint_angles(performance: Performance) -> np.ndarray:
    """The angles of all degrees of freedom over time, degrees, (T, angles)."""
    seconds = np.arange(performance.num_frames) / FRAME_RATE
    time = np.linspace(0, 1, performance.num_frames)
    # Parts go over into the action and back within a sixth of the clip.
    active = _smooth_step((time - performance.begins) * 6) * _smooth_step((performance.ends - time) * 6)
    cycles = performance.tempo * (seconds - performance.begins * seconds[-1]) + performance.first_cycle
    degrees, rate, phase = np.moveaxis(performance.sway, -1, 0)
    sines = degrees * np.sin(2 * np.pi * (rate * seconds[:, None, None] + phase))
    angles = performance.posture + sines.sum(-1)
    for column, (part, name) in enumerate(ANGLES):
        movement = MOVEMENTS[PARTS[part]].get(ACTIONS[performance.action].get(part))
        angles[:, column] += _AT_EASE.get((part, name), 0) * (1 - active if movement else 1)
        if movement and name in movement.curves:
            curve = movement.curves[name]
            # As in walking, an arm goes with the other side's leg.
            takes_turn = movement.alternates and part in ("right arm", "left leg")
            c = movement.rate * cycles + curve.phase + 0.5 * takes_turn
            wave = curve.hold + curve.swing * np.sin(2 * np.pi * c) + curve.pulse * np.sin(np.pi * c) ** 4
            angles[:, column] += performance.amplitude[column] * active * wave
        if name in ("elbow", "knee"):  # they bend one way only
            angles[:, column] = np.maximum(angles[:, column], 0)
    return angles


def _turns(angles: dict[tuple[str, str], np.ndarray]) -> dict[str, np.ndarray]:
    """The rotation of each joint that turns, from the angles in radians; see `forward_kinematics`."""
    turns = {
        "spine middle": turn("y", angles["trunk", "twist"])
        @ turn("z", -angles["trunk", "lean"])
        @ turn("x", -angles["trunk", "bend"]),
        "head": turn("z", -angles["head", "tilt"]) @ turn("x", -angles["head", "nod"]),
    }
    for side, sign in (("left", -1), ("right", 1)):
        arm, leg = f"{side} arm", f"{side} leg"
        turns[f"{side} elbow"] = (
            turn("z", sign * angles[arm, "sideways"])
            @ turn("x", angles[arm, "forward"])
            @ turn("y", -sign * angles[arm, "outward"])
        )
        turns[f"{side} wrist"] = turn("x", angles[arm, "elbow"])
        turns[f"{side} knee"] = turn("z", sign * angles[leg, "sideways"]) @ turn("x", angles[leg, "forward"])
        turns[f"{side} ankle"] = turn("x", -angles[leg, "knee"])
    return turns


def _smooth_step(x: np.ndarray) -> np.ndarray:
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)

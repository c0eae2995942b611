"""What the generated people do: named movements of body parts, and ten actions composed of them.

Both tables are data. Movements recur between actions, so that an action never seen can be described by
movements that were.
"""

import dataclasses

# The degrees of freedom of each kind of part. All angles are in degrees and 0 in the standing pose. Arms and
# legs are lifted forward, then sideways (away from the body); an arm also turns outward about itself.
DEGREES_OF_FREEDOM = {
    "arm": ("forward", "sideways", "outward", "elbow"),
    "leg": ("forward", "sideways", "knee"),
    "trunk": ("bend", "lean", "twist"),
    "head": ("nod", "tilt"),
}

# The parts of a body by kind.
PARTS = {
    "left arm": "arm",
    "right arm": "arm",
    "left leg": "leg",
    "right leg": "leg",
    "trunk": "trunk",
    "head": "head",
}


@dataclasses.dataclass(frozen=True)
class Curve:
    """The angle of one degree of freedom while a movement lasts, in degrees, c cycles after it began:

    hold + swing · sin(2π(c + phase)) + pulse · sin⁴(π(c + phase)).
    """

    hold: float = 0
    swing: float = 0
    pulse: float = 0
    phase: float = 0


@dataclasses.dataclass(frozen=True)
class Movement:
    """Curves by degree of freedom.

    Attributes:
      curves: the degrees of freedom that move.
      rate: cycles of this movement in one cycle of the person's tempo.
      alternates: left and right take turns.
    """

    curves: dict[str, Curve]
    rate: float = 1
    alternates: bool = False


MOVEMENTS = {
    "arm": {
        "wave": Movement(
            {"sideways": Curve(hold=75), "outward": Curve(hold=80), "elbow": Curve(hold=95, swing=30)},
            rate=1.5,
        ),
        "raise": Movement({"forward": Curve(hold=160)}),
        "push": Movement({"forward": Curve(hold=70, pulse=12), "elbow": Curve(hold=105, pulse=-100)}),
        "circle": Movement({"forward": Curve(swing=70), "sideways": Curve(hold=70, swing=45, phase=0.25)}),
        "swing": Movement({"forward": Curve(swing=35), "elbow": Curve(hold=25)}, alternates=True),
    },
    "leg": {
        "kick": Movement({"forward": Curve(pulse=80), "knee": Curve(pulse=45, phase=0.15)}),
        "march": Movement({"forward": Curve(pulse=65), "knee": Curve(pulse=85)}, alternates=True),
        "squat": Movement({"forward": Curve(pulse=65), "knee": Curve(pulse=130)}, rate=0.7),
    },
    "trunk": {
        "bow": Movement({"bend": Curve(pulse=60)}, rate=0.7),
        "lean": Movement({"bend": Curve(pulse=25)}, rate=0.7),
    },
    "head": {
        "nod": Movement({"nod": Curve(pulse=40)}, rate=1.4),
        "tilt": Movement({"tilt": Curve(hold=25)}),
    },
}

# In label order: the movement of each part that takes part.
ACTIONS: dict[str, dict[str, str]] = {
    "wave": {"right arm": "wave", "head": "tilt"},
    "wave while marching": {"left arm": "wave", "left leg": "march", "right leg": "march"},
    "march": {"left arm": "swing", "right arm": "swing", "left leg": "march", "right leg": "march"},
    "raise both arms": {"left arm": "raise", "right arm": "raise"},
    "raise both arms and squat": {
        "left arm": "raise",
        "right arm": "raise",
        "left leg": "squat",
        "right leg": "squat",
        "trunk": "lean",
    },
    "push and squat": {
        "left arm": "push",
        "right arm": "push",
        "left leg": "squat",
        "right leg": "squat",
        "trunk": "lean",
    },
    "kick": {"right leg": "kick", "left arm": "swing", "right arm": "swing"},
    "kick and push": {"left leg": "kick", "right arm": "push"},
    "bow": {"trunk": "bow", "head": "nod"},
    "circle both arms": {"left arm": "circle", "right arm": "circle", "head": "nod"},
}

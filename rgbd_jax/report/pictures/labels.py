"""How class names stand at an axis."""

from collections.abc import Sequence

from matplotlib.axis import Axis

ROOMY = 40  # classes up to which the names may be slanted

_POINTS_PER_INCH = 72


def shortened(name: str, length: int = 28) -> str:
    return name if len(name) <= length else name[: length - 1] + "…"


def name_classes(axis: Axis, class_names: Sequence[str], inches: float) -> None:
    """Put K names at 0 to K − 1, as large as they may be on an axis of so many inches."""
    classes = len(class_names)
    size = min(9.0, 0.65 * _POINTS_PER_INCH * inches / classes)
    style = {}
    if axis.axis_name == "x":
        slanted = dict(rotation=45, ha="right", rotation_mode="anchor")
        style = slanted if classes <= ROOMY else dict(rotation=90)
    axis.set_ticks(range(classes), [shortened(name) for name in class_names], fontsize=size, **style)

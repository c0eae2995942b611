"""How names of classes and clips, which may hold anything, stand in pictures."""

import contextlib
import functools
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import font_manager
from matplotlib.axis import Axis
from matplotlib.figure import Figure

ROOMY = 40  # classes up to which the names may be slanted

_POINTS_PER_INCH = 72
_TAIL = 11  # of a shortened name: names of classes often differ at their ends alone
# With signs that matplotlib's own font lacks, each common on some system.
_FAMILIES = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "PingFang SC",
    "Hiragino Sans",
    "Apple SD Gothic Neo",
    "Arial Unicode MS",
    "Unifont",
)


@functools.cache
def verbatim() -> dict[str, Any]:
    """Properties of a text that is drawn as it stands, without formulas, in fonts that have its signs if any
    is installed."""
    installed = set(font_manager.get_font_names())
    families = [name for name in _FAMILIES if name in installed]
    return {"parse_math": False, "fontfamily": [*matplotlib.rcParams["font.family"], *families]}


@contextlib.contextmanager
def unknown_signs_as_boxes() -> Iterator[None]:
    """What is drawn has a box in place of a sign that no font has, and nothing is said of it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font")
        yield


def save(figure: Figure, path: Path) -> None:
    """Draw a figure to a file."""
    with unknown_signs_as_boxes():
        figure.savefig(path)


def shortened(name: str, length: int = 28) -> str:
    """A name of at most so many letters; what is too much goes out of its middle."""
    return name if len(name) <= length else f"{name[: length - 1 - _TAIL]}…{name[-_TAIL:]}"


def name_classes(axis: Axis, class_names: Sequence[str], inches: float) -> None:
    """Put K names at 0 to K − 1, as large as they may be on an axis of so many inches."""
    classes = len(class_names)
    size = min(9.0, 0.65 * _POINTS_PER_INCH * inches / classes)
    style = verbatim()
    if axis.axis_name == "x":
        slanted = dict(rotation=45, ha="right", rotation_mode="anchor")
        style = style | (slanted if classes <= ROOMY else dict(rotation=90))
    axis.set_ticks(range(classes), [shortened(name) for name in class_names], fontsize=size, **style)

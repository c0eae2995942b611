"""Clips of joints as the skeleton networks read them."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

_FRAMES = 8
PERSON_COLOURS = ("tab:blue", "tab:orange")
# The coordinate that runs to the right.
VIEWS = {"front": 0, "side": 2}
_WIDTH = 13.0  # inches


def skeleton_picture(joints: np.ndarray, parents: Sequence[int], unit: str = "") -> Figure:
    """Draw the persons of a clip at 8 of its moments side by side, from the front (x, y) and the side (z, y).

    Args:
      joints: positions (T, M, V, C=3), y upwards; a person of zeros is not there.
      parents: the parent of each joint; the root is its own.
      unit: of the positions.
    """
    frames = np.linspace(0, len(joints) - 1, min(_FRAMES, len(joints))).astype(int)
    persons = [person for person in range(joints.shape[1]) if joints[:, person].any()] or [0]
    shown = joints[frames][:, persons]
    low, high = shown.min((0, 1, 2)), shown.max((0, 1, 2))
    extent = np.maximum(high - low, np.finfo(np.float32).tiny)
    # From one moment to the next; in each view as far, so that both have one scale.
    step = 1.15 * max(extent[across] for across in VIEWS.values())
    height = float(np.clip(_WIDTH * extent[1] / (step * len(frames)), 1, 5))
    size = (_WIDTH + 1, len(VIEWS) * (height + 0.6))
    figure = Figure(figsize=size, dpi=150, layout="constrained")
    for axes, (view, across) in zip(figure.subplots(len(VIEWS)), VIEWS.items(), strict=True):
        middle = (low[across] + high[across]) / 2
        for place, moment in enumerate(shown):
            for person, position in zip(persons, moment, strict=True):
                points = np.stack((position[:, across] - middle + place * step, position[:, 1]), axis=1)
                colour = PERSON_COLOURS[person % len(PERSON_COLOURS)]
                axes.plot(*bone_lines(points, parents), color=colour, linewidth=1.2)
                axes.plot(*points.T, ".", color=colour, markersize=3)
        axes.set_title(f"from the {view}", fontsize=10)
        axes.set_ylabel("y" + (f" in {unit}" if unit else ""))
        axes.set_xticks(step * np.arange(len(frames)), [f"frame {frame + 1}" for frame in frames])
        axes.set_xlim(-0.55 * step, (len(frames) - 0.45) * step)
        axes.set_aspect("equal")
        axes.grid(axis="y", alpha=0.3)
    return figure


def bone_lines(points: np.ndarray, parents: Sequence[int]) -> np.ndarray:
    """The bones between joints (V, 2) as one line with gaps, x and y: (2, 3 V)."""
    # From each joint to its parent, then a gap.
    bones = np.stack((points, points[list(parents)], np.full_like(points, np.nan)), axis=1)
    return bones.reshape(-1, 2).T


def motion_picture(motion: np.ndarray, title: str) -> Figure:
    """Draw how much each joint or bone changes from each frame to the next.

    Args:
      motion: differences (T, M, V, C); a person of zeros is not there.
    """
    persons = [person for person in range(motion.shape[1]) if motion[:, person].any()] or [0]
    length = np.linalg.norm(motion, axis=-1)
    figure = Figure(figsize=(8, 3 * len(persons) + 0.6), dpi=150, layout="constrained")
    panels = figure.subplots(len(persons), sharex=True, squeeze=False)[:, 0]
    for axes, person in zip(panels, persons, strict=True):
        frames, joints = length[:, person].shape
        image = axes.imshow(
            length[:, person].T,
            aspect="auto",
            interpolation="nearest",
            vmin=0,
            vmax=max(length.max(), np.finfo(np.float32).tiny),
            extent=(0.5, frames + 0.5, joints + 0.5, 0.5),
        )
        axes.set_ylabel(f"joint of person {person + 1}" if len(persons) > 1 else "joint")
    panels[0].set_title(title, fontsize=10)
    panels[-1].set_xlabel("frame")
    figure.colorbar(image, ax=panels, label="length of the change from frame to frame")
    return figure

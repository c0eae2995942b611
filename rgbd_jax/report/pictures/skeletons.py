"""Clips of joints as the skeleton networks read them."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

_FRAMES = 8
_COLOURS = ("tab:blue", "tab:orange")
# The axes that are seen from each side, and the sign with which they run to the right.
_VIEWS = {"from the front": (0, "x"), "from the side": (2, "z")}


def skeleton_picture(joints: np.ndarray, parents: Sequence[int], unit: str = "") -> Figure:
    """Draw the persons of a clip at 8 of its moments, from the front (x, y) and from the side (z, y).

    Args:
      joints: positions (T, M, V, C=3), y upwards; a person of zeros is not there.
      parents: the parent of each joint; the root is its own.
      unit: of the positions.
    """
    frames = np.linspace(0, len(joints) - 1, min(_FRAMES, len(joints))).astype(int)
    persons = [person for person in range(joints.shape[1]) if joints[:, person].any()]
    figure = Figure(figsize=(1.6 * len(frames) + 0.8, 5.6), dpi=150, layout="constrained")
    panels = figure.subplots(len(_VIEWS), len(frames), sharex="row", sharey=True, squeeze=False)
    for row, (view, (across, name)) in zip(panels, _VIEWS.items(), strict=True):
        for axes, frame in zip(row, frames, strict=True):
            for person in persons:
                position = joints[frame, person]
                colour = _COLOURS[person % len(_COLOURS)]
                for joint, parent in enumerate(parents):
                    bone = position[[joint, parent]]
                    axes.plot(bone[:, across], bone[:, 1], color=colour, linewidth=1.2)
                axes.plot(position[:, across], position[:, 1], ".", color=colour, markersize=3)
            # Not "datalim": that one would change the shared limits from panel to panel.
            axes.set_aspect("equal", adjustable="box")
            axes.tick_params(labelsize=7)
            axes.grid(alpha=0.3)
            axes.set_xlabel(name + (f" in {unit}" if unit else ""), fontsize=8)
            if axes in panels[0]:
                axes.set_title(f"frame {frame + 1}", fontsize=9)
        row[0].set_ylabel(f"{view}\ny" + (f" in {unit}" if unit else ""), fontsize=8)
    return figure


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

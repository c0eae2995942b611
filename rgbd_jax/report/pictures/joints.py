"""Which joints speak for the class that a skeleton network found, and when: joint saliency."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from rgbd_jax.report.pictures.skeletons import bone_lines

_MOMENTS = 8
_COLOURS = "viridis"
_DOT = 90  # square points of a joint of full activation
_WIDTH = 13.0  # inches


def joint_activation_picture(
    activation: np.ndarray, clip: np.ndarray, joints: np.ndarray | None, parents: Sequence[int], of: str
) -> Figure:
    """Draw the class activation of each joint: on the skeleton at 8 moments, and over all frames.

    What speaks against the class is drawn as nothing, the rest as a share of the largest in the clip. Each
    moment shows the mean over the eighth of the clip that it stands for.

    Args:
      activation: (M, t, V), of t equal parts of the clip.
      clip: what the network read, (T, M, V, C); a person of zeros is not there.
      joints: positions (T, M, V, C=3), y upwards, to draw the skeleton by. None for what has no place: then
        only the frames are drawn.
      parents: the parent of each joint; the root is its own.
      of: what is known by its joint: "joint" or "bone".
    """
    persons = [person for person in range(clip.shape[1]) if clip[:, person].any()] or [0]
    part_of_frame = np.arange(len(clip)) * activation.shape[1] // len(clip)
    share = np.maximum(activation[persons][:, part_of_frame], 0)
    share = share / max(share.max(), np.finfo(np.float32).tiny)
    heights = [2.0 * len(persons)] if joints is None else [3.2, 2.0 * len(persons)]
    figure = Figure(figsize=(_WIDTH, sum(heights) + 0.8), dpi=150, layout="constrained")
    *above, below = figure.subfigures(len(heights), squeeze=False, height_ratios=heights)[:, 0]
    if joints is not None:
        (upper,) = above
        _draw_moments(upper.subplots(), share.swapaxes(0, 1), joints[:, persons], parents)
    panels = below.subplots(len(persons), sharex=True, squeeze=False)[:, 0]
    for axes, person, own in zip(panels, persons, share, strict=True):
        frames, count = own.shape
        axes.imshow(
            own.T,
            aspect="auto",
            interpolation="nearest",
            cmap=_COLOURS,
            vmin=0,
            vmax=1,
            extent=(0.5, frames + 0.5, count + 0.5, 0.5),
        )
        axes.set_ylabel(f"{of} of person {person + 1}" if len(persons) > 1 else of)
    panels[0].set_title(f"class activation of each {of} in each frame", fontsize=10)
    panels[-1].set_xlabel("frame")
    below.colorbar(
        ScalarMappable(Normalize(0, 1), _COLOURS), ax=list(panels), label="share of the clip's largest"
    )
    return figure


def _draw_moments(axes: Axes, share: np.ndarray, joints: np.ndarray, parents: Sequence[int]) -> None:
    """The persons from the front, side by side."""
    count = min(_MOMENTS, len(joints))
    frames = np.linspace(0, len(joints) - 1, count).astype(int)
    means = np.stack([part.mean(axis=0) for part in np.array_split(share, count)])
    means = means / max(means.max(), np.finfo(np.float32).tiny)
    shown = joints[frames]
    low, high = shown.min((0, 1, 2)), shown.max((0, 1, 2))
    step = 1.15 * max(high[0] - low[0], 0.25 * (high[1] - low[1]), np.finfo(np.float32).tiny)
    for place, (moment, shares) in enumerate(zip(shown, means, strict=True)):
        for position, own in zip(moment, shares, strict=True):
            points = position[:, :2] + [place * step - (low[0] + high[0]) / 2, 0]
            axes.plot(*bone_lines(points, parents), color="0.7", linewidth=1.2, zorder=1)
            order = np.argsort(own)  # what matters most lies on top
            axes.scatter(
                *points[order].T,
                c=own[order],
                s=8 + _DOT * own[order],
                cmap=_COLOURS,
                vmin=0,
                vmax=1,
                edgecolors="0.3",
                linewidths=0.3,
                zorder=2,
            )
    axes.set_title("from the front; large and light: much activation", fontsize=10)
    axes.set_xticks(step * np.arange(count), [f"frame {frame + 1}" for frame in frames])
    axes.set_yticks([])
    axes.set_xlim(-0.55 * step, (count - 0.45) * step)
    axes.set_aspect("equal")

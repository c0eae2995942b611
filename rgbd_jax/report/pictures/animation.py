"""Clips as animated pictures, GIF files that every browser plays."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from rgbd_jax.files import replacing
from rgbd_jax.report.pictures.labels import unknown_signs_as_boxes, verbatim
from rgbd_jax.report.pictures.skeletons import PERSON_COLOURS, VIEWS, bone_lines

_DPI = 80
_INCHES = 4.0  # the longer side of a view
_PALETTE_ROWS = 64  # of each frame
_MARGIN = 0.08  # as a share of what is shown


def skeleton_animation(
    path: Path, joints: np.ndarray, parents: Sequence[int], *, title: str = "", unit: str = "m", fps: int = 30
) -> None:
    """Write a clip of one or more persons in motion, from the front (x, y) and from the side (z, y).

    Args:
      path: a .gif file.
      joints: positions (T, M, V, C=3), y upwards; a person of zeros is not there in that frame.
      parents: the parent of each joint; the root is its own.
      title: above the picture.
      unit: of the positions.
      fps: frames a second.

    Raises:
      OutsideError: the disk refuses.
    """
    _write(path, skeleton_frames(joints, parents, title, unit), fps)


def video_animation(path: Path, frames: Mapping[str, Sequence[np.ndarray]], *, fps: int = 30) -> None:
    """Write the frames of a clip, of several modalities side by side.

    Args:
      path: a .gif file.
      frames: by modality, uint8 (H, W, 3), or uint16 (H, W, 1), which are drawn from black, the smallest
        value of the clip that is not 0, to white; 0, no measurement, is black. As many of each; smaller
        frames have black beyond their right and lower borders.
      fps: frames a second.

    Raises:
      OutsideError: the disk refuses.
    """
    modalities = [_coloured(images) for images in frames.values()]
    height = max(image.shape[0] for images in modalities for image in images)
    widths = [max(image.shape[1] for image in images) for images in modalities]
    pictures = (side_by_side(images, height, widths) for images in zip(*modalities, strict=True))
    _write(path, pictures, fps)


def _write(path: Path, pictures: Iterator[np.ndarray], fps: int) -> None:
    """Write pictures uint8 (H, W, 3), of the same size."""
    pictures = list(pictures)
    # One palette, of rows of them all: else colours flicker, and those of a few frames are missing.
    step = max(1, len(pictures[0]) // _PALETTE_ROWS)
    palette = Image.fromarray(np.concatenate([picture[::step] for picture in pictures])).quantize(256)
    images = [
        Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures
    ]
    with replacing(path) as temporary:
        images[0].save(temporary, save_all=True, append_images=images[1:], duration=round(1000 / fps), loop=0)


def skeleton_frames(
    joints: np.ndarray, parents: Sequence[int], title: str = "", unit: str = "m"
) -> Iterator[np.ndarray]:
    """Draw each moment of a clip, uint8 (H, W, 3); the arguments are those of `skeleton_animation`."""
    is_there = joints.any(axis=(2, 3))
    shown = joints[is_there] if is_there.any() else joints[:, 0]
    low, high = shown.min((0, 1)), shown.max((0, 1))
    middle, reach = (low + high) / 2, (0.5 + _MARGIN) * max(*(high - low), 0.1)
    figure = Figure(figsize=(len(VIEWS) * _INCHES, _INCHES + 0.6), dpi=_DPI, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    heading = figure.suptitle(title, fontsize=10, **verbatim())
    lines = {}
    for axes, (view, across) in zip(figure.subplots(1, len(VIEWS)), VIEWS.items(), strict=True):
        for person in range(joints.shape[1]):
            (line,) = axes.plot(
                [], [], ".-", color=PERSON_COLOURS[person % len(PERSON_COLOURS)], linewidth=2, markersize=5
            )
            lines[across, person] = line
        axes.set_title(f"from the {view}", fontsize=10)
        axes.set_xlim(middle[across] - reach, middle[across] + reach)
        axes.set_ylim(middle[1] - reach, middle[1] + reach)
        axes.set_xlabel(f"{'xyz'[across]} in {unit}")
        axes.set_aspect("equal")
        axes.grid(alpha=0.3)
    for number, moment in enumerate(joints):
        heading.set_text(f"{title}\nframe {number + 1} of {len(joints)}".strip())
        for (across, person), line in lines.items():
            points = moment[person][:, [across, 1]]
            line.set_data(*(bone_lines(points, parents) if is_there[number, person] else ([], [])))
        with unknown_signs_as_boxes():
            canvas.draw()
        yield np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _coloured(images: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Frames of a clip as uint8 (H, W, 3)."""
    if images[0].dtype == np.uint8:
        return list(images)
    span = depth_span(images)
    return [grey(image, *span) for image in images]


def depth_span(images: Iterable[np.ndarray]) -> tuple[int, int]:
    """The nearest and the farthest that depth frames of a clip, uint16 (H, W, 1), have measured."""
    spans = [(int(image[image > 0].min()), int(image.max())) for image in images if image.any()]
    return min((near for near, _ in spans), default=0), max((far for _, far in spans), default=0)


def grey(image: np.ndarray, nearest: int, farthest: int) -> np.ndarray:
    """A depth frame, uint16 (H, W, 1), from black, the nearest, to white: uint8 (H, W, 3); 0 is black."""
    scale = 255 / max(farthest - nearest, 1)
    levels = ((np.maximum(image, nearest) - nearest) * scale).astype(np.uint8)
    return np.repeat(levels, 3, axis=2)


def side_by_side(images: Sequence[np.ndarray], height: int, widths: Sequence[int]) -> np.ndarray:
    """Frames uint8 (h, w, 3) of the same moment as one picture, with black where they are smaller."""
    padded = [_extended(image, height, width) for image, width in zip(images, widths, strict=True)]
    return np.concatenate(padded, axis=1)


def _extended(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """A frame with black below it and to its right."""
    return np.pad(image, ((0, height - image.shape[0]), (0, width - image.shape[1]), (0, 0)))

"""What `predict --render` writes: the recording with what was found in it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rgbd_jax.recordings import Reader, Recording, SkeletonReader, VideoReader
from rgbd_jax.report.pictures.animation import depth_span, grey, side_by_side, skeleton_frames
from rgbd_jax.report.pictures.captions import write_captioned_video
from rgbd_jax.report.predictions import Result


def render(path: Path, reader: Reader, recording: Recording, result: Result) -> None:
    """Write the recording as `.mp4`, each frame with the class found there and its probability.

    Colour and depth stand side by side, measured depth from black (near) to white; joints are drawn from the
    front and from the side.

    Raises:
      OutsideError: the video cannot be written.
    """
    draw = _drawn_joints if isinstance(reader, SkeletonReader) else _drawn_frames
    write_captioned_video(path, draw(reader, recording), captions(recording, result), recording.fps)


def captions(recording: Recording, result: Result) -> Iterator[str]:
    """What is found in each frame: the best class of the whole, or the segment's."""
    place = 0
    for number in range(recording.num_frames):
        if not result.segments:
            name, probability = result.top[0]
        else:
            last = len(result.segments) - 1
            while place < last and number / recording.fps >= result.segments[place].end:
                place += 1
            _, _, name, probability = result.segments[place]
        yield f"{name}  {100 * probability:.0f} %"


def _drawn_joints(reader: SkeletonReader, recording: Recording) -> Iterator[np.ndarray]:
    return skeleton_frames(recording.clip["joints"], reader.layout.parents)


def _drawn_frames(reader: VideoReader, recording: Recording) -> Iterator[np.ndarray]:
    formats = recording.formats
    height = max(size.height for size in formats.values())
    widths = [size.width for size in formats.values()]
    spans = {
        name: depth_span(reader.decoded(recording, name))
        for name, size in formats.items()
        if size.dtype == np.uint16
    }
    for frames in zip(*(reader.decoded(recording, name) for name in formats), strict=True):
        named = zip(formats, frames, strict=True)
        shown = [grey(frame, *spans[name]) if name in spans else frame for name, frame in named]
        yield side_by_side(shown, height, widths)

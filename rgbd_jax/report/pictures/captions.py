"""Videos with words over them."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from rgbd_jax.errors import OutsideError
from rgbd_jax.files import replacing

_SHARE = 0.06  # of the height, for the letters
_SMALLEST = 12  # pixels, of the letters


def write_captioned_video(
    path: Path, pictures: Iterable[np.ndarray], captions: Iterable[str], fps: float
) -> None:
    """Write a video, MPEG-4 in `.mp4`, with a caption at the upper border of each frame.

    Args:
      path: a .mp4 file.
      pictures: uint8 (H, W, 3), red first, all of one size.
      captions: as many.
      fps: frames a second.

    Raises:
      OutsideError: it cannot be written.
    """
    writer = None
    with replacing(path) as temporary:
        try:
            for picture, caption in zip(pictures, captions, strict=True):
                frame = captioned(picture, caption)
                if writer is None:
                    height, width, _ = frame.shape
                    code = cv2.VideoWriter_fourcc(*"mp4v")
                    writer = cv2.VideoWriter(str(temporary), code, fps, (width, height))
                    if not writer.isOpened():
                        raise OutsideError(f"{path}: cannot be written as a video; nothing was saved")
                writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
        finally:
            if writer is not None:
                writer.release()


def captioned(picture: np.ndarray, caption: str) -> np.ndarray:
    """A picture uint8 (H, W, 3) with a caption over it, of even height and width as MPEG-4 needs them."""
    height, width, _ = picture.shape
    even = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)))
    image = Image.fromarray(even)
    draw = ImageDraw.Draw(image, "RGBA")
    size = max(_SMALLEST, round(_SHARE * height))
    font = ImageFont.load_default(size)
    margin = size // 3
    wide = draw.textlength(caption, font=font) + 2 * margin
    if wide > width:  # the words count, not their size
        font = ImageFont.load_default(max(6, int(size * width / wide)))
    draw.rectangle((0, 0, image.width, size + 2 * margin), fill=(0, 0, 0, 160))
    draw.text((margin, margin), caption, font=font, fill=(255, 255, 255, 255))
    return np.asarray(image)

"""Tiny video data sets with known content, for tests: frames, folders of them, videos and lists."""

from pathlib import Path

import cv2
import numpy as np


def frame(number: int, height: int = 24, width: int = 32) -> np.ndarray:
    """A smooth picture, uint8 (H, W, 3), red first, that tells its number: red grows with it."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[..., 0] = 20 + 5 * number
    picture[..., 1] = np.linspace(0, 120, width)
    picture[..., 2] = np.linspace(0, 200, height)[:, None]
    return picture


def number_of(picture: np.ndarray) -> int:
    """The number that a picture of `frame` was given, through what JPEG and a video codec leave of it."""
    return round((float(np.mean(picture[..., 0])) - 20) / 5)


def write_image(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture
    assert cv2.imwrite(str(path), bgr)


def write_folder(folder: Path, name: str, first: int, count: int, **size: int) -> None:
    for number in range(count):
        write_image(folder / (name % (first + number)), frame(number, **size))


def write_video(path: Path, count: int, height: int = 24, width: int = 32) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 30, (width, height))
    assert video.isOpened()
    for number in range(count):
        video.write(cv2.cvtColor(frame(number, height, width), cv2.COLOR_RGB2BGR))
    video.release()


def write_list(path: Path, lines: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))

"""Frames of a camera of this machine, as they come."""

from collections.abc import Iterator

import cv2
import numpy as np

from rgbd_jax.errors import OutsideError, UserError


def camera_frames(index: int) -> Iterator[np.ndarray]:
    """Frames uint8 (H, W, 3), red first, without end.

    Args:
      index: of the camera, as OpenCV counts them, from 0.

    Raises:
      UserError: there is no such camera.
      OutsideError: it gives no more frames.
    """
    if index < 0:  # takes OpenCV, and with it the process, down
        raise UserError(f"--camera={index}: must be 0 or more")
    camera = cv2.VideoCapture(index)
    try:
        if not camera.isOpened():
            raise UserError(f"--camera={index}: OpenCV finds no such camera; they are counted from 0")
        while True:
            found, frame = camera.read()
            if not found:
                raise OutsideError(f"--camera={index}: the camera gives no more frames")
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
    finally:
        camera.release()

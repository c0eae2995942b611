"""Single frames, to and from the bytes of image files."""

import cv2
import numpy as np

COLOUR = 3  # channels of a frame of 8 bits, colour or depth painted as colour
DEPTH = 1  # channels of a depth frame of 16 bits
# How messages call the frames of so many channels.
KINDS = {COLOUR: "in colours of 8 bits", DEPTH: "measured, of 16 bits"}

JPEG_QUALITY = 95

# What cannot be decoded is named by those who asked for it.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def decode(encoded: bytes, channels: int) -> np.ndarray:
    """The frame in an image file.

    Args:
      encoded: the content of a JPEG or PNG file.
      channels: what is wanted, `COLOUR` or `DEPTH`.

    Returns:
      uint8 (H, W, 3), red first; or uint16 (H, W, 1).

    Raises:
      ValueError: it is cut off, damaged, no image, or not of 16 bits where depth is wanted.
    """
    if not encoded:
        raise ValueError("it is empty")
    # A camera's note on how it was held is not applied, as in the published loader.
    flags = (
        cv2.IMREAD_UNCHANGED if channels == DEPTH else cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    )
    try:
        image = cv2.imdecode(np.frombuffer(encoded, np.uint8), flags)
    except cv2.error as error:
        raise ValueError("it is no image") from error
    if image is None:
        raise ValueError("it is cut off, damaged or no image")
    if channels == DEPTH:
        if image.dtype != np.uint16 or image.ndim != 2:
            raise ValueError(f"found {image.dtype} {image.shape}; 16 bits and one channel are needed")
        return image[..., None]
    return image


def encode_jpeg(image: np.ndarray) -> bytes:
    """A JPEG file, quality 95, of a frame uint8 (H, W, 3), red first."""
    _, encoded = cv2.imencode(
        ".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    return encoded.tobytes()


def encode_png(image: np.ndarray) -> bytes:
    """A PNG file of a depth frame uint16 (H, W, 1); nothing is lost."""
    _, encoded = cv2.imencode(".png", image)
    return encoded.tobytes()

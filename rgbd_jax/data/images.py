"""Single frames, to and from the bytes of image files."""

import contextlib

import cv2
import numpy as np
import simplejpeg

COLOUR = 3  # channels of a frame of 8 bits, colour or depth painted as colour
DEPTH = 1  # channels of a depth frame of 16 bits
# How messages call the frames of so many channels.
KINDS = {COLOUR: "in colours of 8 bits", DEPTH: "measured, of 16 bits"}

JPEG_QUALITY = 95

LARGEST = 2**30  # pixels of a frame, as OpenCV has it

# What begins and ends a JPEG file, and what begins the picture in it, where the end cannot occur by chance.
_JPEG_START, _JPEG_PICTURE, _JPEG_END = b"\xff\xd8", b"\xff\xda", b"\xff\xd9"

# What cannot be decoded is named by those who asked for it.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def decode(encoded: bytes, channels: int, place: np.ndarray | None = None) -> np.ndarray:
    """The frame in an image file.

    Args:
      encoded: the content of a JPEG or PNG file.
      channels: what is wanted, `COLOUR` or `DEPTH`.
      place: an array of whole frames' shape and dtype that may be written to; a frame of its size may then
        be in it, and no memory be needed for it.

    Returns:
      uint8 (H, W, 3), red first; or uint16 (H, W, 1).

    Raises:
      ValueError: it is cut off, damaged, no image, or not of 16 bits where depth is wanted.
    """
    if not encoded:
        raise ValueError("it is empty")
    if encoded.startswith(_JPEG_START):
        if not _ends(encoded):
            raise ValueError("it is cut off, the end of the JPEG is missing")
        if channels == COLOUR:
            # The usual way, to the same levels as the other in a third of the time. What it refuses, such as
            # four colours or bytes too many, the other may take.
            with contextlib.suppress(ValueError):
                return _decode_jpeg(encoded, place)
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


def _decode_jpeg(encoded: bytes, place: np.ndarray | None) -> np.ndarray:
    height, width, _, _ = simplejpeg.decode_jpeg_header(encoded)
    if height * width > LARGEST:
        raise ValueError(f"{width}×{height} pixels")
    fits = place is not None and place.shape[:2] == (height, width)
    return simplejpeg.decode_jpeg(encoded, buffer=place if fits else None)


def _ends(encoded: bytes) -> bool:
    """Whether the picture of a JPEG file has an end, maybe with other bytes behind it.

    Without one, as in a file whose end a crash left as zeros, the rest of the picture is decoded to grey.
    """
    if encoded.endswith(_JPEG_END):
        return True
    # What stands before the picture is in segments, which begin with a marker and their length. One of them
    # may hold a small picture with an end of its own.
    place = len(_JPEG_START)
    while (marker := encoded[place : place + 2]) != _JPEG_PICTURE:
        length = int.from_bytes(encoded[place + 2 : place + 4])
        if not marker.startswith(b"\xff") or length < 2:
            return False
        place += 2 + length
    return _JPEG_END in encoded[place:]


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

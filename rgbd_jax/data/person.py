"""Where the person is in a masked depth frame of NTU RGB+D, and the boxes cut around it.

The frames are 0 outside of the people. As published (MotionRGBD, CVPR 2022) the centre is found frame by
frame, its x and its y each the smallest over all people, so the box may jitter: the published weights have
seen it like that.
"""

from typing import NamedTuple

import cv2
import numpy as np

# Width and height of the box cut from a depth frame, and of the colour frames of NTU RGB+D.
DEPTH_BOX = (320, 240)
COLOUR_SIZE = (1920, 1080)

# Sides of the squares, in pixels, with which the mask of the people is eroded, then dilated.
EROSION = 3
DILATION = 10

# A smaller patch, in pixels, is taken for noise.
SMALLEST_PERSON = 500

# Depth, in millimetres, of which eight bits see nothing: the lower ones of its multiples, the upper ones of
# what is nearer.
_WRAP = 256

# How a person is found, for the record of a preparation.
PARAMETERS = {
    "erosion": EROSION,
    "dilation": DILATION,
    "smallest_area": SMALLEST_PERSON,
    "mask_for_depth": f"depth modulo {_WRAP} is not 0",
    "mask_for_colour": f"depth is at least {_WRAP}",
    "centre": "the smallest x and the smallest y of the least rectangles' centres",
}


class Box(NamedTuple):
    """A part of an image, in pixels; right and bottom are the first ones outside."""

    left: int
    top: int
    right: int
    bottom: int


def depth_person_box(depth: np.ndarray) -> tuple[Box, bool]:
    """The part of a depth frame around the person.

    A depth that is a multiple of 256 mm counts as no person: the published program looks for people after
    it has wrapped the depth to eight bits.

    Args:
      depth: masked depth in millimetres, uint16 (H, W).

    Returns:
      A box of 320×240 pixels, less what lies beyond the right and the lower border, and whether a person was
      found; if not, the box lies in the middle.
    """
    height, width = depth.shape
    centre = _person_centre(depth % _WRAP != 0)
    return _box_around(centre or (width // 2, height // 2), DEPTH_BOX, (width, height)), centre is not None


def rgb_roi_box(depth: np.ndarray, size: tuple[int, int] = COLOUR_SIZE) -> tuple[Box, bool]:
    """The part of a colour frame around the person in the depth frame of the same moment.

    A depth below 256 mm counts as no person: the published program reads the upper eight bits alone.

    Args:
      depth: masked depth in millimetres, uint16 (H, W).
      size: width and height of the colour frame.

    Returns:
      A box of half the width and half the height, less what lies beyond the right and the lower border, and
      whether a person was found; if not, the box lies in the middle.
    """
    height, width = depth.shape
    centre = _person_centre(depth >= _WRAP)
    x, y = centre or (width // 2, height // 2)
    in_colour = int(size[0] / width * x), int(size[1] / height * y)
    return _box_around(in_colour, (size[0] // 2, size[1] // 2), size), centre is not None


def _person_centre(mask: np.ndarray) -> tuple[int, int] | None:
    """The smallest x and the smallest y of the centres of all patches of a mask, None if there are none."""
    eroded = cv2.erode(mask.astype(np.uint8), np.ones((EROSION, EROSION), np.uint8))
    patches = cv2.dilate(eroded, np.ones((DILATION, DILATION), np.uint8))
    outlines, _ = cv2.findContours(patches, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    people = [outline for outline in outlines if cv2.contourArea(outline) > SMALLEST_PERSON]
    if not people:
        return None
    centres = [cv2.minAreaRect(outline)[0] for outline in people]
    return int(min(x for x, _ in centres)), int(min(y for _, y in centres))


def _box_around(centre: tuple[int, int], extent: tuple[int, int], size: tuple[int, int]) -> Box:
    left = max(centre[0] - extent[0] // 2, 0)
    top = max(centre[1] - extent[1] // 2, 0)
    return Box(left, top, min(left + extent[0], size[0]), min(top + extent[1], size[1]))

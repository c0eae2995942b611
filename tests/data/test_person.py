"""The boxes around the person in NTU's depth frames."""

import numpy as np
import pytest

from rgbd_jax.data.person import depth_person_box, rgb_roi_box

HEIGHT, WIDTH = 424, 512


def depth_frame(*people: tuple[int, int, int, int], depth: int = 2100) -> np.ndarray:
    """A frame in which each (left, top, width, height) is `depth` millimetres away and the rest is masked."""
    frame = np.zeros((HEIGHT, WIDTH), np.uint16)
    for left, top, width, height in people:
        frame[top : top + height, left : left + width] = depth
    return frame


def test_box_is_centred_on_the_person():
    box, found = depth_person_box(depth_frame((220, 160, 61, 121)))
    assert found
    # The dilation by ten pixels, an even number, moves the centre by half a pixel, which is cut off.
    assert box == (250 - 160, 220 - 120, 250 + 160, 220 + 120)


def test_box_is_cut_at_the_far_borders_and_moved_at_the_near_ones():
    right_low = depth_frame((440, 340, 60, 80))
    left, top, right, bottom = depth_person_box(right_low)[0]
    assert (right, bottom) == (WIDTH, HEIGHT) and right - left < 320 and bottom - top < 240
    assert depth_person_box(depth_frame((5, 5, 60, 80)))[0] == (0, 0, 320, 240)


def test_x_and_y_are_each_the_smallest_of_all_people():
    together = depth_frame((100, 250, 60, 100), (350, 50, 60, 100))
    one, other = depth_frame((100, 250, 60, 100)), depth_frame((350, 50, 60, 100))
    for find in (depth_person_box, rgb_roi_box):
        box = find(together)[0]
        assert box[0] == find(one)[0][0]
        assert box[1] == find(other)[0][1]


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(depth_frame(), id="empty"),
        pytest.param(depth_frame((200, 200, 8, 8)), id="noise"),
        pytest.param(depth_frame((200, 100, 60, 120), depth=2048), id="multiple of 256"),
    ],
)
def test_without_a_person_the_box_lies_in_the_middle(frame):
    assert depth_person_box(frame) == ((96, 92, 416, 332), False)


def test_colour_box_is_the_scaled_place():
    frame = depth_frame((220, 160, 61, 121))
    box, found = rgb_roi_box(frame)
    x, y = int(1920 / 512 * 250), int(1080 / 424 * 220)
    assert found and box == (x - 480, y - 270, x + 480, y + 270)
    left_top = rgb_roi_box(depth_frame((0, 0, 60, 60)))[0]
    assert left_top == (0, 0, 960, 540)


def test_colour_box_takes_what_is_nearer_than_256_mm_for_masked():
    near = depth_frame((220, 160, 61, 121), depth=255)
    assert rgb_roi_box(near) == ((480, 270, 1440, 810), False)
    assert depth_person_box(near)[1]

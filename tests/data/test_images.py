"""Frames from image files, by two libraries that must agree."""

import cv2
import numpy as np
import pytest

from rgbd_jax.data import images

FRAME = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (45, 61, 3), dtype=np.uint8), (5, 5), 2)


def opencv(encoded):
    return cv2.imdecode(
        np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    )


@pytest.mark.parametrize("sampling", ["411", "420", "422", "440", "444"])
@pytest.mark.parametrize("progressive", [0, 1])
def test_a_jpeg_file_has_the_levels_that_opencv_finds(sampling, progressive):
    options = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, getattr(cv2, f"IMWRITE_JPEG_SAMPLING_FACTOR_{sampling}")]
    options += [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive, cv2.IMWRITE_JPEG_QUALITY, 80]
    encoded = cv2.imencode(".jpg", FRAME, options)[1].tobytes()
    np.testing.assert_array_equal(images.decode(encoded, images.COLOUR), opencv(encoded))


def test_a_grey_jpeg_file_is_grey_in_three_colours():
    encoded = cv2.imencode(".jpg", FRAME[..., 0])[1].tobytes()
    frame = images.decode(encoded, images.COLOUR)
    np.testing.assert_array_equal(frame, opencv(encoded))
    assert frame.shape == FRAME.shape


def test_bytes_too_many_do_not_matter():
    encoded = images.encode_jpeg(FRAME)
    for odd in (encoded + bytes(100), encoded[:-2] + b"\x00\x01\x02" + encoded[-2:]):
        np.testing.assert_array_equal(images.decode(odd, images.COLOUR), opencv(odd))


def test_a_frame_is_put_in_its_place_if_it_is_as_large():
    encoded = images.encode_jpeg(FRAME)
    places = np.zeros((2, *FRAME.shape), np.uint8)
    frame = images.decode(encoded, images.COLOUR, places[1])
    assert np.shares_memory(frame, places) and not places[0].any()
    np.testing.assert_array_equal(places[1], opencv(encoded))
    larger = np.zeros((50, 70, 3), np.uint8)
    np.testing.assert_array_equal(images.decode(encoded, images.COLOUR, larger), opencv(encoded))


def test_a_frame_whose_header_claims_too_much_is_refused():
    encoded = images.encode_jpeg(FRAME)
    place = encoded.index(b"\xff\xc0") + 5  # height and width in the start of the frame
    huge = encoded[:place] + (65500).to_bytes(2) * 2 + encoded[place + 4 :]
    with pytest.raises(ValueError, match="no image"):
        images.decode(huge, images.COLOUR)

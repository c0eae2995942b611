"""Videos with words over them."""

import cv2
import numpy as np
import pytest

from rgbd_jax.errors import OutsideError
from rgbd_jax.report.pictures.captions import captioned, write_captioned_video


def test_the_words_stand_at_the_upper_border():
    picture = np.full((121, 161, 3), 200, np.uint8)
    found = captioned(picture, "beckon  87 %")
    assert found.shape == (122, 162, 3)
    np.testing.assert_array_equal(found[40:121, :161], picture[40:])
    assert found[:20].max() == 255 and found[:20].min() < 100
    assert not np.array_equal(found, captioned(picture, "OK  87 %"))
    captioned(picture, "a name that is far too long for a picture of so few pixels 100 %")


def test_a_video_is_written(tmp_path):
    path = tmp_path / "new" / "out.mp4"
    pictures = (np.full((120, 160, 3), 20 * number, np.uint8) for number in range(9))
    write_captioned_video(path, pictures, ["wave"] * 9, 10.0)
    assert [file.name for file in path.parent.iterdir()] == ["out.mp4"]
    video = cv2.VideoCapture(str(path))
    assert video.get(cv2.CAP_PROP_FPS) == 10
    levels = []
    while True:
        found, image = video.read()
        if not found:
            break
        assert image.shape == (120, 160, 3)
        levels.append(image[60:].mean())
    np.testing.assert_allclose(levels, 20 * np.arange(9), atol=4)


def test_a_name_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutsideError, match="out.mp4: cannot be written"):
        write_captioned_video(tmp_path / "file" / "out.mp4", [np.zeros((8, 8, 3), np.uint8)], ["x"], 10.0)

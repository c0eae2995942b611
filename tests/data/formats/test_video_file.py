"""Videos that OpenCV opens although they are broken."""

import cv2
import numpy as np
import pytest

from rgbd_jax.data.formats.video_file import VideoFile
from rgbd_jax.errors import UserError


class Broken:
    """A video of ten frames, by what it states, of which the third is decoded to nothing."""

    def __init__(self, nothing):
        self.nothing = nothing
        self.numbers = iter(range(10))
        self.number = None

    def isOpened(self):
        return True

    def get(self, wanted):
        return 10 if wanted == cv2.CAP_PROP_FRAME_COUNT else 30

    def grab(self):
        self.number = next(self.numbers, None)
        return self.number is not None

    def retrieve(self):
        if self.number == 2 and isinstance(self.nothing, str):
            raise cv2.error("a chunk is too large")
        return True, self.nothing if self.number == 2 else np.zeros((4, 6, 3), np.uint8)

    def release(self):
        pass


@pytest.mark.parametrize(
    "nothing", [None, np.zeros((0, 0, 3), np.uint8), "error"], ids=["none", "empty", "error"]
)
def test_a_video_ends_where_a_frame_is_empty(tmp_path, monkeypatch, nothing):
    path = tmp_path / "a.avi"
    path.touch()
    monkeypatch.setattr(cv2, "VideoCapture", lambda name: Broken(nothing))
    with pytest.raises(UserError, match=r"a\.avi: ends after 2 frames; the 10 that it states are needed"):
        list(VideoFile(path).read())

"""The shape of raw clips: of what is prepared, as published, and as options say."""

import jax
import jax.numpy as jnp
import pytest

from rgbd_jax.config import load_file, override
from rgbd_jax.data.random_clips import SkeletonShape, VideoShape, random_batch, shape_of
from rgbd_jax.data.raw_clips import raw_inputs, raw_shape, reshaped
from rgbd_jax.data.video_split import FrameFormat
from rgbd_jax.errors import UserError

SKELETON = SkeletonShape(10, 30, 2, 25)
BOTH = VideoShape(10, {"rgb": FrameFormat(240, 320, 3), "depth": FrameFormat(240, 320, 1)}, 8)


@pytest.mark.parametrize("shape", [SKELETON, BOTH])
def test_inputs_are_those_of_a_batch_of_the_loader(shape):
    batch = random_batch(shape, 2)
    for name, sample in raw_inputs(shape).items():
        assert sample == jax.ShapeDtypeStruct(batch[name].shape[1:], batch[name].dtype)


def test_options_change_lengths_and_sizes():
    assert reshaped(SKELETON, "ntu60", None, 44) == SkeletonShape(10, 44, 2, 25)
    assert reshaped(SKELETON, "ntu60", None, None) == SKELETON
    one = reshaped(BOTH, "ntu_rgbd", [(64, 48)], None)
    assert one.formats == {"rgb": (48, 64, 3), "depth": (48, 64, 1)} and one.num_frames == 8
    two = reshaped(BOTH, "ntu_rgbd", [(1920, 1080), (512, 424)], None)
    assert two.formats == {"rgb": (1080, 1920, 3), "depth": (424, 512, 1)}
    assert raw_inputs(two)["depth"] == jax.ShapeDtypeStruct((8, 424, 512, 1), jnp.uint16)


@pytest.mark.parametrize(
    "shape, sizes, frames, message",
    [
        (SKELETON, [(3, 4)], None, "--frame_size: is of video; the clips of mine are skeletons"),
        (SKELETON, None, 0, "--max_frames=0: must be 1 or more"),
        (BOTH, None, 9, "--max_frames=9: is of skeletons; mine is video"),
        (BOTH, [(3, 4)] * 3, None, "--frame_size: found 3 sizes; allowed is one, or one each of rgb, depth"),
    ],
)
def test_options_that_do_not_fit_are_refused(shape, sizes, frames, message):
    with pytest.raises(UserError, match=f"^{message}"):
        reshaped(shape, "mine", sizes, frames)


def test_a_data_set_that_is_not_prepared_has_its_published_shape(tmp_path):
    config = override(load_file("configs/gap/nw_ucla.py:joint"), [f"--config.data.data_dir={tmp_path}"])
    assert raw_shape(config.data) == shape_of("nw_ucla")
    video = override(load_file("configs/rgbd/ntu_cs.py:depth"), [f"--config.data.data_dir={tmp_path}"])
    assert raw_shape(video.data) == VideoShape(60, {"depth": FrameFormat(240, 320, 1)}, 64)
    custom = override(video, ["--config.data.name=custom"])
    with pytest.raises(UserError, match="'custom': is not prepared and its shape is not known"):
        raw_shape(custom.data)

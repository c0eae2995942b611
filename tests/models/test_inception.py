"""Inception blocks, frame rank pooling and the spatial network they make."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from golden import motion_cases

from rgbd_jax.models.inception import FrameRankPooling, InceptionBlock
from rgbd_jax.weights.motion_rgbd import inception_rules


@pytest.mark.parametrize("name", motion_cases.names("spatial_inception", "temporal_inception"))
def test_block(name):
    case = motion_cases.load(name)
    kernel = (3, 3)
    if case.kind == "temporal_inception":
        case, kernel = motion_cases.without_space(case), (3,)
    block = InceptionBlock(
        case.params["in_channels"], case.params["channels"], kernel=kernel, rngs=nnx.Rngs(0)
    )
    motion_cases.check_training(case, block, inception_rules("", ""))


@pytest.mark.parametrize("name", motion_cases.names("frp_heat"))
def test_frame_rank_pooling(name):
    case = motion_cases.load(name)
    x, heat, cotangent = (jnp.asarray(case.inputs[key]) for key in ("x", "g", "cot"))
    module = FrameRankPooling()
    np.testing.assert_array_equal(module(x, heat), x)  # as it begins
    pair = jnp.asarray(case.weights["rpconv1d.weight"].ravel())

    def forward(pair, x):
        return nnx.merge(nnx.graphdef(module), {"pair": pair})(x, heat)

    y, pull = jax.vjp(forward, pair, x)
    pair_grad, x_grad = pull(cotangent)
    case.check("y", y)
    case.check("grad_x", x_grad)
    case.check("grad_w", pair_grad.reshape(1, 2, 1))

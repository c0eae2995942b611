"""Inception blocks, frame rank pooling and the spatial network they make."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from golden import motion_cases
from golden.weights import golden_video

from rgbd_jax.models import inception
from rgbd_jax.models.inception import FrameRankPooling, InceptionBlock, SpatialNetwork
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


def test_remat(monkeypatch):
    """Computing the blocks again changes neither gradients nor statistics."""
    monkeypatch.setattr(inception, "BLOCKS", {"mixed_4b": ((4, 6, 8, 3, 5, 7), True, 3)})
    clip = jnp.asarray(golden_video("clip", (1, 2, 32, 32, 3)))
    heat = jnp.asarray(golden_video("heat", (1, 2, 32, 32, 1)))
    structure, params, stats = nnx.split(SpatialNetwork(rngs=nnx.Rngs(0)), nnx.Param, nnx.BatchStat)
    params, stats = nnx.to_pure_dict(params), nnx.to_pure_dict(stats)

    def gradients(remat):
        def loss(params):
            network = nnx.merge(structure, params, stats)
            network.remat = remat
            features = network(clip, heat, train=True)["features"]
            return jnp.square(features).sum(), nnx.to_pure_dict(nnx.state(network, nnx.BatchStat))

        return jax.jit(jax.grad(loss, has_aux=True))(params)

    for ours, theirs in zip(*map(jax.tree.leaves, (gradients(True), gradients(False))), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5 * float(jnp.abs(theirs).max()))


@pytest.mark.parametrize(
    ("clip", "heat", "message"),
    [
        ((1, 2, 32, 32, 3), None, "needs a heat map"),
        ((1, 2, 32, 32, 3), (1, 2, 16, 16, 1), "found \\(1, 2, 16, 16, 1\\)"),
        ((1, 2, 48, 32, 3), (1, 2, 48, 32, 1), "multiples of 32, found 48×32"),
    ],
)
def test_refuses_sizes(clip, heat, message):
    network = SpatialNetwork(rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=message):
        network(jnp.zeros(clip), None if heat is None else jnp.zeros(heat), train=False)


def test_half_precision():
    """Without a heat map any size goes; the features are of the parameters' dtype."""
    network = SpatialNetwork(frp=False, dtype=jnp.bfloat16, rngs=nnx.Rngs(0))
    structure = nnx.graphdef(network)
    state = nnx.state(network)
    out = jax.eval_shape(
        lambda state, clip: nnx.merge(structure, state)(clip, None, train=False),
        state,
        jnp.zeros((1, 2, 40, 36, 3)),
    )
    assert {name: array.shape for name, array in out.items()} == {
        "features": (1, 2, 1024),
        "mixed_4b": (1, 2, 3, 3),
        "mixed_5c": (1, 2, 2, 2),
    }
    assert {array.dtype for array in out.values()} == {jnp.dtype(jnp.float32)}

"""The layers by themselves, against their definitions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from golden.weights import golden_array

from rgbd_jax.models.ctrgcn import Subset, aggregate_at_once, aggregate_by_subset, mix_joints
from rgbd_jax.models.layers import BatchNorm, TemporalConv, freeze_norms, max_pool_frames, normalise_batch


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_batch_norm_statistics(axis):
    """Biased variance to normalise with, unbiased for the running one, whatever the axis."""
    x = golden_array("x", (4, 5, 6), "normal") * np.float32(3) + np.float32(100)
    features = np.moveaxis(x, axis, 0).reshape(x.shape[axis], -1).astype(np.float64)
    norm = BatchNorm(x.shape[axis], axis=axis, rngs=nnx.Rngs(0))
    y = np.moveaxis(np.asarray(norm(jnp.asarray(x), train=True)), axis, 0).reshape(features.shape)
    mean, var = features.mean(1, keepdims=True), features.var(1, keepdims=True)
    np.testing.assert_allclose(y, (features - mean) / np.sqrt(var + 1e-5), rtol=0, atol=1e-4)
    np.testing.assert_allclose(norm.mean[...], 0.1 * mean.ravel(), rtol=1e-5)
    np.testing.assert_allclose(norm.var[...], 0.9 + 0.1 * features.var(1, ddof=1), rtol=1e-5)
    in_evaluation = norm(jnp.asarray(x), train=False)
    scale = np.expand_dims(np.sqrt(norm.var[...] + 1e-5), [i for i in range(3) if i != axis % 3])
    shift = np.expand_dims(norm.mean[...], [i for i in range(3) if i != axis % 3])
    np.testing.assert_allclose(in_evaluation, (x - shift) / scale, rtol=1e-5)


def test_a_frozen_batch_norm_is_in_training_what_it_is_in_evaluation():
    x = jnp.asarray(golden_array("x", (4, 5), "normal"))
    norm = BatchNorm(4, rngs=nnx.Rngs(0))
    norm(3 * x + 1, train=True)
    mean, var = norm.mean[...], norm.var[...]
    freeze_norms(norm)
    np.testing.assert_array_equal(norm(x, train=True), norm(x, train=False))
    np.testing.assert_array_equal((norm.mean[...], norm.var[...]), (mean, var))


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("frozen", [True, False])
def test_an_offset_is_as_if_it_had_been_added(train, frozen):
    x, offset = golden_array("x", (4, 6, 5), "normal"), golden_array("o", (4,), "normal")
    cotangent = golden_array("c", x.shape, "normal")

    def run(offset, at_once):
        norm = BatchNorm(4, rngs=nnx.Rngs(0))
        norm.mean[...], norm.var[...], norm.frozen = jnp.arange(4.0), jnp.arange(1.0, 5.0), frozen
        if at_once:
            y = norm(jnp.asarray(x), train=train, offset=offset)
        else:
            y = norm(x + offset[:, None, None], train=train)
        return (y * cotangent).sum(), (y, norm.mean[...], norm.var[...])

    (ours, found), (theirs, expected) = (
        jax.grad(run, has_aux=True)(jnp.asarray(offset), at_once) for at_once in (True, False)
    )
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)
    assert ours.any() != (train and not frozen)


@pytest.mark.parametrize(("mean", "tolerance"), [(0, 1e-3), (30, 1e-3), (300, 2e-2)])
def test_batch_norm_of_bfloat16(mean, tolerance):
    """Its statistics are those of the numbers as they are; far from 0 the variance is less exact."""
    x = jnp.asarray(golden_array("x", (3, 40, 50), "normal") + np.float32(mean), jnp.bfloat16)
    _, found, var = normalise_batch(x, jnp.ones((3, 1, 1)), jnp.zeros((3, 1, 1)), 1e-5)
    exact = np.asarray(x, np.float64)
    np.testing.assert_allclose(found.ravel(), exact.mean((1, 2)), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(var.ravel(), exact.var((1, 2)), rtol=tolerance)


@pytest.mark.parametrize("train", [True, False])
def test_a_batch_norm_can_end_with_a_relu(train):
    """Its gradient is 0 where the value is: in a channel that is 0 throughout, everywhere."""
    x, cotangent = (jnp.asarray(golden_array(name, (4, 6, 5), "normal"), jnp.bfloat16) for name in "xc")

    def run(x, relu):
        norm = BatchNorm(4, relu=relu, rngs=nnx.Rngs(0))
        norm.scale[...] = jnp.arange(4.0)
        y = norm(x, train=train)
        return y if relu else nnx.relu(y)

    found, ours = jax.vjp(lambda x: run(x, relu=True), x)
    expected, theirs = jax.vjp(lambda x: run(x, relu=False), x)
    np.testing.assert_array_equal(found, expected)
    (ours,), (theirs,) = ours(cotangent), theirs(cotangent)
    np.testing.assert_allclose(np.float32(ours), np.float32(theirs), rtol=2e-2, atol=2e-2)
    assert not ours[0].any() and ours[1:].any()


@pytest.mark.parametrize("platform", ["cpu", "default"])
@pytest.mark.parametrize("relu", [False, True])
def test_batch_norm_gradient(relu, platform, choose_form):
    """The written-out gradient is the derived one."""
    choose_form(platform)
    with jax.enable_x64(True):
        x, cotangent = (jnp.asarray(golden_array(name, (3, 7, 5), "normal"), jnp.float64) for name in "xc")
        scale, bias = (jnp.asarray(golden_array(name, (3, 1, 1), "normal"), jnp.float64) for name in "sb")

        def derived(x, scale, bias):
            mean, var = x.mean((1, 2), keepdims=True), x.var((1, 2), keepdims=True)
            y = (x - mean) / jnp.sqrt(var + 0.1) * scale + bias
            return jax.nn.relu(y) if relu else y

        _, theirs = jax.vjp(derived, x, scale, bias)
        _, ours = jax.vjp(lambda *args: normalise_batch(*args, 0.1, relu)[0], x, scale, bias)
        for our, their in zip(ours(cotangent), theirs(cotangent), strict=True):
            np.testing.assert_allclose(our, their, rtol=1e-10, atol=1e-12)


def test_mix_joints_gradient():
    x, topology = golden_array("x", (2, 3, 4, 5), "normal"), golden_array("r", (2, 3, 5, 5), "normal")
    cotangent = golden_array("c", (2, 3, 4, 5), "normal")
    y, ours = jax.vjp(mix_joints, x, topology)
    expected, theirs = jax.vjp(lambda x, r: jnp.einsum("cntv,cnuv->cntu", x, r), x, topology)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    for our, their in zip(ours(cotangent), theirs(cotangent), strict=True):
        np.testing.assert_allclose(our, their, rtol=1e-5, atol=1e-5)


def test_both_ways_to_aggregate_are_one():
    """Those of CTR-GC for a CPU and for all else, and their gradients."""
    shapes = {"kernel": (6, 4), "bias": (6,), "relations": (5, 2, 7, 7), "xi": (6, 5)}
    subsets = [
        Subset(**{name: golden_array(f"{name}{k}", shape, "normal") for name, shape in shapes.items()})
        for k in range(3)
    ]
    arguments = golden_array("x", (4, 2, 3, 7), "normal"), subsets
    y, ours = jax.vjp(aggregate_at_once, *arguments)
    expected, theirs = jax.vjp(aggregate_by_subset, *arguments)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)
    cotangent = golden_array("c", y.shape, "normal")
    for our, their in zip(jax.tree.leaves(ours(cotangent)), jax.tree.leaves(theirs(cotangent)), strict=True):
        np.testing.assert_allclose(our, their, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("frames", [3, 8])
def test_temporal_conv(stride, dilation, frames):
    x = golden_array("x", (4, 2, frames, 3), "normal")
    conv = TemporalConv(4, 6, width=5, stride=stride, dilation=dilation, rngs=nnx.Rngs(0))
    expected = jax.lax.conv_general_dilated(
        x,
        conv.kernel[...][:, :, :, None],
        window_strides=(stride, 1),
        padding=((2 * dilation, 2 * dilation), (0, 0)),
        rhs_dilation=(dilation, 1),
        dimension_numbers=("CNHW", "OHIW", "CNHW"),
    )
    np.testing.assert_allclose(conv.without_bias(jnp.asarray(x)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
def test_max_pool(stride):
    x = golden_array("x", (2, 3, 7, 4), "normal")
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)), constant_values=-np.inf)
    expected = np.stack([padded[:, :, t : t + 3].max(2) for t in range(0, 7, stride)], axis=2)
    np.testing.assert_array_equal(max_pool_frames(jnp.asarray(x), width=3, stride=stride), expected)

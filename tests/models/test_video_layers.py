"""Convolution units and zero-padded max pooling, against reference numbers and definitions."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from golden import motion_cases
from golden.weights import golden_array

from rgbd_jax.models.video_layers import ConvUnit, convolve, max_pool
from rgbd_jax.training import sharding
from rgbd_jax.weights.motion_rgbd import unit_rules


@pytest.mark.parametrize("name", motion_cases.names("unit3d"))
def test_unit(name):
    case = motion_cases.load(name)
    kernel, strides = case.params["kernel"], case.params["stride"]
    unit = ConvUnit(
        case.params["in_channels"],
        case.params["out_channels"],
        kernel=tuple(width for width in kernel if width > 1),
        stride=max(strides),
        rngs=nnx.Rngs(0),
    )
    if kernel[0] > 1:  # over time: the sequence has no H and W
        case = motion_cases.without_space(case)
    motion_cases.check_training(case, unit, unit_rules("", ""))


@pytest.mark.parametrize(
    ("stride", "width", "size"), [(1, 3, (7, 12)), (2, 7, (8, 9)), (2, 2, (5, 6)), (3, 7, (8, 9))]
)
def test_kernel_gradient(stride, width, size):
    """The one written out for frames is the derived one."""
    x = jnp.asarray(golden_array("x", (2, 3, *size, 4), "normal"))
    kernel = jnp.asarray(golden_array("k", (5, width, width, 4), "normal"))

    def derived(kernel):
        flat = x.reshape(-1, *x.shape[2:])  # four axes go another way than a clip's five
        return convolve(flat, kernel, stride).reshape(y.shape)

    y, ours = jax.vjp(lambda kernel: convolve(x, kernel, stride), kernel)
    _, theirs = jax.vjp(derived, kernel)
    cotangent = jnp.asarray(golden_array("c", y.shape, "normal"))
    np.testing.assert_allclose(ours(cotangent)[0], theirs(cotangent)[0], rtol=1e-5, atol=1e-4)


def test_kernel_gradient_on_many_devices():
    """Clips may lie on several devices."""
    mesh = sharding.make_mesh()
    x, kernel = golden_array("x", (8, 3, 6, 6, 4), "normal"), golden_array("k", (5, 3, 3, 4), "normal")
    gradient = jax.jit(jax.grad(lambda kernel, x: jnp.square(convolve(x, kernel, 1)).sum()))
    many, one = gradient(kernel, jax.device_put(x, sharding.over_samples(mesh))), gradient(kernel, x)
    np.testing.assert_allclose(many, one, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("name", motion_cases.names("maxpool"))
def test_max_pool(name):
    case = motion_cases.load(name)
    x = jnp.asarray(case.inputs["x"])
    case.check("y", max_pool(x, case.params["kernel"], max(case.params["stride"])))


@pytest.mark.parametrize("platform", ["cpu", "default"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("widths", [(3, 3, 3), (1, 3, 3), (2, 2)])
def test_max_pool_gradient(widths, stride, platform, choose_form):
    """It goes to the first of the largest values of each window, and is lost upon the padding."""
    choose_form(platform)
    shape = (2, 5, 4, 6, 3)
    x = np.round(golden_array("x", shape, "normal"))  # so that many values are equal
    y, pull = jax.vjp(lambda x: max_pool(x, widths, stride), jnp.asarray(x))
    cotangent = golden_array("c", y.shape, "normal")
    widths = (1,) * (3 - len(widths)) + widths
    strides = [stride if width > 1 else 1 for width in widths]
    totals = [
        max((count - 1) * step + width - size, 0)
        for count, step, width, size in zip(y.shape[1:4], strides, widths, shape[1:4], strict=True)
    ]
    pads = [(0, 0), *((total // 2, total - total // 2) for total in totals), (0, 0)]
    padded = np.pad(x, pads)
    expected = np.zeros(padded.shape, np.float32)
    for b, t, i, j, c in itertools.product(*map(range, y.shape)):
        corner = [at * step for at, step in zip((t, i, j), strides, strict=True)]
        window = tuple(slice(at, at + width) for at, width in zip(corner, widths, strict=True))
        first = np.unravel_index(padded[b, *window, c].argmax(), widths)
        expected[b, *np.add(corner, first), c] += cotangent[b, t, i, j, c]
    inner = tuple(slice(front, front + size) for (front, _), size in zip(pads, shape, strict=True))
    np.testing.assert_allclose(pull(jnp.asarray(cotangent))[0], expected[inner], rtol=1e-5, atol=1e-5)

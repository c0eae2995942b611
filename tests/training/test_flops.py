"""Counting operations: against counts by hand and, where there is no loop, against the compiler's."""

import functools

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from jax.sharding import PartitionSpec

from rgbd_jax.models.i3dwtrans import I3DWTrans
from rgbd_jax.training import flops, sharding


def count_flops(function, *arguments):
    return flops.count_flops(jax.make_jaxpr(function)(*arguments))


def compiled_flops(function, *arguments):
    return jax.jit(function).lower(*arguments).compile().cost_analysis()["flops"]


def test_a_product_of_matrices():
    a, b = jnp.ones((3, 5, 7)), jnp.ones((3, 7, 11))
    assert count_flops(jnp.matmul, a, b) == 2 * 3 * 5 * 7 * 11


@pytest.mark.parametrize(
    "options",
    [
        {"padding": "VALID"},
        {"padding": "SAME"},
        {"padding": "SAME", "window_strides": (2, 3)},
        {"padding": ((2, 1), (0, 3)), "rhs_dilation": (2, 1)},
        {"padding": ((1, 1), (2, 2)), "lhs_dilation": (2, 2)},
    ],
)
@pytest.mark.parametrize("groups", [1, 2])
def test_convolutions_and_their_gradients_are_counted_as_by_the_compiler(options, groups):
    """The compiler also counts what is no product; here that is little."""
    x, kernel = jnp.ones((4, 16, 12, 32)), jnp.ones((3, 3, 32 // groups, 64))
    options = {"window_strides": (1, 1), **options, "feature_group_count": groups}

    def convolve(x, kernel):
        return jax.lax.conv_general_dilated(x, kernel, dimension_numbers=("NHWC", "HWIO", "NHWC"), **options)

    def gradient(x, kernel):
        out, pull_back = jax.vjp(convolve, x, kernel)
        return pull_back(jnp.ones_like(out))

    assert count_flops(convolve, x, kernel) == pytest.approx(compiled_flops(convolve, x, kernel), rel=0.02)
    once = count_flops(convolve, x, kernel)
    assert count_flops(gradient, x, kernel) == pytest.approx(3 * once, rel=0.02)


def test_a_loop_counts_as_often_as_it_runs():
    weights = jnp.ones((6, 8, 8))

    def chain(x, weights):
        return jax.lax.scan(lambda x, weight: (x @ weight, None), x, weights)[0]

    x = jnp.ones((4, 8))
    assert count_flops(chain, x, weights) == 6 * 2 * 4 * 8 * 8
    loss = lambda x, weights: jax.checkpoint(chain)(x, weights).sum()  # noqa: E731
    # Forward twice, backward two products for each.
    assert count_flops(jax.grad(loss, argnums=(0, 1)), x, weights) == 4 * 6 * 2 * 4 * 8 * 8


def test_devices_that_share_a_batch_are_counted_together():
    mesh = sharding.make_mesh()
    x, weight = jnp.ones((2 * mesh.size, 8)), jnp.ones((8, 8))
    shared = jax.shard_map(
        jnp.matmul,
        mesh=mesh,
        in_specs=(sharding.SAMPLES, PartitionSpec()),
        out_specs=sharding.SAMPLES,
    )
    assert count_flops(jax.jit(shared), x, weight) == count_flops(jnp.matmul, x, weight)


def test_the_dearest_branch_counts():
    x = jnp.ones((8, 8))
    branches = (lambda x: x, lambda x: x @ x, lambda x: x @ x @ x)
    assert count_flops(functools.partial(jax.lax.switch, 0, branches), x) == 2 * 2 * 8**3


def test_a_loop_of_unknown_length_is_refused():
    def until_large(x):
        return jax.lax.while_loop(lambda x: x.sum() < 1e6, lambda x: x @ x, x)

    with pytest.raises(ValueError, match="loop of unknown length"):
        count_flops(until_large, jnp.ones((4, 4)))


def test_each_block_of_the_transformers_counts():
    """They run in a loop."""
    inputs = {"clip": jnp.ones((1, 8, 32, 32, 3)), "heat": jnp.ones((1, 8, 32, 32, 1))}

    def flops_with(num_blocks):
        network = I3DWTrans(
            num_classes=2,
            width=0.125,
            num_blocks=num_blocks,
            frames=(4, 6, 8),
            clip_length=8,
            rngs=nnx.Rngs(0),
        )
        graph, state = nnx.split(network)
        return count_flops(lambda inputs: nnx.merge(graph, state)(inputs, train=False)["small"], inputs)

    one, two, three = map(flops_with, (1, 2, 3))
    assert three - two == two - one > 0

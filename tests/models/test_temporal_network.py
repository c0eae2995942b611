"""The temporal network against the published one, and the frames that its branches see."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from golden import motion_cases
from golden.motion_networks import compute, port, relative_error, trunk_options
from golden.weights import golden_array

from rgbd_jax.models.dense import NormDense
from rgbd_jax.models.i3dwtrans import sharpness_temperature
from rgbd_jax.models.temporal_network import (
    BRANCHES,
    TemporalBranch,
    TemporalNetwork,
    choose_frames,
    join_branches,
)
from rgbd_jax.weights.motion_rgbd import head_rules, temporal_network_rules


class WithHeads(nnx.Module):
    """The published temporal network has the classifiers inside."""

    def __init__(self, params, rngs):
        self.temporal = TemporalNetwork(
            512, clip_length=64, recoupling_drop_out=0.4, drop_out=0.1, rngs=rngs, **trunk_options(params)
        )
        self.heads = (
            nnx.Dict({name: NormDense(512, 60, rngs=rngs) for name in BRANCHES})
            if "Network" not in params
            else None
        )

    def __call__(self, x, temperature):
        out = self.temporal(x, train=False)
        if self.heads is not None:
            out |= {name: self.heads[name](out[name]) / temperature for name in BRANCHES}
        return out


@pytest.mark.parametrize("name", motion_cases.names("dtn"))
def test_golden(name):
    case = motion_cases.load(name)
    params = case.params
    rules = (*temporal_network_rules("", "temporal/"), *head_rules("", ""))
    network = port(lambda rngs: WithHeads(params, rngs), case.weights, rules)
    sharp = params.get("sharpness", True) and "Network" not in params
    temperature = sharpness_temperature(params.get("epoch", 0), 100) if sharp else jnp.ones(())

    def objective(x, variables):
        out, _ = network(variables, x, temperature.astype(x.dtype))
        join = sum if params["branch_merge"] == "sum" else lambda branches: join_branches(out)
        out["fused"] = join([out[name] for name in BRANCHES])
        return (out["fused"] * case.inputs["cot"].astype(x.dtype)).sum() + out["distillation"].sum(), out

    run = jax.jit(jax.value_and_grad(objective, has_aux=True))
    (_, out), grad = compute(run, case.inputs["x"], network.variables, double=case.near_tie)
    motion_cases.check_branches(case, out)
    assert relative_error(grad, case.outputs["grad_x"]) <= motion_cases.RELATIVE_NORM


def test_chosen_frames():
    """The centre of each segment, or with a key any frame of it."""
    for available, wanted in ((64, 4), (64, 16), (64, 32), (64, 48), (8, 3), (3, 8)):
        centre = choose_frames(available, wanted, None)
        ends = np.arange(wanted + 1) * available // wanted
        last = np.maximum(ends[1:] - 1, ends[:-1])
        np.testing.assert_array_equal(centre, (ends[:-1] + last) // 2)
        draws = np.stack([choose_frames(available, wanted, jax.random.key(seed)) for seed in range(20)])
        assert np.all((draws >= ends[:-1]) & (draws <= last))
    assert len(np.unique(np.stack([choose_frames(64, 16, jax.random.key(s)) for s in range(9)]), axis=0)) == 9


def test_evaluation_can_average_draws_of_the_frames():
    network = TemporalNetwork(
        64,
        num_blocks=1,
        frames=(4, 6, 12),
        clip_length=12,
        knn_ratio=0.7,
        recoupling=False,
        recoupling_heads=1,
        recoupling_drop_out=0.0,
        temper=0.5,
        drop_out=0.1,
        eval_draws=3,
        rngs=nnx.Rngs(0),
    )
    run = nnx.jit(lambda network, x: network(x, train=False))
    x = jnp.asarray(golden_array("x", (2, 12, 64), "normal"))
    averaged = run(network, x)
    with_another = run(network, x[np.array([1, 1])])
    np.testing.assert_allclose(with_another["small"][0], averaged["small"][1], rtol=1e-4, atol=1e-5)

    draws = [choose_frames(12, 4, key) for key in jax.random.split(jax.random.key(0), 3)]
    assert len({tuple(np.asarray(frames).tolist()) for frames in draws}) > 1
    small = nnx.jit(lambda network, x: network.branches["small"](x, train=False))
    seen = [small(network, x[:, frames]) for frames in draws]
    for place, name in enumerate(("small", "attention_small")):
        expected = sum(found[place] for found in seen) / 3
        np.testing.assert_allclose(averaged[name], expected, rtol=1e-4, atol=1e-5)

    network.eval_draws = 0
    middle = run(network, x)
    assert np.abs(middle["small"] - averaged["small"]).max() > 0.01
    # Where a branch sees every frame there is nothing to draw.
    np.testing.assert_allclose(middle["large"], averaged["large"], rtol=1e-4, atol=1e-5)


def test_the_blocks_in_a_row_are_those_of_the_loop(choose_form):
    """The form for a GPU, which has no loop, sees and learns what the one for a CPU does."""
    options = {"num_frames": 5, "num_blocks": 3, "knn_ratio": 0.7, "drop_out": 0.1}
    graph, state = nnx.split(TemporalBranch(64, rngs=nnx.Rngs(0), **options))
    x = jnp.asarray(golden_array("x", (2, 5, 64), "normal"))

    def objective(state):
        y, attention, gap = nnx.merge(graph, state)(x, train=True, rngs=nnx.Rngs(dropout=1))
        return jnp.square(y).sum() + attention.sum(), (y, attention, gap)

    found = []
    for form in ("cpu", "default"):
        choose_form(form)
        found.append(jax.jit(jax.grad(objective, has_aux=True))(state))
    for loop, row in zip(*map(jax.tree.leaves, found), strict=True):
        np.testing.assert_allclose(row, loop, rtol=1e-4, atol=1e-4)

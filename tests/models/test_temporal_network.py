"""The temporal network against the published one, and the frames that its branches see."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from golden import motion_cases
from golden.motion_networks import in_double, port, relative_error

from rgbd_jax.models.dense import NormDense
from rgbd_jax.models.i3dwtrans import sharpness_temperature
from rgbd_jax.models.temporal_network import BRANCHES, TemporalNetwork, choose_frames, join_branches
from rgbd_jax.weights.motion_rgbd import head_rules, temporal_network_rules

# Below this distance between the last score kept and the first dropped, rounding may choose another key.
NEAR_TIE = 1e-5


class WithHeads(nnx.Module):
    """The published temporal network has the classifiers inside."""

    def __init__(self, params, rngs):
        self.temporal = TemporalNetwork(
            512,
            num_blocks=params.get("N", 6),
            frames=tuple(params.get(f"{size}_frames", n) for size, n in SIZES),
            clip_length=64,
            knn_ratio=params.get("knn_attention", 0.7),
            recoupling=params.get("recoupling", True),
            recoupling_heads=params.get("SEHeads", 1),
            recoupling_drop_out=0.4,
            temper=0.5,
            drop_out=0.1,
            rngs=rngs,
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


SIZES = (("low", 16), ("media", 32), ("high", 48))


@pytest.mark.parametrize("name", motion_cases.names("dtn"))
def test_golden(name):
    case = motion_cases.load(name)
    expected, params = case.outputs, case.params
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
    if params.get("knn_attention") == 0 or expected["knn_min_gap"] > NEAR_TIE:
        (_, out), grad = run(case.inputs["x"], network.variables)
    else:  # float64 alone is sure to choose the keys that the original did
        with jax.enable_x64(True):
            (_, out), grad = jax.device_get(run(in_double(case.inputs["x"]), in_double(network.variables)))
    for output in ("fused", *BRANCHES):
        case.check(output, out[output])
    case.check("distill", out["distillation"].sum().reshape(expected["distill"].shape))
    for branch in BRANCHES:
        case.check(f"scores_{branch}", out[f"attention_{branch}"][0])
    assert relative_error(grad, expected["grad_x"]) <= 1e-4
    if "enhancement" in out:
        case.check("weight0", out["enhancement"][0])


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

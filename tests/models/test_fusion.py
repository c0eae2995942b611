"""FusionNet against the published one, in evaluation and in training."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from golden import motion_cases
from golden.motion_networks import (
    check_batch_mates,
    compute,
    jit_network,
    port,
    record_gaps,
    relative_error,
    trunk_options,
)
from golden.weights import golden_video

from rgbd_jax.losses.classification import cross_entropy
from rgbd_jax.losses.fusion import modality_loss, reconstruction_loss
from rgbd_jax.models.fusion import MODALITIES, Autoencoder, FusionNet, unit_length
from rgbd_jax.weights.motion_rgbd import FUSIONNET, autoencoder_rules

LOGITS = ("fused", *MODALITIES)


@pytest.mark.parametrize("name", motion_cases.names("fusion_module"))
def test_autoencoder(name):
    """In evaluation, then in training with gradients and statistics."""
    case = motion_cases.load(name)
    network = port(
        lambda rngs: Autoencoder(512, num_classes=case.params["classes"], rngs=rngs),
        case.weights,
        autoencoder_rules("", ""),
    )
    inputs = (case.inputs["r"], case.inputs["d"])

    @functools.partial(jax.jit, static_argnames="train")
    def run(variables, inputs, train):
        def objective(params, inputs):
            (logits, decoded), stats = network(variables | {"params": params}, *inputs, train=train)
            return (logits * case.inputs["cot"]).sum() + 0.1 * decoded.sum(), (logits, decoded, stats)

        return jax.grad(objective, argnums=(0, 1), has_aux=True)(variables["params"], inputs)

    _, (logits, decoded, _) = run(network.variables, inputs, train=False)
    case.check("logits_eval", logits)
    case.check("decoded_eval", decoded)
    (params_grad, inputs_grad), (logits, decoded, stats) = run(network.variables, inputs, train=True)
    case.check("logits_train", logits)
    case.check("decoded_train", decoded)
    for name, grad in zip("rd", inputs_grad, strict=True):
        assert relative_error(grad, case.outputs[f"grad_{name}"]) <= motion_cases.RELATIVE_NORM
    motion_cases.check_step(case, network.tensors({"params": params_grad, "batch_stats": stats}))


def losses(out, target):
    """The four losses of the publication, of a batch."""
    return {
        "ce": sum(cross_entropy(out[name], target, 0.1).mean() for name in LOGITS),
        "bce": modality_loss(out["rgb_modality"], out["depth_modality"]).mean(),
        "mse": reconstruction_loss(out["decoded"], out["rgb_features"], out["depth_features"]).mean(),
        "distill": out["distillation"].sum(),
    }


def load(name):
    """A case, our network with its weights and without drop-out, its inputs."""
    case = motion_cases.load(name)
    network = port(
        lambda rngs: FusionNet(
            num_classes=60,
            drop_out=0.0,
            recoupling_drop_out=0.0,
            interaction_drop_out=0.0,
            modality_drop_out=0.0,
            rngs=rngs,
            **trunk_options(case.params),
        ),
        case.weights,
        FUSIONNET,
    )
    inputs = {name: {"clip": case.inputs[name], "heat": case.inputs[f"{name}_heat"]} for name in MODALITIES}
    return case, network, inputs


@pytest.mark.parametrize("name", ["fusionnet_small", pytest.param("fusionnet_ntu64", marks=pytest.mark.slow)])
def test_evaluation(name):
    """Logits and losses, in float64: rounding could choose other keys."""
    case, network, inputs = load(name)
    target = case.outputs["target"].astype(np.int32)

    @jit_network
    def run(variables, inputs):
        out, _ = network(variables, inputs, train=False)
        return {name: out[name] for name in LOGITS} | losses(out, target)

    assert case.near_tie
    for output, ours in compute(run, network.variables, inputs, double=True).items():
        case.check(f"{output}_eval", ours)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fusionnet_small"])
def test_training(name):
    """Outputs, gradients of the sum of all losses, and statistics.

    In float64: batch norm over three samples amplifies rounding, so that in float32 the published network
    itself misses its float64 gradients by more than 2e-3.
    """
    case, network, inputs = load(name)
    target = case.outputs["target"].astype(np.int32)

    @jit_network
    def step(variables, inputs):
        def objective(params):
            out, stats = network(variables | {"params": params}, inputs, train=True)
            parts = losses(out, target)
            return sum(parts.values()), ({name: out[name] for name in LOGITS} | parts, stats)

        return jax.grad(objective, has_aux=True)(variables["params"])

    grads, (found, stats) = compute(step, network.variables, inputs, double=True)
    for output, ours in found.items():
        case.check(f"{output}_train", ours)
    motion_cases.check_step(case, network.tensors({"params": grads, "batch_stats": stats}))


def test_a_pair_is_scored_alone_as_among_any_eight(monkeypatch):
    gaps = record_gaps(monkeypatch)
    network = FusionNet(
        num_classes=10, width=0.125, num_blocks=2, frames=(5, 6, 8), clip_length=8, rngs=nnx.Rngs(0)
    )
    inputs = {
        name: {
            "clip": golden_video(f"one/{name}", (8, 8, 32, 32, 3)),
            "heat": golden_video(f"one/{name}_heat", (8, 8, 32, 32, 1)),
        }
        for name in MODALITIES
    }
    graph, state = nnx.split(network)

    @jax.jit
    def run(inputs):
        out = nnx.merge(graph, state)(inputs, train=False)
        return {name: out[name] for name in LOGITS}

    check_batch_mates(run, inputs)
    jax.effects_barrier()
    assert min(gaps) > motion_cases.NEAR_TIE


def test_unit_length_of_nothing():
    x = jnp.array([[3.0, 4.0], [0.0, 0.0]])
    y, pull = jax.vjp(unit_length, x)
    np.testing.assert_allclose(y, [[0.6, 0.8], [0, 0]], rtol=1e-6)
    (grad,) = pull(jnp.ones_like(y))
    assert np.all(np.isfinite(grad))

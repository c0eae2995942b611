"""The layers of the temporal branches against the published ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from golden import motion_cases
from golden.motion_networks import port, relative_error
from golden.weights import golden_array

from rgbd_jax.models.transformer import EncoderLayer, KNNAttention, LocalMixing, largest, smallest_gap
from rgbd_jax.weights.motion_rgbd import attention_rules, encoder_rules, inception_rules


@pytest.mark.parametrize("name", motion_cases.names("attention"))
def test_attention(name):
    case = motion_cases.load(name)
    ratio, heads = case.params["ratio"], case.params["heads"]
    assert not case.near_tie
    network = port(
        lambda rngs: KNNAttention(case.params["dim"], heads=heads, knn_ratio=ratio, drop_out=0.1, rngs=rngs),
        case.weights,
        attention_rules("", ""),
    )

    def objective(params, x):
        (y, scores, gap), _ = network({"params": params}, x, train=False)
        return (y * case.inputs["cot"]).sum(), ({"y": y, "scores": scores}, gap)

    run = jax.jit(jax.value_and_grad(objective, argnums=(0, 1), has_aux=True))
    (_, (out, gap)), (grads, grad_x) = run(network.variables["params"], case.inputs["x"])
    for output, ours in out.items():
        case.check(output, ours)
    assert relative_error(grad_x, case.outputs["grad_x"]) <= motion_cases.RELATIVE_NORM
    norm = np.linalg.norm(grads["qkv"]["kernel"])
    expected = case.outputs["gradnorm.to_qkv.weight"]
    np.testing.assert_allclose(norm, expected, rtol=motion_cases.RELATIVE_NORM)
    if ratio:
        assert np.all((out["scores"] > 0).sum(-1) == case.params["k"])
        np.testing.assert_allclose(gap.min(), case.outputs["knn_min_gap"], rtol=0, atol=2e-6)
    else:
        assert np.all(np.isinf(gap))


@pytest.mark.parametrize("name", motion_cases.names("multiscale_block"))
@pytest.mark.parametrize("branch", ["small", "media", "large"])
def test_block(name, branch):
    case = motion_cases.load(name)
    assert not case.near_tie
    number = ("small", "media", "large").index(branch)

    def part(prefix, build, rules):
        weights = {
            key.removeprefix(prefix): value for key, value in case.weights.items() if key.startswith(prefix)
        }
        return port(build, weights, rules) if weights else None

    mix = part(
        f"Mixed_{branch}.", lambda rngs: LocalMixing(512, rngs=rngs), inception_rules("", "inception/")
    )
    encode = part(
        f"transformer_enc_{branch}.",
        lambda rngs: EncoderLayer(512, knn_ratio=case.params["knn"], drop_out=0.1, rngs=rngs),
        encoder_rules("", ""),
    )

    @jax.jit
    def run(mix_variables, encode_variables, x, cotangent):
        def forward(x):
            if case.params["local"]:
                x, _ = mix(mix_variables, x, train=False)
            return encode(encode_variables, x, train=False)[0][0]

        y, pull = jax.vjp(forward, x)
        return y, pull(cotangent)[0]

    inputs = (case.inputs[f"x{number}"], case.inputs[f"cot{number}"])
    y, grad = run(mix and mix.variables, encode.variables, *inputs)
    case.check(f"y{number}", y)
    assert relative_error(grad, case.outputs[f"grad_x{number}"]) <= motion_cases.RELATIVE_NORM


def test_largest():
    """Exactly k of each row, of equal ones the first."""
    scores = jnp.array([[3.0, 1.0, 3.0, 2.0], [0.0, 0.0, 0.0, 0.0], [-1.0, 2.0, -1.0, -1.0]])
    expected = [[1, 0, 1, 0], [1, 1, 0, 0], [1, 1, 0, 0]]
    np.testing.assert_array_equal(jax.jit(largest, static_argnums=1)(scores, 2), np.array(expected, bool))
    scores = golden_array("scores", (2, 3, 49, 49), "normal")
    kept = np.asarray(jax.jit(largest, static_argnums=1)(scores, 34))
    assert np.all(kept.sum(-1) == 34)
    assert np.all(np.where(kept, scores, np.inf).min(-1) > np.where(kept, -np.inf, scores).max(-1))


def test_smallest_gap():
    """Of each sample by itself; where all keys are seen there is none."""
    scores = jnp.array([[[[3.0, 1.0, 2.0], [0.0, 5.0, 4.5]]], [[[7.0, 1.0, 7.0], [0.0, 9.0, 5.0]]]])
    gaps = smallest_gap(scores, jax.vmap(lambda sample: largest(sample, 1))(scores))
    np.testing.assert_array_equal(gaps, [0.5, 0.0])
    np.testing.assert_array_equal(smallest_gap(scores, jnp.ones(scores.shape, bool)), [np.inf, np.inf])


def test_attention_in_bfloat16():
    """The softmax stays in float32."""
    attention = KNNAttention(64, heads=2, knn_ratio=0.5, drop_out=0.1, rngs=nnx.Rngs(0))
    x = jnp.asarray(golden_array("x", (2, 9, 64), "normal"))
    y, weights, gap = jax.jit(lambda x: attention(x, train=False))(x.astype(jnp.bfloat16))
    assert (y.dtype, weights.dtype, gap.dtype) == (jnp.bfloat16, jnp.float32, jnp.float32)
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-6)


def test_one_key_at_least():
    attention = KNNAttention(64, heads=2, knn_ratio=0.1, drop_out=0.1, rngs=nnx.Rngs(0))
    x = jnp.asarray(golden_array("x", (2, 5, 64), "normal"))
    _, weights, _ = jax.jit(lambda x: attention(x, train=False))(x)
    np.testing.assert_array_equal(weights.max(-1), 1)

"""Five steps of training with text, beside those of the published trainer."""

import jax
import numpy as np
import optax
import pytest
from golden import networks
from golden.motion_networks import compute, jit_network, port
from golden.weights import golden_array

from rgbd_jax.losses.classification import cross_entropy
from rgbd_jax.losses.contrastive import contrastive_losses
from rgbd_jax.models.gap import GAP
from rgbd_jax.models.text_heads import TEXT_FEATURES
from rgbd_jax.skeleton_layouts import LAYOUTS
from rgbd_jax.training.optimizer import make_optimizer
from rgbd_jax.weights import gap

STEPS = 5
BATCH = 4
# Of a clip (C, T, V, M); then our options.
VARIANTS = {
    "ntu60_joint": ((3, 64, 25, 2), dict(num_classes=60, layout="ntu25", num_persons=2, k=8)),
    "ucla_bone": ((3, 52, 20, 1), dict(num_classes=10, layout="ucla20_published", num_persons=1, k=1)),
}


def inputs(name, clip_shape, step):
    """A batch of clips (B, T, M, V, C), and the text vectors (5, B, 512)."""
    clip = golden_array(f"train/{name}/x/{step}", (BATCH, *clip_shape), "normal")
    texts = [
        golden_array(f"train/{name}/text/{step}/{term}", (BATCH, 512), "normal")
        for term in range(len(TEXT_FEATURES))
    ]
    return clip.transpose(0, 2, 4, 3, 1), np.stack(texts)


def train(name, expected, *, double):
    """What each of the five steps gives, by name; and the network's logits after them."""
    clip_shape, options = VARIANTS[name]
    weights = networks.network_weights(name, LAYOUTS[options["layout"]])
    network = port(lambda rngs: GAP(rngs=rngs, **options), weights, gap.GAP)
    decay, rate, weight = (float(expected[key]) for key in ("weight_decay", "lr", "lam"))
    optimizer = make_optimizer(
        lambda step: rate, name="sgd", momentum=0.9, nesterov=True, weight_decay=decay, clip_norm=0.0
    )

    def objective(params, batch_stats, clip, texts, labels):
        out, stats = network({"params": params, "batch_stats": batch_stats}, clip, train=True)
        terms = contrastive_losses(out["text_features"], texts, out["logit_scale"], labels)
        ce = cross_entropy(out["logits"], labels).mean()
        loss = ce + weight * terms.mean()
        return loss, (stats, {"loss": loss, "ce": ce, "terms": terms})

    @jit_network
    def step(params, batch_stats, opt_state, clip, texts, labels):
        grads, (stats, figures) = jax.grad(objective, has_aux=True)(params, batch_stats, clip, texts, labels)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), stats, opt_state, figures, grads

    @jit_network
    def evaluate(variables, clip):
        return network(variables, clip, train=False)[0]["logits"]

    params, stats = network.variables["params"], network.variables["batch_stats"]
    opt_state, found = optimizer.init(params), []
    for number in range(STEPS):
        labels = expected["labels"][number].astype(np.int32)
        clip, texts = inputs(name, clip_shape, number)
        arrays = jax.tree.map(np.asarray, (params, stats, opt_state, clip, texts))
        with jax.enable_x64(double), jax.numpy_dtype_promotion("standard"):
            if double:
                arrays = jax.tree.map(lambda leaf: leaf.astype(np.float64), arrays)
            params, stats, opt_state, figures, grads = jax.device_get(step(*arrays, labels))
        variables = {"params": params, "batch_stats": stats}
        found.append(figures | {"grads": network.tensors({"params": grads, "batch_stats": stats})})
        found[-1]["after"] = network.tensors(variables)
    clip = golden_array(f"train/{name}/x/eval", (2, *clip_shape), "normal").transpose(0, 2, 4, 3, 1)
    return found, compute(evaluate, variables, clip, double=double)


def significant_norms(expected, tensors):
    """Pairs of gradient norms, ours and theirs, of those that are not rounding."""
    theirs = dict(zip(expected["grad_names"].tolist(), expected["grad_norms_f64"], strict=True))
    largest = max(theirs.values())
    pairs = [(np.linalg.norm(tensors[name]), norm) for name, norm in theirs.items() if norm > 1e-4 * largest]
    assert len(pairs) > 200
    return np.array(pairs).T


DOUBLE = [pytest.param("ntu60_joint", marks=pytest.mark.slow), "ucla_bone"]


@pytest.mark.parametrize("name", DOUBLE)
def test_in_float64(name, golden):
    expected = golden(f"gap/train_{name}.npz")
    found, logits = train(name, expected, double=True)
    for figure in ("loss", "ce", "terms"):
        ours = np.array([step[figure] for step in found])
        np.testing.assert_allclose(ours, expected[f"{figure}_f64"], rtol=1e-9)
    np.testing.assert_allclose(*significant_norms(expected, found[0]["grads"]), rtol=1e-8)
    theirs = expected["eval_logits_after_f64"]
    assert np.abs(logits - theirs).max() <= 1e-8 * np.abs(theirs).max()


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_in_float32(name, golden):
    expected = golden(f"gap/train_{name}.npz")
    found, _ = train(name, expected, double=False)
    for number, allowed in enumerate((1e-5, 3e-3, 3e-3, 3e-2, 3e-2)):
        np.testing.assert_allclose(found[number]["loss"], expected["loss"][number], rtol=allowed)
    np.testing.assert_allclose(found[0]["terms"], expected["terms"][0], rtol=1e-5)
    np.testing.assert_allclose(*significant_norms(expected, found[0]["grads"]), rtol=2e-2)
    after = found[0]["after"]
    for key, theirs in expected.items():
        kind, _, rest = key.partition("/")
        if kind == "p1":
            np.testing.assert_allclose(after[rest].ravel()[: len(theirs)], theirs, rtol=0, atol=1e-5)
        elif kind == "bn1":
            layer, _, statistic = rest.rpartition("/")
            ours = after[f"{layer}.running_{statistic}"].ravel()[: theirs.size]
            assert np.abs(ours - theirs.ravel()).max() <= 1e-5 * np.abs(theirs).max(), key
    norms = [np.linalg.norm(found[-1]["after"][name]) for name in expected["named"].tolist()]
    np.testing.assert_allclose(norms, expected["param_l2_after"], rtol=1e-2)

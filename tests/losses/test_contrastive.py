"""The contrastive loss against the published program's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden.weights import golden_array
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from rgbd_jax.losses.contrastive import contrastive_losses, cosine_logits, kl_divergence, label_similarity


@pytest.fixture(scope="module")
def cases(golden):
    return golden("gap/losses.npz")


@pytest.mark.parametrize("case", range(4))
def test_each_direction(cases, case):
    expected = {key.partition("_")[2]: value for key, value in cases.items() if key.startswith(f"{case}_")}
    logits = cosine_logits(expected["a"], expected["b"], expected["scale"])
    similarity = label_similarity(expected["labels"])
    np.testing.assert_allclose(logits, expected["logits_ab"], atol=1e-6, rtol=0)
    np.testing.assert_allclose(logits.T, expected["logits_ba"], atol=1e-6, rtol=0)
    np.testing.assert_array_equal(similarity, expected["G"])
    np.testing.assert_allclose(kl_divergence(logits, similarity), expected["kl_ab"], atol=1e-6, rtol=0)
    np.testing.assert_allclose(
        kl_divergence(logits, similarity, axis=0), expected["kl_ba"], atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("case", range(4))
def test_gradients(cases, case):
    a, b, scale, labels = (cases[f"{case}_{name}"] for name in ("a", "b", "scale", "labels"))

    def loss(a, b, scale):
        return contrastive_losses(a[None], b[None], scale[None], labels)[0]

    value, grads = jax.value_and_grad(loss, argnums=(0, 1, 2))(*map(jnp.asarray, (a, b, scale)))
    expected = (cases[f"{case}_kl_ab"] + cases[f"{case}_kl_ba"]) / 2
    np.testing.assert_allclose(value, expected, atol=1e-6, rtol=0)
    for name, grad in zip(("a", "b", "scale"), grads, strict=True):
        np.testing.assert_allclose(grad, cases[f"{case}_grad_{name}"], atol=1e-5, rtol=0)


def batch(size=16, width=12):
    features = golden_array("features", (5, size, width), "normal")
    texts = golden_array("texts", (5, size, width), "normal")
    scales = np.array([2.6, 0.5, 1.0, -0.3, 4.0], np.float32)
    return features, texts, scales, np.arange(size, dtype=np.int32) % 5


def test_each_kind_is_by_itself():
    features, texts, scales, labels = batch()
    together = contrastive_losses(features, texts, scales, labels)
    alone = [
        contrastive_losses(features[i : i + 1], texts[i : i + 1], scales[i : i + 1], labels)[0]
        for i in range(5)
    ]
    np.testing.assert_allclose(together, alone, rtol=1e-6)


def test_each_kind_may_have_labels_of_its_own():
    features, texts, scales, labels = batch()
    own = np.stack([labels, labels // 2, labels, labels * 0, np.arange(16, dtype=np.int32)])
    together = contrastive_losses(features, texts, scales, own)
    alone = [contrastive_losses(features, texts, scales, labels)[i] for i, labels in enumerate(own)]
    np.testing.assert_allclose(together, alone, rtol=1e-6)
    assert np.abs(together - contrastive_losses(features, texts, scales, labels))[[1, 3, 4]].min() > 1e-3


def test_eight_devices_see_the_whole_batch():
    features, texts, scales, labels = batch()
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))

    def spread(x, *axes):
        return jax.device_put(x, NamedSharding(mesh, PartitionSpec(*axes)))

    gradient = jax.jit(jax.value_and_grad(lambda *args: contrastive_losses(*args).mean()))
    value, grad = gradient(
        spread(features, None, "data"), spread(texts, None, "data"), spread(scales), spread(labels, "data")
    )
    value_of_one, grad_of_one = gradient(features, texts, scales, labels)
    np.testing.assert_allclose(value, value_of_one, rtol=1e-6)
    np.testing.assert_allclose(grad, grad_of_one, atol=1e-7, rtol=0)


def test_half_precision_is_compared_in_float32():
    features, texts, scales, labels = batch()
    losses = contrastive_losses(jnp.asarray(features, jnp.bfloat16), texts, scales, labels)
    assert losses.dtype == jnp.float32
    np.testing.assert_allclose(losses, contrastive_losses(features, texts, scales, labels), rtol=0.02)

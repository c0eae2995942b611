import jax
import jax.numpy as jnp
import numpy as np
import pytest
from golden import motion_cases

from rgbd_jax.losses.classification import correct, cross_entropy

LOGITS = jnp.array([[1.0, 2.0, -1.0, 0.5], [0.0, 0.0, 3.0, 1.0]])
LABELS = jnp.array([1, 0], jnp.int32)


def test_smoothing_mixes_the_label_with_all_classes():
    log_p = np.asarray(jax.nn.log_softmax(LOGITS))
    nll = -log_p[np.arange(2), np.asarray(LABELS)]
    np.testing.assert_allclose(cross_entropy(LOGITS, LABELS), nll, rtol=1e-6)
    expected = 0.9 * nll + 0.1 * -log_p.mean(1)
    np.testing.assert_allclose(cross_entropy(LOGITS, LABELS, 0.1), expected, rtol=1e-6)


@pytest.mark.parametrize("name", motion_cases.names("label_smoothing"))
def test_against_the_published_loss(name):
    case = motion_cases.load(name)
    x, labels = jnp.asarray(case.inputs["x"]), jnp.asarray(case.outputs["target"], jnp.int32)

    def loss(x):
        return cross_entropy(x, labels, case.params["smoothing"]).mean()

    case.check("loss", loss(x))
    case.check("plain", cross_entropy(x, labels).mean())
    case.check("grad_x", jax.grad(loss)(x))


def test_the_loss_of_bfloat16_logits_is_float32():
    assert cross_entropy(LOGITS.astype(jnp.bfloat16), LABELS).dtype == jnp.float32


def test_correct_counts_the_largest_logit():
    np.testing.assert_array_equal(correct(LOGITS, LABELS), [1.0, 0.0])

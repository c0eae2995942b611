import jax
import jax.numpy as jnp
import numpy as np

from rgbd_jax.losses.fusion import FLOOR, modality_loss, reconstruction_loss

RGB = jnp.array([[1.0, 2.0, 3.0], [0.0, -1.0, 2.0]])
DEPTH = jnp.array([[1.0, 0.0, 0.0], [3.0, -1.0, 2.0]])


def test_modality_loss_is_the_cross_entropy_of_both_answers():
    rgb, depth = np.array([0.5, -2.0]), np.array([1.5, 0.0])
    p, q = 1 / (1 + np.exp(-rgb)), 1 / (1 + np.exp(-depth))
    expected = -np.log(p) - np.log(1 - q)
    ours = modality_loss(jnp.asarray(rgb, jnp.float32), jnp.asarray(depth, jnp.float32))
    np.testing.assert_allclose(ours, expected, rtol=1e-6)


def test_a_hopeless_answer_costs_a_hundred():
    hopeless, sure = jnp.array([-1e4]), jnp.array([-1e4])
    np.testing.assert_array_equal(modality_loss(hopeless, sure), [-FLOOR])
    gradient = jax.grad(lambda x: modality_loss(x, sure).sum())(hopeless)
    np.testing.assert_array_equal(gradient, [0.0])


def test_reconstruction_loss_is_the_mean_over_features_summed_over_modalities():
    decoded = jnp.array([[1.0, 1.0, 1.0], [3.0, -1.0, 2.0]])
    expected = [(0 + 1 + 4) / 3 + (0 + 1 + 1) / 3, 9 / 3 + 0]
    np.testing.assert_allclose(reconstruction_loss(decoded, RGB, DEPTH), expected, rtol=1e-6)


def test_the_features_learn_from_the_reconstruction():
    decoded = jnp.zeros_like(RGB)
    grads = jax.grad(lambda *args: reconstruction_loss(*args).sum(), argnums=(0, 1, 2))(decoded, RGB, DEPTH)
    for grad, expected in zip(grads, (-RGB - DEPTH, RGB, DEPTH), strict=True):
        np.testing.assert_allclose(grad, expected * 2 / 3, rtol=1e-6)

"""The recoupling against the published one, and its distillation against the definition."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from golden import motion_cases
from golden.motion_networks import port, relative_error
from golden.motion_tools import AdditiveRecoupling
from golden.weights import golden_array

from rgbd_jax.models.recoupling import Recoupling, distillation
from rgbd_jax.weights.motion_rgbd import recoupling_rules

# What the published module also holds in its older form and does not use.
UNUSED = (r"norm\.(weight|bias)",)


@pytest.mark.parametrize("name", motion_cases.names("rcm"))
def test_golden(name):
    """The case whose merge is "mean" has the numbers of the one whose merge is "GAP"."""
    case = motion_cases.load(name)
    if case.params["method"] == "New":
        network = port(
            lambda rngs: Recoupling(64, 512, heads=case.params["heads"], rngs=rngs),
            case.weights,
            recoupling_rules("", ""),
        )
    else:
        network = port(
            lambda rngs: AdditiveRecoupling(64, 512, rngs=rngs),
            case.weights,
            recoupling_rules("", ""),
            UNUSED,
        )

    def objective(x):
        (y, student, weight), _ = network(network.variables, x, train=False)
        loss = (y * case.inputs["cot"]).sum() + (student * case.inputs["cot_student"]).sum()
        return loss, {"y": y, "student": student, "weight": weight}

    (_, out), grad = jax.jit(jax.value_and_grad(objective, has_aux=True))(case.inputs["x"])
    for output, ours in out.items():
        case.check(output, ours)
    assert relative_error(grad, case.outputs["grad_x"]) <= motion_cases.RELATIVE_NORM


def test_distillation():
    """The Kullback–Leibler divergence of two tempered distributions, without a gradient to the teacher."""
    student, teacher = (golden_array(name, (3, 8), "normal") for name in ("student", "teacher"))
    p, q = (np.exp(f / 0.5) / np.exp(f / 0.5).sum(-1, keepdims=True) for f in (teacher, student))
    np.testing.assert_allclose(distillation(student, teacher, 0.5), (p * np.log(p / q)).sum(-1), rtol=1e-5)
    np.testing.assert_allclose(distillation(teacher, teacher, 0.5), 0, atol=1e-6)
    towards_student, towards_teacher = jax.grad(
        lambda student, teacher: distillation(student, teacher, 0.5).sum(), argnums=(0, 1)
    )(student, teacher)
    np.testing.assert_allclose(towards_student, (q - p) / 0.5, rtol=1e-4, atol=1e-6)
    assert not np.any(towards_teacher)


def test_weights_stay_in_float32():
    """Arithmetic in bfloat16 weighs with weights of float32."""
    recoupling = Recoupling(8, 16, heads=2, rngs=nnx.Rngs(0))
    x = jnp.asarray(golden_array("x", (2, 8, 16), "normal"), jnp.bfloat16)
    run = jax.jit(lambda x: recoupling(x, train=False))
    y, student, weight = run(x)
    assert (y.dtype, student.dtype, weight.dtype) == (jnp.bfloat16, jnp.float32, jnp.float32)
    expected, _, _ = run(x.astype(jnp.float32))
    np.testing.assert_allclose(y.astype(jnp.float32), expected, rtol=0.01)


def test_drop_out_where_heads_are_merged():
    """It depends on the key, in training alone."""
    recoupling = Recoupling(8, 16, heads=2, drop_out=0.5, rngs=nnx.Rngs(0))
    x = jnp.asarray(golden_array("x", (2, 8, 16), "normal"))

    @functools.partial(jax.jit, static_argnames="train")
    def weight(seed, train):
        return recoupling(x, train=train, rngs=nnx.Rngs(dropout=jax.random.key(seed)))[2]

    assert np.abs(weight(1, train=True) - weight(2, train=True)).max() > 0
    np.testing.assert_array_equal(weight(1, train=False), weight(2, train=False))

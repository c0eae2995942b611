import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rgbd_jax.training.optimizer import after_skipping, learning_rate, make_optimizer
from rgbd_jax.training.plateau import Plateau

SCHEDULE = dict(
    name="step",
    base_lr=0.1,
    reference_batch=64,
    warm_up=0.0,
    steps=(),
    decay_rate=0.1,
    minimum=0.0,
    per="epoch",
) | dict(batch_size=64, num_epochs=10, steps_per_epoch=4)


def rates(at_steps, **changes):
    schedule = learning_rate(**(SCHEDULE | changes))
    return np.array([schedule(jnp.asarray(step, jnp.int32)) for step in at_steps])


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("ntu_lst", dict(base_lr=0.1, warm_up=5 / 110, steps=(90 / 110, 100 / 110), num_epochs=110)),
        ("ucla_lst", dict(base_lr=0.2, warm_up=5 / 110, steps=(90 / 110, 100 / 110), num_epochs=110)),
        ("ntu_default", dict(base_lr=0.1, warm_up=5 / 65, steps=(35 / 65, 55 / 65), num_epochs=65)),
        ("ucla_default", dict(base_lr=0.1, warm_up=5 / 65, steps=(50 / 65,), num_epochs=65)),
        ("no_warm", dict(base_lr=0.05, steps=(3 / 12, 7 / 12, 7 / 12), num_epochs=12)),
    ],
)
def test_published_schedules(golden, name, recipe):
    expected = golden("gap/lr.npz")[name]
    with jax.enable_x64(True):
        found = rates([4 * epoch + 1 for epoch in range(recipe["num_epochs"])], **recipe)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "warm_up", "recipe"),
    [
        ("ntu_train", "short", dict(base_lr=0.005, name="cosine", num_epochs=100)),
        ("ntu_fusion", "whole", dict(base_lr=0.005, name="cosine", num_epochs=100)),
        ("nv_train", "short", dict(base_lr=0.01, name="cosine", num_epochs=100)),
        ("thu_train", "short", dict(base_lr=0.01, name="cosine", num_epochs=100)),
        ("isogd_train", "short", dict(base_lr=0.01, name="plateau", num_epochs=300)),
    ],
)
def test_published_schedules_of_rgbd(golden, name, warm_up, recipe):
    """Of the programs of MotionRGBD; the plateau's is fed the recorded accuracies of the validation."""
    recorded = golden("motion/schedules.npz")
    epochs = recipe["num_epochs"]
    with jax.enable_x64(True):
        found = rates(
            [4 * epoch + 3 for epoch in range(epochs)],
            **recipe | dict(warm_up=3 / epochs, minimum=1e-5, published_warm_up=warm_up),
        )
    if recipe["name"] == "plateau":
        plateau = Plateau(factor=0.1, patience=4, cooldown=3, minimum=1e-5 / found[-1], first_epoch=3)
        state = plateau.start()
        for epoch in range(epochs):
            found[epoch] *= state["scale"]
            state = plateau.update(state, epoch, recorded["accuracy1"][epoch])
    np.testing.assert_allclose(found, recorded[f"lr.{name}"], rtol=1e-6, atol=1e-12)


def test_a_cosine_without_warm_up_is_the_published_one_of_a_resumed_run(golden):
    recorded = golden("motion/schedules.npz")["resume_cosine.0.0001_1e-05_20"]
    with jax.enable_x64(True):
        found = rates(range(0, 80, 4), name="cosine", base_lr=1e-4, minimum=1e-5, num_epochs=20)
    np.testing.assert_allclose(found, recorded, rtol=1e-6, atol=1e-12)


def test_the_rate_is_scaled_with_the_global_batch():
    np.testing.assert_allclose(rates([0], batch_size=256, reference_batch=64), 0.4, rtol=1e-6)


def test_cosine_falls_from_the_end_of_the_warm_up_to_its_minimum():
    found = rates([0, 3, 7, 8, 24, 40], name="cosine", warm_up=0.2, minimum=0.01, per="step")
    np.testing.assert_allclose(found, [0.1 / 8, 0.05, 0.1, 0.1, 0.055, 0.01], rtol=1e-5)


def test_a_warm_up_shorter_than_an_epoch_rises_with_the_steps():
    np.testing.assert_allclose(rates([0, 1, 2], warm_up=0.05, per="step"), [0.05, 0.1, 0.1], rtol=1e-6)


def test_sgd_is_nesterov_with_decay_on_every_parameter_as_in_pytorch():
    decay, momentum, lr = 0.1, 0.9, 0.5
    optimizer = make_optimizer(
        optax.constant_schedule(lr),
        name="sgd",
        momentum=momentum,
        nesterov=True,
        weight_decay=decay,
        clip_norm=0.0,
    )
    params = {"bias": jnp.array([1.0, -2.0])}
    state = optimizer.init(params)
    p, m = np.array([1.0, -2.0]), np.zeros(2)
    for grad in (np.array([0.3, 0.1]), np.array([-0.2, 0.4])):
        updates, state = optimizer.update({"bias": jnp.asarray(grad, jnp.float32)}, state, params)
        params = optax.apply_updates(params, updates)
        g = grad + decay * p
        m = momentum * m + g
        p = p - lr * (g + momentum * m)
        np.testing.assert_allclose(params["bias"], p, rtol=1e-6)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_parts_learn_at_their_own_rates(name):
    """As if the schedule were theirs, wherever they stand in the network; others at that of the schedule."""
    options = dict(name=name, momentum=0.9, nesterov=True, weight_decay=0.1, clip_norm=0.0)
    leaf = jnp.array([1.0, -2.0])
    network = {"head": leaf, "stream": {"tower": [leaf]}}
    grads = [jax.tree.map(lambda x, s=scale: s * x, network) for scale in (0.3, -0.2)]

    def learn(rate, **ratios):
        optimizer = make_optimizer(optax.constant_schedule(rate), rate_ratios=ratios, **options)
        params, state = network, optimizer.init(network)
        with jax.numpy_dtype_promotion("standard"):  # Optax counts in integers
            for grad in grads:
                updates, state = optimizer.update(grad, state, params)
                params = optax.apply_updates(params, updates)
        return params["head"], params["stream"]["tower"][0]

    whole, quarter = learn(0.5), learn(0.125)
    found = learn(0.5, tower=0.25)
    np.testing.assert_array_equal(found[0], whole[0])
    np.testing.assert_allclose(found[1], quarter[1], rtol=1e-6)
    np.testing.assert_array_equal(learn(0.5, tower=0.0)[1], leaf)
    np.testing.assert_array_equal(learn(0.5, tower=1.0), whole)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_of_an_update_that_is_not_applied_only_the_schedule_takes_note(name):
    optimizer = make_optimizer(
        lambda step: 10.0**-step,
        name=name,
        momentum=0.9,
        nesterov=True,
        weight_decay=0.0,
        clip_norm=5.0,
        rate_ratios={"tower": 0.5},
    )
    params = {"head": jnp.array([2.0]), "tower": jnp.array([2.0])}
    grads = jax.tree.map(jnp.ones_like, params)
    with jax.numpy_dtype_promotion("standard"):  # Optax counts in integers
        start = optimizer.init(params)
        first, _ = optimizer.update(grads, start, params)
        _, after = optimizer.update(jax.tree.map(lambda x: x * jnp.nan, grads), start, params)
        skipped = after_skipping(start, after)
        second, _ = optimizer.update(grads, skipped, params)
    for part in params:
        np.testing.assert_allclose(second[part], first[part] / 10, rtol=1e-6)
    differ = [not np.array_equal(a, b) for a, b in zip(*map(jax.tree.leaves, (start, skipped)), strict=True)]
    assert sum(differ) == 1


def test_clipping_limits_the_global_norm_before_the_decay():
    optimizer = make_optimizer(
        optax.constant_schedule(1.0),
        name="sgd",
        momentum=0.0,
        nesterov=False,
        weight_decay=0.0,
        clip_norm=5.0,
    )
    grads = {"a": jnp.array([30.0]), "b": jnp.array([40.0])}
    updates, _ = optimizer.update(grads, optimizer.init(grads), grads)
    np.testing.assert_allclose(optax.tree.norm(updates), 5.0, rtol=1e-6)
    small = jax.tree.map(lambda g: g / 100, grads)
    updates, _ = optimizer.update(small, optimizer.init(grads), grads)
    np.testing.assert_allclose(optax.tree.norm(updates), 0.5, rtol=1e-6)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_the_other_optimizers_step_by_the_learning_rate(name):
    optimizer = make_optimizer(
        optax.constant_schedule(0.01),
        name=name,
        momentum=0.9,
        nesterov=False,
        weight_decay=0.1,
        clip_norm=0.0,
    )
    params = {"a": jnp.array([2.0])}
    with jax.numpy_dtype_promotion("standard"):  # Optax counts in integers
        updates, _ = optimizer.update({"a": jnp.array([123.0])}, optimizer.init(params), params)
    decay = 0.1 * 2.0 if name == "adamw" else 0.0
    np.testing.assert_allclose(updates["a"], -0.01 * (1 + decay), rtol=1e-4)

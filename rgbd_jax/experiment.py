"""What a config and its data make: task, network, optimizer, and the compiled training step.

    raw batch -> augment -> network -> loss -> gradient -> Optax -> new state

All of it is one pure function; everything that trains or measures takes it from here.
"""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh, PartitionSpec
from ml_collections import ConfigDict

from rgbd_jax.models.layers import freeze_norms
from rgbd_jax.tasks import make_task
from rgbd_jax.tasks.task import Batch, Outputs, Task
from rgbd_jax.training import sharding
from rgbd_jax.training.checkpoint import load_weights
from rgbd_jax.training.optimizer import after_skipping, learning_rate, make_optimizer
from rgbd_jax.training.plateau import Plateau
from rgbd_jax.training.state import (
    TEXT_TOWER,
    Arrays,
    Network,
    TrainState,
    create_state,
    update_average,
)

Figures = dict[str, jax.Array]
TrainStep = Callable[[TrainState, Batch], tuple[TrainState, Figures]]

# Of config.schedule, what only concerns the plateau.
PLATEAU_KEYS = ("patience", "cooldown")


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A config made ready to train.

    Attributes:
      config: the config.
      mesh: the devices.
      task: joins network, input and loss.
      network: freshly initialised.
      schedule: the learning rate by the number of the step.
      plateau: when the rate drops further because the validation gets no better; None if never.
      optimizer: the gradient transformation.
      epoch_steps: training steps in an epoch.
    """

    config: ConfigDict
    mesh: Mesh
    task: Task
    network: Network
    schedule: optax.Schedule
    plateau: Plateau | None
    optimizer: optax.GradientTransformation
    epoch_steps: int

    @classmethod
    def build(cls, config: ConfigDict, data: Any, epoch_steps: int, mesh: Mesh) -> "Experiment":
        """
        Args:
          data: what the task must know of the data set, see `tasks.make_task`.

        Raises:
          UserError: if the config does not fit the task or the data.
        """
        task = make_task(config, data, training=True)
        schedule = make_schedule(config, task, epoch_steps)
        plateau = make_plateau(config, schedule, epoch_steps)
        module = task.network(nnx.Rngs(config.seed))
        if config.frozen_norm:
            freeze_norms(module)
        network = Network(module)
        optimizer = make_optimizer(schedule, rate_ratios=rate_ratios(config), **config.optimizer)
        return cls(config, mesh, task, network, schedule, plateau, optimizer, epoch_steps)

    def initial_state(self) -> TrainState:
        """The state before the first step, on the devices."""
        state = self.fresh_state()
        return sharding.place(state, sharding.state_shardings(state, self.mesh))

    def compiled_step(self) -> TrainStep:
        """The step of (state, raw global batch), compiled; it takes over the memory of the old state."""
        state = sharding.state_shardings(jax.eval_shape(self.fresh_state), self.mesh)
        figures = sharding.replicated(self.mesh)
        return jax.jit(
            self.train_step,
            donate_argnums=0,
            out_shardings=(state, figures),
            compiler_options=compiler_options(self.config, self.mesh),
        )

    def compiled_prediction(self) -> Callable[[Arrays, Arrays, Batch], dict[str, jax.Array]]:
        """What scores, by the name of their branch, a raw global batch gets in the first epoch, compiled.

        Returns:
          A function of (parameters, batch statistics, batch).
        """

        def logits(inputs: Any, outputs: Outputs, epoch: jax.Array) -> dict[str, jax.Array]:
            del inputs
            return self.task.logits(outputs, epoch)

        evaluation = compiled_evaluation(self.config, self.task, self.network, self.mesh, logits)
        return lambda params, batch_stats, batch: evaluation(params, batch_stats, batch, 0)

    def train_step(self, state: TrainState, batch: Batch) -> tuple[TrainState, Figures]:
        """One step, uncompiled. Its random keys follow from seed and step: nothing of them is stored."""
        config = self.config
        keys = jax.random.split(jax.random.fold_in(jax.random.key(config.seed), state.step), 3)
        epoch = state.step // self.epoch_steps
        grads, (batch_stats, sums) = self._gradient(state.params, state.batch_stats, batch, epoch, *keys)
        grads = sharding.split(grads, self.mesh)
        updates, opt_state = self.optimizer.update(grads, state.opt_state, state.params)
        rate = self.schedule(state.step)
        if self.plateau:
            # Of every optimizer we have, the update is proportional to the rate.
            updates = optax.tree.scale(state.plateau["scale"], updates)
            rate = rate * state.plateau["scale"]
        params = optax.apply_updates(state.params, updates)
        ema_params = state.ema_params
        if config.ema_decay:
            ema_params = update_average(ema_params, params, state.step, config.ema_decay)

        count = jnp.asarray(config.batch_size, jnp.float32)
        sums = {name: total.astype(jnp.float32) for name, total in sums.items()}
        means = {name: total / count for name, total in sums.items()}
        grad_norm = optax.tree.norm(grads)
        starts_epoch = state.step % self.epoch_steps == 0
        so_far = jax.tree.map(lambda total: jnp.where(starts_epoch, 0.0, total), state.sums)
        sums = optax.tree.add(so_far, sums | {"count": count, "skipped": jnp.zeros_like(count)})

        # A step that is not finite leaves everything as it was, and is counted. The learning rate goes on: it
        # is that of the number of the step.
        is_finite = jnp.isfinite(means["loss"]) & jnp.isfinite(grad_norm)
        params, batch_stats, opt_state, ema_params, sums = jax.tree.map(
            lambda new, old: jnp.where(is_finite, new, old),
            (params, batch_stats, opt_state, ema_params, sums),
            (
                state.params,
                state.batch_stats,
                after_skipping(state.opt_state, opt_state),
                state.ema_params,
                so_far,
            ),
        )
        skipped = jnp.where(is_finite, 0, 1)
        new_state = state.replace(
            step=state.step + 1,
            params=params,
            batch_stats=batch_stats,
            opt_state=opt_state,
            ema_params=ema_params,
            sums=sums | {"skipped": sums["skipped"] + skipped.astype(jnp.float32)},
            skipped_in_row=jnp.where(is_finite, 0, state.skipped_in_row + 1),
        )
        return new_state, means | {"lr": rate, "grad_norm": grad_norm, "skipped": skipped}

    def tell_plateau(self, state: TrainState, epoch: int, figure: float) -> TrainState:
        """The state that knows what the validation of an epoch (from 0) gave; its rate may have dropped."""
        if not self.plateau:
            return state
        moved = self.plateau.update(sharding.to_host(state.plateau), epoch, figure)
        return state.replace(plateau=sharding.place(moved, sharding.state_shardings(moved, self.mesh)))

    def fresh_state(self) -> TrainState:
        """The state before the first step, whole on this process."""
        return create_state(
            self.network,
            self.optimizer,
            ema=self.config.ema_decay > 0,
            reported=self.task.reported,
            plateau=self.plateau.start() if self.plateau else {},
        )

    def _gradient(
        self,
        params: Arrays,
        batch_stats: Arrays,
        batch: Batch,
        epoch: jax.Array,
        prepare_key: jax.Array,
        network_key: jax.Array,
        loss_key: jax.Array,
    ) -> tuple[Arrays, tuple[Arrays, dict[str, jax.Array]]]:
        """The mean gradient over `config.accumulate` equal parts of the batch, one after the other; then the
        batch statistics after them and the sums over all samples of what is reported."""

        def loss_fn(params: Arrays, batch_stats: Arrays, batch: Batch, network_key: jax.Array):
            inputs = prepare_sharded(self.task, batch, prepare_key, self.mesh, train=True)
            params = sharding.gather(params, self.mesh)
            outputs, batch_stats = self.network.apply(
                params, batch_stats, inputs, train=True, key=network_key
            )
            loss, sums = self.task.loss(outputs, batch, epoch, loss_key)
            return loss, (batch_stats, sums)

        gradient = jax.grad(loss_fn, has_aux=True)
        parts = self.config.accumulate
        if parts == 1:
            return gradient(params, batch_stats, batch, network_key)

        def one_part(carry, part):
            grads, batch_stats, sums = carry
            more_grads, (batch_stats, more_sums) = gradient(params, batch_stats, *part)
            return (optax.tree.add(grads, more_grads), batch_stats, optax.tree.add(sums, more_sums)), None

        nothing = (
            optax.tree.zeros_like(params),
            batch_stats,
            dict.fromkeys(self.task.reported, jnp.zeros(())),
        )
        # Part i takes every parts-th sample from i on: each device goes on with the samples that it has.
        split = jax.tree.map(lambda x: x.reshape(-1, parts, *x.shape[1:]).swapaxes(0, 1), batch)
        (grads, batch_stats, sums), _ = jax.lax.scan(
            one_part, nothing, (split, jax.random.split(network_key, parts))
        )
        return optax.tree.scale(1 / parts, grads), (batch_stats, sums)


def compiler_options(config: ConfigDict, mesh: Mesh) -> dict[str, str]:
    """What the compiler must be told for a training step, beyond its defaults.

    On GPUs, not to merge products that share a factor: it reads that factor once less, and then copies each
    part out of what it made. A step of GAP would move a tenth more (bfloat16, 64 clips, JAX 0.11).

    On CPUs, to keep the barriers that put computing things twice (`model.remat`) off: XLA's backend drops
    them, and computes both at once. On 16 clips a CTR-GCN of six blocks then needs as much as without.
    """
    platform = mesh.devices.flat[0].platform
    if platform == "gpu":
        return {"xla_gpu_dot_merger_threshold_mb": "0"}
    if platform == "cpu" and config.model.remat:
        return {"xla_disable_hlo_passes": "cse_barrier_expander"}
    return {}


def make_schedule(config: ConfigDict, task: Task, epoch_steps: int) -> optax.Schedule:
    """The learning rate of each step, for the config's batch size and number of epochs."""
    return learning_rate(
        **{name: value for name, value in config.schedule.items() if name not in PLATEAU_KEYS},
        batch_size=config.batch_size,
        num_epochs=config.num_epochs,
        steps_per_epoch=epoch_steps,
        published_warm_up=task.published_warm_up,
    )


def rate_ratios(config: ConfigDict) -> dict[str, float]:
    """Which parts of the network learn at another rate than the schedule's, by name, and its multiple."""
    text = config.get("text")
    return {TEXT_TOWER: text.lr_ratio} if text and text.source == "clip" else {}


def make_plateau(config: ConfigDict, schedule: optax.Schedule, epoch_steps: int) -> Plateau | None:
    """What lowers the learning rate where the validation gets no better; None if the config asks for none."""
    keys = config.schedule
    if keys.name != "plateau":
        return None
    after_warm_up = float(schedule(config.num_epochs * epoch_steps))
    return Plateau(
        factor=keys.decay_rate,
        minimum=keys.minimum / after_warm_up,
        first_epoch=round(keys.warm_up * config.num_epochs),
        **{name: keys[name] for name in PLATEAU_KEYS},
    )


def prepare_sharded(task: Task, batch: Batch, key: jax.Array, mesh: Mesh, *, train: bool) -> Any:
    """`task.prepare` of a global batch, each device with the samples that it has."""
    prepare = functools.partial(task.prepare, train=train)
    # A loop over the samples would otherwise begin with the samples of all devices on each.
    return jax.shard_map(
        prepare,
        mesh=mesh,
        in_specs=(sharding.SAMPLES, PartitionSpec()),
        out_specs=sharding.SAMPLES,
        check_vma=False,
    )(batch, key)


def fresh_network(config: ConfigDict, data: Any) -> tuple[Task, Network]:
    """The task of a config that is not trained here, and its network, freshly initialised.

    Args:
      data: what the task must know of the data set, see `tasks.make_task`.

    Raises:
      UserError: if the config does not fit the task or the data.
    """
    task = make_task(config, data)
    return task, Network(task.network(nnx.Rngs(config.seed)))


def trained_network(
    config: ConfigDict, data: Any, checkpoint: Path, mesh: Mesh
) -> tuple[Task, Network, tuple[Arrays, Arrays]]:
    """`fresh_network`, and the parameters and batch statistics of a checkpoint, on all devices of `mesh`.

    Raises:
      UserError: see `fresh_network`; or the checkpoint holds another network.
    """
    task, network = fresh_network(config, data)
    weights = load_weights(checkpoint, network.params, network.batch_stats, sharding.replicated(mesh))
    return task, network, weights


def compiled_evaluation(
    config: ConfigDict,
    task: Task,
    network: Network,
    mesh: Mesh,
    result: Callable[[Any, Outputs, jax.Array], Any],
) -> Callable[[Arrays, Arrays, Batch, int], Any]:
    """What the network makes of a raw global batch without augmentation, compiled.

    Args:
      result: of (inputs, outputs, epoch), what is wanted of it.

    Returns:
      A function of (parameters, batch statistics, batch, epoch).
    """

    def evaluation_step(params: Arrays, batch_stats: Arrays, batch: Batch, epoch: jax.Array) -> Any:
        inputs = prepare_sharded(task, batch, jax.random.key(config.seed), mesh, train=False)
        outputs, _ = network.apply(sharding.gather(params, mesh), batch_stats, inputs, train=False)
        return result(inputs, outputs, epoch)

    step = jax.jit(evaluation_step, out_shardings=sharding.replicated(mesh))
    return lambda params, batch_stats, batch, epoch: step(params, batch_stats, batch, np.int32(epoch))

"""The network as a pure function, and the state of a training run.

A Flax NNX module is split once into its structure and its arrays. From then on parameters and batch
statistics are nested dicts that travel through `jax.jit` and `jax.value_and_grad` like any other arrays.
"""

from collections.abc import Callable
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax
from flax import nnx

Arrays = dict[str, Any]


class Network:
    """A module without its arrays."""

    def __init__(self, build: Callable[[nnx.Rngs], nnx.Module]):
        """
        Args:
          build: makes the module; it may hold `nnx.Param` and `nnx.BatchStat` variables and nothing else.
        """
        self._build = build
        self._structure = nnx.graphdef(nnx.eval_shape(lambda: build(nnx.Rngs(0))))

    def init(self, key: jax.Array) -> tuple[Arrays, Arrays]:
        """Fresh parameters and batch statistics."""
        _, params, batch_stats = nnx.split(self._build(nnx.Rngs(key)), nnx.Param, nnx.BatchStat)
        return nnx.to_pure_dict(params), nnx.to_pure_dict(batch_stats)

    def apply(
        self,
        params: Arrays,
        batch_stats: Arrays,
        x: Any,
        *,
        train: bool,
        dropout_key: jax.Array | None = None,
    ) -> tuple[dict[str, jax.Array], Arrays]:
        """The module's named outputs, and the batch statistics after the call."""
        module = nnx.merge(self._structure, params, batch_stats)
        rngs = None if dropout_key is None else nnx.Rngs(dropout=dropout_key)
        outputs = module(x, train=train, rngs=rngs)
        return outputs, nnx.to_pure_dict(nnx.state(module, nnx.BatchStat))


@flax.struct.dataclass
class TrainState:
    """Everything a step changes.

    Attributes:
      step: number of steps done, int32.
      params, batch_stats: of the network.
      opt_state: of the Optax transformation.
      ema_params: moving average of the parameters; empty when it is off.
      sums: sums over the samples of the running epoch, of the loss and of what else is reported, with their
        `count`.
    """

    step: jax.Array
    params: Arrays
    batch_stats: Arrays
    opt_state: optax.OptState
    ema_params: Arrays
    sums: dict[str, jax.Array]

    @property
    def eval_params(self) -> Arrays:
        """The parameters to evaluate with: the moving average where there is one."""
        return self.ema_params or self.params


def create_state(
    network: Network,
    optimizer: optax.GradientTransformation,
    key: jax.Array,
    *,
    ema: bool,
    reported: tuple[str, ...],
) -> TrainState:
    """The state before the first step. Pure: run it under `jit` with the sharding that it shall have."""
    params, batch_stats = network.init(key)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        params=params,
        batch_stats=batch_stats,
        opt_state=optimizer.init(params),
        ema_params=jax.tree.map(jnp.copy, params) if ema else {},
        sums={name: jnp.zeros((), jnp.float32) for name in (*reported, "count")},
    )


def update_average(average: Arrays, params: Arrays, step: jax.Array, decay: float) -> Arrays:
    """One step of the moving average of the parameters.

    The decay grows to its value over the first steps, (1 + step) / (10 + step), so that the start is soon
    forgotten.
    """
    done = step.astype(jnp.float32)
    decay = jnp.minimum(decay, (1.0 + done) / (10.0 + done))
    return optax.incremental_update(params, average, 1.0 - decay)

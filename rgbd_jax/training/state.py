"""The network as a pure function, and the state of a training run.

A Flax NNX module is split once into its structure and its arrays. From then on parameters and batch
statistics are nested dicts that travel through `jax.jit` and `jax.value_and_grad` like any other arrays.
"""

from collections.abc import Collection
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

Arrays = dict[str, Any]

# The transformer of texts is called so in all networks, wherever it stands; only training needs it.
TEXT_TOWER = "text_tower"


class Network:
    """A module taken apart.

    Attributes:
      params, batch_stats: the arrays that the module was built with.
    """

    def __init__(self, module: nnx.Module):
        """
        Args:
          module: holds `nnx.Param` and `nnx.BatchStat` variables and nothing else.
        """
        self._structure, params, batch_stats = nnx.split(module, nnx.Param, nnx.BatchStat)
        self.params: Arrays = nnx.to_pure_dict(params)
        self.batch_stats: Arrays = nnx.to_pure_dict(batch_stats)

    def apply(
        self,
        params: Arrays,
        batch_stats: Arrays,
        x: Any,
        *,
        train: bool,
        key: jax.Array | None = None,
    ) -> tuple[dict[str, jax.Array], Arrays]:
        """The module's named outputs, and the batch statistics after the call.

        Args:
          key: of all that the module draws at random; None if it draws nothing.
        """
        module = nnx.merge(self._structure, params, batch_stats)
        rngs = None if key is None else nnx.Rngs(key)
        outputs = module(x, train=train, rngs=rngs)
        return outputs, nnx.to_pure_dict(nnx.state(module, nnx.BatchStat))


def num_parameters(params: Arrays) -> int:
    """How many numbers there are in all arrays, which may be abstract."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))


@flax.struct.dataclass
class TrainState:
    """Everything a step changes.

    Attributes:
      step: number of steps done, int32.
      params, batch_stats: of the network.
      opt_state: of the Optax transformation.
      ema_params: moving average of the parameters; empty when it is off.
      sums: sums over the samples of the running epoch, of the loss and of what else is reported, with their
        `count`; and how many of its steps were `skipped`.
      skipped_in_row: how many steps up to this one were skipped, because they were not finite.
      plateau: what `Plateau` keeps from epoch to epoch; empty where the schedule has none.
    """

    step: jax.Array
    params: Arrays
    batch_stats: Arrays
    opt_state: optax.OptState
    ema_params: Arrays
    sums: dict[str, jax.Array]
    skipped_in_row: jax.Array
    plateau: dict[str, jax.Array]

    @property
    def eval_params(self) -> Arrays:
        """The parameters to evaluate with: the moving average where there is one."""
        return self.ema_params or self.params


def named_leaves(tree: Any) -> dict[str, Any]:
    """The leaves of a tree by their path; a position in a list reads the same as the key that a file has for
    it."""
    return {
        jax.tree_util.keystr(path, simple=True, separator="/"): leaf
        for path, leaf in jax.tree.leaves_with_path(tree)
    }


def is_part(name: str, parts: Collection[str]) -> bool:
    """Whether a leaf, by its path, belongs to one of the parts of a network that are called so."""
    return not set(parts).isdisjoint(name.split("/"))


def create_state(
    network: Network,
    optimizer: optax.GradientTransformation,
    *,
    ema: bool,
    reported: tuple[str, ...],
    plateau: dict[str, np.ndarray],
) -> TrainState:
    """The state before the first step; where its arrays belong, `sharding.state_shardings` says.

    Args:
      ema: whether a moving average of the parameters is kept.
      reported: names of the sums.
      plateau: see `TrainState`.
    """
    return TrainState(
        step=np.int32(0),
        params=network.params,
        batch_stats=network.batch_stats,
        opt_state=jax.jit(optimizer.init)(network.params),
        ema_params=network.params if ema else {},
        sums={name: np.float32(0) for name in (*reported, "count", "skipped")},
        skipped_in_row=np.int32(0),
        plateau=plateau,
    )


def update_average(average: Arrays, params: Arrays, step: jax.Array, decay: float) -> Arrays:
    """One step of the moving average of the parameters.

    The decay grows to its value over the first steps, (1 + step) / (10 + step), so that the start is soon
    forgotten.
    """
    done = step.astype(jnp.float32)
    decay = jnp.minimum(decay, (1.0 + done) / (10.0 + done))
    return optax.incremental_update(params, average, 1.0 - decay)

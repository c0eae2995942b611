"""Starting from the weights of another run."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp

from rgbd_jax.training.checkpoint import load_weights, saved_shapes
from rgbd_jax.training.state import Arrays, TrainState, named_leaves


def start_from(checkpoint: Path, state: TrainState) -> TrainState:
    """The state with the parameters and statistics of a checkpoint, wherever name and shape agree.

    What the checkpoint has in another shape (the head, when the classes differ) or not at all stays freshly
    initialised, and is named on standard error.

    Args:
      checkpoint: the folder of one checkpoint.
    """
    saved_params, saved_stats = load_weights(checkpoint, *saved_shapes(checkpoint), state.step.sharding)
    params, left_params = _fill(state.params, saved_params)
    batch_stats, left_stats = _fill(state.batch_stats, saved_stats)
    left = left_params + left_stats
    print(
        f"starting from {checkpoint}; {len(left)} arrays start fresh{': ' if left else ''}{', '.join(left)}",
        file=sys.stderr,
    )
    ema_params = jax.tree.map(jnp.copy, params) if state.ema_params else {}
    return state.replace(params=params, batch_stats=batch_stats, ema_params=ema_params)


def _fill(fresh: Arrays, saved: Arrays) -> tuple[Arrays, list[str]]:
    """`fresh` with the arrays of `saved` where the shapes agree, and the names of the others."""
    filled, left, by_name = [], [], named_leaves(saved)
    for name, leaf in named_leaves(fresh).items():
        found = by_name.get(name)
        if found is None or found.shape != leaf.shape:
            left.append(name)
            filled.append(leaf)
        else:
            filled.append(jax.device_put(found.astype(leaf.dtype), leaf.sharding))
    return jax.tree.unflatten(jax.tree.structure(fresh), filled), left

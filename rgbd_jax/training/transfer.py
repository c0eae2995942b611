"""Starting from the weights of another run."""

import sys
from pathlib import Path

import jax

from rgbd_jax.training.checkpoint import load_weights, resolve, saved_shapes
from rgbd_jax.training.state import Arrays, TrainState


def start_from(path: Path, state: TrainState) -> TrainState:
    """The state with the parameters and statistics of a checkpoint, wherever name and shape agree.

    What the checkpoint has in another shape (the head, when the classes differ) or not at all stays freshly
    initialised, and is named on standard error.

    Args:
      path: a run or one of its checkpoints.
    """
    checkpoint = resolve(path)
    saved_params, saved_stats = load_weights(checkpoint, *saved_shapes(checkpoint), state.step.sharding)
    params, left_params = _fill(state.params, saved_params)
    batch_stats, left_stats = _fill(state.batch_stats, saved_stats)
    left = left_params + left_stats
    print(
        f"starting from {checkpoint}; {len(left)} arrays start fresh{': ' if left else ''}{', '.join(left)}",
        file=sys.stderr,
    )
    ema_params = jax.tree.map(lambda x: x.copy(), params) if state.ema_params else {}
    return state.replace(params=params, batch_stats=batch_stats, ema_params=ema_params)


def _fill(fresh: Arrays, saved: Arrays) -> tuple[Arrays, list[str]]:
    """`fresh` with the arrays of `saved` where the shapes agree, and the names of the others."""
    by_name = {_name(path): leaf for path, leaf in jax.tree.leaves_with_path(saved)}
    left = []

    def choose(path, leaf):
        found = by_name.get(_name(path))
        if found is None or found.shape != leaf.shape:
            left.append(_name(path))
            return leaf
        return jax.device_put(found.astype(leaf.dtype), leaf.sharding)

    return jax.tree.map_with_path(choose, fresh), left


def _name(path: tuple) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")

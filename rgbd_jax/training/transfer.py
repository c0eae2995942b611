"""Starting from the weights of other runs."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from rgbd_jax.training.checkpoint import load_weights, saved_shapes
from rgbd_jax.training.state import Arrays, TrainState, named_leaves


def start_from(checkpoints: Mapping[str, Path], state: TrainState) -> TrainState:
    """The state with the parameters and statistics of checkpoints, wherever name and shape agree.

    What the checkpoints have in another shape (the head, when the classes differ) or not at all stays freshly
    initialised, and is named on standard error; so is what they have and the network has not.

    Args:
      checkpoints: folders of checkpoints by the part of the network that each is for, `trunks/rgb/` for
        example; "" is the whole.
    """
    saved_params: dict[str, Any] = {}
    saved_stats: dict[str, Any] = {}
    for part, checkpoint in checkpoints.items():
        params, stats = load_weights(checkpoint, *saved_shapes(checkpoint), state.step.sharding)
        saved_params |= {part + name: leaf for name, leaf in named_leaves(params).items()}
        saved_stats |= {part + name: leaf for name, leaf in named_leaves(stats).items()}
    params, fresh_params = _fill(state.params, saved_params)
    batch_stats, fresh_stats = _fill(state.batch_stats, saved_stats)
    fresh = fresh_params + fresh_stats
    unused = [
        name
        for saved, ours in ((saved_params, state.params), (saved_stats, state.batch_stats))
        for name in saved.keys() - named_leaves(ours).keys()
    ]
    print(
        f"starting from {' and '.join(map(str, checkpoints.values()))};"
        f" {_listed(fresh)} start fresh; {_listed(sorted(unused))} are not used",
        file=sys.stderr,
    )
    ema_params = jax.tree.map(jnp.copy, params) if state.ema_params else {}
    return state.replace(params=params, batch_stats=batch_stats, ema_params=ema_params)


def _fill(fresh: Arrays, saved: Mapping[str, Any]) -> tuple[Arrays, list[str]]:
    """`fresh` with the arrays of `saved` where the shapes agree, and the names of the others."""
    filled, left = [], []
    for name, leaf in named_leaves(fresh).items():
        found = saved.get(name)
        if found is None or found.shape != leaf.shape:
            left.append(name)
            filled.append(leaf)
        else:
            filled.append(jax.device_put(found.astype(leaf.dtype), leaf.sharding))
    return jax.tree.unflatten(jax.tree.structure(fresh), filled), left


def _listed(names: list[str]) -> str:
    return f"{len(names)} arrays ({', '.join(names)})" if names else "0 arrays"

"""Starting from the weights of other runs."""

import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from rgbd_jax.errors import UserError
from rgbd_jax.training.checkpoint import describe, load_weights, resolve, saved_shapes
from rgbd_jax.training.state import Arrays, TrainState, is_part, named_leaves

# What gives the scores of the classes is called so in all networks.
HEADS = frozenset(("heads", "classifier"))
# Of the network for both modalities: its parts that are networks for one, in the order of their starts.
TRUNKS = {"rgb": "trunks/rgb/", "depth": "trunks/depth/"}


def find_start(init_from: str, init_trunks: Sequence[str]) -> dict[str, Path]:
    """The checkpoints whose weights a new run starts from, for `start_from`.

    Args:
      init_from: run or checkpoint for the whole network; "" for none.
      init_trunks: two, of colour and of depth, for its trunks; () for none.

    Raises:
      UserError: if there is none where one is named, or one of the wrong modality.
    """
    found = {"": resolve(Path(init_from))} if init_from else {}
    for modality, path in zip(TRUNKS, init_trunks, strict=False):
        found[TRUNKS[modality]] = resolve(Path(path))
        check_modality(found[TRUNKS[modality]], modality)
    return found


def start_from(checkpoints: Mapping[str, Path], state: TrainState, class_names: Sequence[str]) -> TrainState:
    """The state with the parameters and statistics of checkpoints, wherever name and shape agree.

    What the checkpoints have in another shape or not at all stays freshly initialised, and is named on
    standard error; so is what they have and the network has not. The head stays fresh unless it is of the
    same classes: as many others would fit, but mean something else.

    Args:
      checkpoints: folders of checkpoints by the part of the network that each is for, `trunks/rgb/` for
        example; "" is the whole.
      class_names: those that the network is to tell apart, in the order of the labels.

    Raises:
      UserError: if a checkpoint has nothing for its part, or cannot be read.
    """
    shapes = {
        name: leaf.shape
        for arrays in (state.params, state.batch_stats)
        for name, leaf in named_leaves(arrays).items()
    }
    saved_params: dict[str, Any] = {}
    saved_stats: dict[str, Any] = {}
    heads_of_others: set[str] = set()
    for part, checkpoint in checkpoints.items():
        saved = saved_shapes(checkpoint)
        named = {part + name: leaf.shape for arrays in saved for name, leaf in named_leaves(arrays).items()}
        if not any(shapes.get(name) == shape for name, shape in named.items()):
            raise UserError(
                f"config.{'init_trunks' if part else 'init_from'}: {checkpoint} has no array that fits"
                f" {part.strip('/') or 'the network'}; a checkpoint of the same network is needed"
            )
        if describe(checkpoint).class_names != tuple(class_names):
            heads_of_others |= {name for name in named if _is_of_classes(name, named[name], class_names)}
        params, stats = load_weights(checkpoint, *saved, state.step.sharding)
        saved_params |= {part + name: leaf for name, leaf in named_leaves(params).items()}
        saved_stats |= {part + name: leaf for name, leaf in named_leaves(stats).items()}
    params, fresh_params = _fill(state.params, saved_params, heads_of_others)
    batch_stats, fresh_stats = _fill(state.batch_stats, saved_stats, heads_of_others)
    fresh = fresh_params + fresh_stats
    unused = [name for name in (saved_params | saved_stats) if name not in shapes]
    print(
        f"starting from {' and '.join(map(str, checkpoints.values()))};"
        f" {_listed(fresh)} start fresh; {_listed(sorted(unused))} are not used",
        file=sys.stderr,
    )
    ema_params = jax.tree.map(jnp.copy, params) if state.ema_params else {}
    return state.replace(params=params, batch_stats=batch_stats, ema_params=ema_params)


def check_modality(checkpoint: Path, modality: str) -> None:
    """See that a checkpoint was trained on one modality, as the shapes of its arrays do not tell.

    Raises:
      UserError: if it was not, or is no checkpoint.
    """
    found = tuple(describe(checkpoint).config.get("data", {}).get("modalities", ()))
    if found != (modality,):
        raise UserError(
            f"config.init_trunks: {checkpoint} was trained on {' and '.join(found) or 'no video'};"
            f" {modality} is needed here, the order is rgb, depth"
        )


def _is_of_classes(name: str, shape: tuple[int, ...], class_names: Sequence[str]) -> bool:
    """Whether an array belongs to a head and has a column for each class."""
    return is_part(name, HEADS) and shape[-1:] == (len(class_names),)


def _fill(fresh: Arrays, saved: Mapping[str, Any], but: Collection[str]) -> tuple[Arrays, list[str]]:
    """`fresh` with the arrays of `saved`, except some, where shapes agree, and the names of the others."""
    filled, left = [], []
    for name, leaf in named_leaves(fresh).items():
        found = saved.get(name)
        if found is None or name in but or found.shape != leaf.shape:
            left.append(name)
            filled.append(leaf)
        else:
            filled.append(jax.device_put(found.astype(leaf.dtype), leaf.sharding))
    return jax.tree.unflatten(jax.tree.structure(fresh), filled), left


def _listed(names: list[str]) -> str:
    return f"{len(names)} arrays ({', '.join(names)})" if names else "0 arrays"

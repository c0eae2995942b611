"""Starting from the weights of other runs."""

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from rgbd_jax.errors import UserError
from rgbd_jax.leaving import say
from rgbd_jax.training.checkpoint import describe, load_weights, saved_shapes
from rgbd_jax.training.checkpoint_folders import resolve
from rgbd_jax.training.state import TEXT_TOWER, Arrays, TrainState, is_part, named_leaves

# What gives the scores of the classes is called so in all networks.
HEADS = frozenset(("heads", "classifier"))
# Which share of a network a checkpoint must fit: small arrays fit into others by chance.
LEAST_SHARE = 0.5


def find_start(config: ConfigDict, trunks: Mapping[str, str]) -> dict[str, Path]:
    """The checkpoints whose weights a new run starts from, for `start_from`, as `config` names them.

    Args:
      config: `init_from` is a run or checkpoint for the whole network; `init_trunks`, where the task has it,
        are those for its trunks, one for each.
      trunks: of the task.

    Raises:
      UserError: if there is none where one is named, or one of the wrong modality; or if it has seen what the
        new run holds out.
    """
    found = {"": resolve(Path(config.init_from))} if config.init_from else {}
    for (modality, part), path in zip(trunks.items(), config.get("init_trunks", ()), strict=False):
        found[part] = resolve(Path(path))
        check_modality(found[part], modality, trunks)
    for checkpoint in found.values():
        check_unseen(checkpoint, config.data.held_out)
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
      UserError: if a checkpoint is of another network than its part, or cannot be read.
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
        _check_fit(checkpoint, part, saved[0], state.params)
        if describe(checkpoint).class_names != tuple(class_names):
            heads_of_others |= {name for name in named if _is_of_classes(name, named[name], class_names)}
        params, stats = load_weights(checkpoint, *saved, state.step.sharding)
        saved_params |= {part + name: leaf for name, leaf in named_leaves(params).items()}
        saved_stats |= {part + name: leaf for name, leaf in named_leaves(stats).items()}
    params, fresh_params = _fill(state.params, saved_params, heads_of_others)
    batch_stats, fresh_stats = _fill(state.batch_stats, saved_stats, heads_of_others)
    fresh = fresh_params + fresh_stats
    unused = [name for name in (saved_params | saved_stats) if name not in shapes]
    say(
        f"starting from {' and '.join(map(str, checkpoints.values()))};"
        f" {_listed(fresh)} start fresh; {_listed(sorted(unused))} are not used"
    )
    ema_params = jax.tree.map(jnp.copy, params) if state.ema_params else {}
    return state.replace(params=params, batch_stats=batch_stats, ema_params=ema_params)


def check_modality(checkpoint: Path, modality: str, order: Collection[str]) -> None:
    """See that a checkpoint was trained on one modality, as the shapes of its arrays do not tell.

    Raises:
      UserError: if it was not, or is no checkpoint.
    """
    found = tuple(describe(checkpoint).config.get("data", {}).get("modalities", ()))
    if found != (modality,):
        raise UserError(
            f"config.init_trunks: {checkpoint} was trained on {' and '.join(found) or 'no video'};"
            f" {modality} is needed here, the order is {', '.join(order)}"
        )


def check_unseen(checkpoint: Path, held_out: Collection[str]) -> None:
    """See that a checkpoint has learnt nothing of classes that are to be recognised unseen.

    Raises:
      UserError: if one of them was among its classes and not held out then.
    """
    description = describe(checkpoint)
    hidden = description.config.get("data", {}).get("held_out", ())
    if seen := [name for name in held_out if name in description.class_names and name not in hidden]:
        raise UserError(
            f"config.init_from: {checkpoint} was trained on {seen[0]!r}, which config.data.held_out holds out"
        )


def _check_fit(checkpoint: Path, part: str, saved: Arrays, params: Arrays) -> None:
    """See that a checkpoint is of the network, or of the part of it, that is to start from it.

    What either of them has more than the other does not count, nor do the heads and what only training has.

    Raises:
      UserError: if less than `LEAST_SHARE` of the parameters fit.
    """
    beside = {*HEADS, TEXT_TOWER}
    theirs = {part + name: leaf.shape for name, leaf in named_leaves(saved).items()}
    ours = {name: leaf.shape for name, leaf in named_leaves(params).items() if name.startswith(part)}

    def count(shapes: Mapping[str, tuple[int, ...]]) -> int:
        return sum(math.prod(shape) for name, shape in shapes.items() if not is_part(name, beside))

    share = count(dict(theirs.items() & ours.items())) / min(count(theirs), count(ours))
    if share < LEAST_SHARE:
        raise UserError(
            f"config.{'init_trunks' if part else 'init_from'}: {checkpoint} has {100 * share:.0f} % of the"
            f" parameters in common with {part.strip('/') or 'the network'}, without heads; at least"
            f" {100 * LEAST_SHARE:.0f} % are needed, those of a checkpoint of the same network"
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

"""Optimizers and learning-rate schedules, put together from Optax."""

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rgbd_jax.training.state import Arrays, is_part, named_leaves


def learning_rate(
    *,
    name: str,
    base_lr: float,
    reference_batch: int,
    warm_up: float,
    steps: Sequence[float],
    decay_rate: float,
    minimum: float,
    per: str,
    batch_size: int,
    num_epochs: int,
    steps_per_epoch: int,
    published_warm_up: str | None = None,
) -> optax.Schedule:
    """The learning rate as a function of the step number.

    The peak is `base_lr * batch_size / reference_batch`. Warm-up rises linearly to it; the first epoch (or
    step) already has its share, (e + 1) / warm-up epochs, as in CTR-GCN (ICCV 2021).

    Args:
      name: `constant`; `step`, times `decay_rate` at each of `steps`; `cosine`, from the end of the
        warm-up down to `minimum`; or `plateau`, constant here, as `Plateau` scales it.
      base_lr: rate for a global batch of `reference_batch` samples.
      warm_up: length of the warm-up as a fraction of `num_epochs`.
      steps: where the rate drops, as fractions of `num_epochs`.
      per: `epoch` keeps the rate for a whole epoch, `step` changes it with every step.
      published_warm_up: the warm-up of the programs of MotionRGBD (CVPR 2022), which begins at 1e-8: `whole`
        rises to the peak in equal steps over the epochs; `short` leaves out the last step, so that the peak
        is never reached.
    """
    peak = base_lr * batch_size / reference_batch
    # Fractions such as 90/110 come back as whole epochs only after rounding.
    warm_up_epochs = round(warm_up * num_epochs, 6)
    published = None
    if published_warm_up and warm_up_epochs >= 2:
        published = np.linspace(1e-8, peak, round(warm_up_epochs))
        published = published if published_warm_up == "whole" else published[:-1]
        peak = published[-1]
    if name == "step":
        drops = Counter(round(at * num_epochs, 6) for at in steps)
        decay = optax.piecewise_constant_schedule(
            peak, {at: decay_rate**times for at, times in drops.items()}
        )
    elif name == "cosine":
        cosine = optax.cosine_decay_schedule(peak, num_epochs - warm_up_epochs, alpha=minimum / peak)

        def decay(epoch):
            return cosine(jnp.maximum(epoch - warm_up_epochs, 0.0))
    else:
        decay = optax.constant_schedule(peak)

    def schedule(step):
        if published is not None:
            epoch = jnp.asarray(step // steps_per_epoch, int)
            share = jnp.asarray(published / peak, float)[jnp.minimum(epoch, len(published) - 1)]
            return decay(epoch.astype(float)) * share
        if per == "epoch":
            epoch = jnp.asarray(step // steps_per_epoch, float)
            share = (epoch + 1) / max(warm_up_epochs, 1e-9)
        else:
            epoch = jnp.asarray(step, float) / steps_per_epoch
            share = (epoch + 1 / steps_per_epoch) / max(warm_up_epochs, 1e-9)
        return decay(epoch) * jnp.minimum(share, 1.0)

    return schedule


def make_optimizer(
    schedule: optax.Schedule,
    *,
    name: str,
    momentum: float,
    nesterov: bool,
    weight_decay: float,
    clip_norm: float,
    rate_ratios: Mapping[str, float] = MappingProxyType({}),
) -> optax.GradientTransformation:
    """The gradient transformation of a run.

    Args:
      name: `sgd` (weight decay added to the gradient of every parameter, as PyTorch does), `adam` (no decay)
        or `adamw` (decoupled decay).
      clip_norm: largest global L2 norm of the gradient, before the decay is added; 0 for no clipping.
      rate_ratios: by the names of parts of the network, their learning rates as multiples of the schedule's;
        0 keeps a part as it is. Other parts have 1.
    """
    if name == "sgd":
        rule = optax.chain(
            optax.add_decayed_weights(weight_decay), optax.sgd(schedule, momentum=momentum, nesterov=nesterov)
        )
    elif name == "adam":
        rule = optax.adam(schedule)
    else:
        rule = optax.adamw(schedule, weight_decay=weight_decay)
    if clip_norm:
        rule = optax.chain(optax.clip_by_global_norm(clip_norm), rule)
    for part, ratio in rate_ratios.items():
        if ratio != 1:
            # Of each of these rules the update, decay included, is proportional to the rate.
            rule = optax.chain(rule, _scale_part(part, ratio))
    return rule


def after_skipping(before: optax.OptState, after: optax.OptState) -> optax.OptState:
    """The optimizer's state after an update that is not applied: as before it, but that the schedule goes on.

    Args:
      before, after: the states before and after the update.
    """

    def is_schedule(part: Any) -> bool:
        return isinstance(part, optax.ScaleByScheduleState)

    return jax.tree.map(lambda old, new: new if is_schedule(new) else old, before, after, is_leaf=is_schedule)


def _scale_part(part: str, factor: float) -> optax.GradientTransformation:
    """Scales the updates of the parts of the network that are called so."""

    def scale(updates: Arrays, params: Arrays | None) -> Arrays:
        del params
        leaves = [
            factor * leaf if is_part(name, (part,)) else leaf for name, leaf in named_leaves(updates).items()
        ]
        return jax.tree.unflatten(jax.tree.structure(updates), leaves)

    return optax.stateless(scale)

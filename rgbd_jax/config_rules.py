"""What the values of a config may be: one table, checked once, when a config is loaded.

What only a task can know (its networks, streams, feeders) is checked by the task.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from rgbd_jax.data.clip_errors import ON_ERROR
from rgbd_jax.errors import UserError
from rgbd_jax.streams import ALL

# The published behaviours that `config.parity` can ask for; docs/parity.md says what each one is.
PARITY = ("ucla_bones", "rgbd_warm_up")

# Where the vectors of texts come from, and the keys of `config.text` that only concern this source.
TEXT_SOURCES = {"features": ("features", "encoder"), "clip": ("weights", "vocabulary")}


class Rule(NamedTuple):
    """What is allowed, in words, and the test of a value."""

    allowed: str
    test: Callable[[Any], bool]


def at_least(low: int) -> Rule:
    return Rule(f"{low} or more, below 2**31", lambda value: low <= value < 2**31)


def multiple_of(factor: int, low: int) -> Rule:
    return Rule(f"a multiple of {factor}, {low} or more", lambda value: value >= low and value % factor == 0)


def one_of(*names: str) -> Rule:
    return Rule(f"one of {', '.join(names)}", lambda value: value in names)


def each(rule: Rule) -> Rule:
    return Rule(f"a tuple, each value {rule.allowed}", lambda values: all(map(rule.test, values)))


def within(low: int, high: int) -> Rule:
    return Rule(f"{low} to {high}", lambda value: low <= value <= high)


def a_pair(rule: Rule) -> Rule:
    return Rule(
        f"a pair, each value {rule.allowed}", lambda values: len(values) == 2 and all(map(rule.test, values))
    )


def a_range(rule: Rule, second: str, in_order: Callable[[Any, Any], bool]) -> Rule:
    """A pair whose second value is to the first what `second` says in words."""
    pair = a_pair(rule)
    return Rule(
        f"{pair.allowed}, the second {second}", lambda values: pair.test(values) and in_order(*values)
    )


POSITIVE = Rule("more than 0", lambda value: 0 < value < float("inf"))
FRACTION = Rule("0 to 1", lambda value: 0 <= value <= 1)
BELOW_ONE = Rule("0 or more, below 1", lambda value: 0 <= value < 1)
# Larger numbers would give the same random numbers as smaller ones.
SEED = Rule(f"0 to {2**32 - 1}", lambda value: 0 <= value < 2**32)

RULES = {
    "seed": SEED,
    "batch_size": at_least(1),
    "eval_batch_size": at_least(1),
    "num_epochs": at_least(1),
    "stop_epoch": at_least(0),
    "dtype": one_of("float32", "bfloat16"),
    "init_trunks": Rule(
        "(), or two runs or checkpoints: of rgb and of depth", lambda values: len(values) in (0, 2)
    ),
    "parity": each(one_of(*PARITY, "all")),
    "fsdp": at_least(1),
    "accumulate": at_least(1),
    "ema_decay": BELOW_ONE,
    "max_skipped_steps": at_least(1),
    "log_every": at_least(1),
    "checkpoint_every": at_least(1),
    "visualize": at_least(0),
    "data.held_out": Rule(
        "a tuple of names of classes", lambda values: all(isinstance(name, str) for name in values)
    ),
    "data.repeat": at_least(1),
    "data.limit": at_least(0),
    "data.num_workers": within(0, 512),  # more would only take the machine down
    "data.on_error": one_of(*ON_ERROR),
    "data.max_unreadable": FRACTION,
    "data.modalities": each(one_of("rgb", "depth")),
    "data.num_frames": at_least(1),
    "optimizer.name": one_of("sgd", "adam", "adamw"),
    "optimizer.momentum": BELOW_ONE,
    "optimizer.weight_decay": at_least(0),
    "optimizer.clip_norm": at_least(0),
    "schedule.name": one_of("constant", "step", "cosine", "plateau"),
    "schedule.base_lr": POSITIVE,
    "schedule.reference_batch": at_least(1),
    "schedule.warm_up": BELOW_ONE,
    "schedule.steps": each(FRACTION),
    "schedule.decay_rate": at_least(0),
    "schedule.minimum": at_least(0),
    "schedule.patience": at_least(0),
    "schedule.cooldown": at_least(0),
    "schedule.per": one_of("epoch", "step"),
    "task.resize": a_pair(at_least(1)),
    "task.crop": at_least(1),
    # The spatial network halves the frames five times.
    "task.size": multiple_of(32, low=32),
    "task.flip": FRACTION,
    "task.rotated": FRACTION,
    "task.angles": a_range(within(-180, 180), "no smaller", operator.le),
    "task.depth_range": a_range(at_least(0), "larger", operator.lt),
    "task.rank_pooling": at_least(0),
    "task.branch_weights": Rule(
        "four numbers, 0 or more: of fused, small, media and large",
        lambda values: len(values) == 4 and all(value >= 0 for value in values),
    ),
    "task.temperatures": Rule(
        "a pair of numbers, each more than 0, or ()",
        lambda values: len(values) in (0, 2) and all(value > 0 for value in values),
    ),
    "task.distillation": at_least(0),
    "task.distillation_from": FRACTION,
    "task.distillation_batch": at_least(1),
    # The skeleton networks halve the frames twice.
    "task.window": multiple_of(4, low=4),
    "task.label_smoothing": BELOW_ONE,
    "task.text_weight": at_least(0),
    "text.source": one_of(*TEXT_SOURCES),
    "text.alike": one_of("class", "text"),
    "text.width": at_least(1),
    "text.lr_ratio": at_least(0),
    "model.num_persons": at_least(1),
    # CTR-GCN parts the channels among four branches, and takes an eighth of them for the relations of joints.
    "model.base_width": multiple_of(4, low=8),
    # The second and the third halve the frames.
    "model.stages": Rule(
        "three numbers, each 1 or more", lambda values: len(values) == 3 and min(values) >= 1
    ),
    "model.drop_out": BELOW_ONE,
    "model.norm_momentum": BELOW_ONE,
    "model.k": at_least(0),
    "model.width": Rule("one of 0.125, 0.25, 0.5, 1", lambda value: value in (0.125, 0.25, 0.5, 1)),
    "model.num_blocks": at_least(1),
    "model.frames": Rule(
        "three numbers, each 2 or more", lambda values: len(values) == 3 and min(values) >= 2
    ),
    "model.eval_draws": at_least(0),
    "model.knn_ratio": FRACTION,
    "model.recoupling_heads": at_least(1),
    "model.temper": POSITIVE,
}

# Rules between two keys; the test sees the whole config.
RELATIONS = (
    ("accumulate", "batch_size", "a divisor of", lambda c: c["batch_size"] % c["accumulate"] == 0),
    # Norms that begin with no statistics would never get any.
    (
        "frozen_norm",
        "init_from",
        "False without weights to start from, with",
        lambda c: not c["frozen_norm"] or c["init_from"] or c.get("init_trunks"),
    ),
    ("task.crop", "task.resize", "at most the smaller of", lambda c: c["task.crop"] <= min(c["task.resize"])),
    # Features and texts are compared over the whole batch, which parts of it never see.
    ("accumulate", "task.text_weight", "1 with", lambda c: c["accumulate"] == 1 or not c["task.text_weight"]),
    (
        "task.text_weight",
        "model.name",
        "0 with",
        lambda c: not c["task.text_weight"] or c["model.name"] == "gap",
    ),
    # What was never seen can only be known by its description.
    (
        "data.held_out",
        "task.text_weight",
        "() with",
        lambda c: not c["data.held_out"] or c["task.text_weight"] > 0,
    ),
    (
        "data.held_out",
        "task.name",
        "() with",
        lambda c: not c["data.held_out"] or c["task.name"] != "fusion",
    ),
    # The clips of what is held out would lower the learning rate: they are validated with the others.
    (
        "data.held_out",
        "schedule.name",
        "() with",
        lambda c: not c["data.held_out"] or c["schedule.name"] != "plateau",
    ),
    # An evaluation has no transformer for the descriptions.
    (
        "data.held_out",
        "text.source",
        "() with",
        lambda c: not c["data.held_out"] or c["text.source"] == "features",
    ),
    (
        "text.synonyms",
        "text.prompts",
        "a file only beside GAP's other file in",
        lambda c: not c["text.synonyms"] or c["text.prompts"],
    ),
    *(
        (
            f"text.{key}",
            "text.source",
            "'' with",
            lambda c, key=f"text.{key}", source=source: c["text.source"] == source or not c[key],
        )
        for source, keys in TEXT_SOURCES.items()
        for key in keys
    ),
    (
        "text.source",
        "task.text_weight",
        "features with",
        lambda c: c["text.source"] == "features" or c["task.text_weight"] > 0,
    ),
    (
        "text.lr_ratio",
        "text.source",
        "1 with",
        lambda c: c["text.source"] == "clip" or c["text.lr_ratio"] == 1,
    ),
    # Each of the four would have a transformer of its own, larger than the network.
    (
        "text.source",
        "task.stream",
        "features with",
        lambda c: c["text.source"] == "features" or c["task.stream"] != ALL,
    ),
    # Networks side by side share no parameters, but would share the norm of all their gradients.
    (
        "optimizer.clip_norm",
        "task.stream",
        "0 with",
        lambda c: c["task.stream"] != ALL or not c["optimizer.clip_norm"],
    ),
    # Each of them has its own.
    ("model.k", "task.stream", "0 with", lambda c: c["task.stream"] != ALL or not c["model.k"]),
    # The first heat map belongs to the window that the clip begins with.
    (
        "task.rank_pooling",
        "data.num_frames",
        "at most",
        lambda c: c["task.rank_pooling"] <= c["data.num_frames"],
    ),
    # In evaluation the crop begins 32 pixels from the left and the upper border.
    (
        "task.resize",
        "task.crop_rule",
        "at least config.task.crop + 32 along both sides for",
        lambda c: c["task.crop_rule"] != "nvgesture" or min(c["task.resize"]) >= c["task.crop"] + 32,
    ),
    # A clip of one frame has no more to draw from, as the published feeder copies each frame 100 times.
    (
        "task.window",
        "task.feeder",
        "at most 100 for",
        lambda c: c["task.feeder"] != "ucla" or c["task.window"] <= 100,
    ),
)


def check_values(values: Mapping[str, Any]) -> None:
    """See that the values of a config, by their dotted keys, are allowed. Keys that it lacks are passed over.

    Raises:
      UserError: for the first that is not; names the key, the value and what is allowed.
    """
    for key, rule in RULES.items():
        if key in values and not _passes(rule.test, values[key]):
            raise UserError(f"config.{key}={values[key]!r}: allowed is {rule.allowed}")
    for key, other, allowed, test in RELATIONS:
        if key in values and other in values and not test(values):
            raise UserError(
                f"config.{key}={values[key]!r}: allowed is {allowed} config.{other}={values[other]!r}"
            )


def _passes(test: Callable[[Any], bool], value: Any) -> bool:
    """Whether a value passes a test; one that cannot be compared, such as text for a number, does not."""
    try:
        return test(value)
    except TypeError:
        return False

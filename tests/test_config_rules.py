"""A value that is not allowed is refused when the config is loaded."""

import pytest

from rgbd_jax.config import ConfigArguments, leaves
from rgbd_jax.config_rules import RULES, check_values
from rgbd_jax.defaults import rgbd_config, skeleton_config
from rgbd_jax.errors import UserError


def load(*overrides, default=skeleton_config):
    return ConfigArguments(None, tuple(f"--config.{text}" for text in overrides)).load(default())


def test_each_rule_is_for_a_key_that_exists_and_allows_its_default():
    defaults = [leaves(skeleton_config()), leaves(rgbd_config("rgb")), leaves(rgbd_config("fusion"))]
    assert RULES.keys() <= set().union(*defaults)
    for values in defaults:
        check_values(values)


@pytest.mark.parametrize(
    "text",
    [
        "seed=4294967295",
        "batch_size=1",
        "ema_decay=0.999",
        "parity=all",
        "parity=('ucla_bones',)",
        "schedule.steps=(0,0.5,1.0)",
        "schedule.steps=()",
        "schedule.warm_up=0",
        "task.window=100",
        "model.base_width=8",
        "model.k=8",
        "dtype=bfloat16",
    ],
)
def test_the_edges_are_allowed(text):
    load(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed=-1", "config.seed=-1: allowed is 0 to 4294967295"),
        ("seed=4294967296", "config.seed=4294967296: allowed is 0 to"),
        ("batch_size=0", "config.batch_size=0: allowed is 1 or more"),
        ("eval_batch_size=-8", "config.eval_batch_size=-8: allowed is 1 or more"),
        ("num_epochs=0", "config.num_epochs=0: allowed is 1 or more"),
        ("stop_epoch=-1", "config.stop_epoch=-1: allowed is 0 or more"),
        ("dtype=float16", "config.dtype='float16': allowed is one of float32, bfloat16"),
        (
            "parity=old_bones",
            "config.parity=('old_bones',): allowed is a tuple, each value one of ucla_bones, rgbd_warm_up",
        ),
        ("accumulate=0", "config.accumulate=0: allowed is 1 or more"),
        ("accumulate=3", "config.accumulate=3: allowed is a divisor of config.batch_size=64"),
        ("ema_decay=1.0", "config.ema_decay=1.0: allowed is 0 or more, below 1"),
        ("log_every=0", "config.log_every=0: allowed is 1 or more"),
        ("checkpoint_every=0", "config.checkpoint_every=0: allowed is 1 or more"),
        ("data.repeat=0", "config.data.repeat=0: allowed is 1 or more"),
        ("data.limit=-1", "config.data.limit=-1: allowed is 0 or more"),
        ("data.num_workers=-1", "config.data.num_workers=-1: allowed is 0 to 512"),
        ("data.on_error=stop", "config.data.on_error='stop': allowed is one of fail, skip"),
        ("optimizer.name=lion", "config.optimizer.name='lion': allowed is one of sgd, adam, adamw"),
        ("optimizer.momentum=1", "config.optimizer.momentum=1.0: allowed is 0 or more, below 1"),
        ("optimizer.weight_decay=-1", "config.optimizer.weight_decay=-1.0: allowed is 0 or more"),
        ("optimizer.clip_norm=-1", "config.optimizer.clip_norm=-1.0: allowed is 0 or more"),
        ("schedule.name=linear", "config.schedule.name='linear': allowed is one of constant, step, cosine"),
        ("schedule.base_lr=0", "config.schedule.base_lr=0.0: allowed is more than 0"),
        ("schedule.base_lr=nan", "config.schedule.base_lr=nan: allowed is more than 0"),
        ("schedule.base_lr=inf", "config.schedule.base_lr=inf: allowed is more than 0"),
        ("schedule.reference_batch=0", "config.schedule.reference_batch=0: allowed is 1 or more"),
        ("schedule.warm_up=1", "config.schedule.warm_up=1.0: allowed is 0 or more, below 1"),
        ("schedule.steps=(0.5,35)", "config.schedule.steps=(0.5, 35): allowed is a tuple, each value 0 to 1"),
        ("schedule.steps=(a,b)", "config.schedule.steps=('(a,b)',): allowed is a tuple, each value 0 to 1"),
        ("schedule.per=batch", "config.schedule.per='batch': allowed is one of epoch, step"),
        ("task.window=0", "config.task.window=0: allowed is a multiple of 4, 4 or more"),
        ("task.window=50", "config.task.window=50: allowed is a multiple of 4"),
        ("task.label_smoothing=1", "config.task.label_smoothing=1.0: allowed is 0 or more, below 1"),
        ("model.base_width=4", "config.model.base_width=4: allowed is a multiple of 4, 8 or more"),
        ("model.base_width=18", "config.model.base_width=18: allowed is a multiple of 4"),
        ("model.num_persons=0", "config.model.num_persons=0: allowed is 1 or more"),
        ("model.drop_out=-0.5", "config.model.drop_out=-0.5: allowed is 0 or more, below 1"),
    ],
)
def test_a_value_out_of_range_is_named(text, message):
    with pytest.raises(UserError) as caught:
        load(text)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "task.depth_range=(4500,500)",
            "config.task.depth_range=(4500, 500): allowed is a pair, each value 0 or more, below 2**31, the"
            " second larger",
        ),
        ("task.depth_range=(500,500)", "config.task.depth_range=(500, 500): allowed is a pair"),
        ("task.depth_range=(-1,500)", "config.task.depth_range=(-1, 500): allowed is a pair"),
        (
            "task.angles=(10,-10)",
            "config.task.angles=(10, -10): allowed is a pair, each value -180 to 180, the second no smaller",
        ),
        ("task.angles=(10,)", "config.task.angles=(10,): allowed is a pair"),
        (
            "task.rank_pooling=65",
            "config.task.rank_pooling=65: allowed is at most config.data.num_frames=64",
        ),
        (
            "task.crop_rule=nvgesture",
            "config.task.resize=(320, 240): allowed is at least config.task.crop + 32 along both sides"
            " for config.task.crop_rule='nvgesture'",
        ),
    ],
)
def test_a_value_out_of_range_of_the_video_tasks_is_named(text, message):
    with pytest.raises(UserError) as caught:
        load(text, default=rgbd_config)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    "texts", [["task.angles=(5,5)"], ["task.crop_rule=nvgesture", "task.resize=(256,256)"]]
)
def test_the_edges_of_the_video_tasks_are_allowed(texts):
    load(*texts, default=rgbd_config)


def test_the_feeder_of_nw_ucla_has_a_longest_window():
    load("task.window=104")
    with pytest.raises(
        UserError, match="task.window=104: allowed is at most 100 for config.task.feeder='ucla'"
    ):
        load("task.window=104", "task.feeder=ucla")


def test_a_key_that_a_config_lacks_is_not_checked():
    config = skeleton_config()
    del config.accumulate, config.task.feeder
    ConfigArguments(None, ()).load(config)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            ["frozen_norm=True"],
            "config.frozen_norm=True: allowed is False without weights to start from, with config.init_from",
        ),
        (
            ["task.text_weight=0.8"],
            "config.task.text_weight=0.8: allowed is 0 with config.model.name='ctrgcn'",
        ),
        (
            ["task.text_weight=0.8", "model.name=gap", "accumulate=2"],
            "config.accumulate=2: allowed is 1 with config.task.text_weight=0.8",
        ),
        (
            ["text.source=bert"],
            "config.text.source='bert': allowed is one of features, clip",
        ),
        (
            ["text.source=clip", "text.lr_ratio=-0.1"],
            "config.text.lr_ratio=-0.1: allowed is 0 or more",
        ),
        (
            ["text.source=clip", "text.features=a.npz"],
            "config.text.features='a.npz': allowed is '' with config.text.source='clip'",
        ),
        (
            ["text.weights=ViT-B-32.pt"],
            "config.text.weights='ViT-B-32.pt': allowed is '' with config.text.source='features'",
        ),
        (
            ["text.synonyms=a.txt"],
            "config.text.synonyms='a.txt': allowed is a file only beside GAP's other file",
        ),
        (["text.alike=word"], "config.text.alike='word': allowed is one of class, text"),
        (
            ["data.held_out=('kick',)"],
            "config.data.held_out=('kick',): allowed is () with config.task.text_weight=0.0",
        ),
        (["data.held_out=('kick',3)"], "config.data.held_out=('kick', 3): allowed is a tuple of names"),
    ],
)
def test_what_texts_need_is_named(texts, message):
    with pytest.raises(UserError) as caught:
        load(*texts)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimizer.clip_norm=1", "config.optimizer.clip_norm=1.0: allowed is 0 with"),
        ("model.k=1", "config.model.k=1: allowed is 0 with"),
    ],
)
def test_what_all_streams_cannot_share_is_named(text, message):
    load(text)
    with pytest.raises(UserError) as caught:
        load(text, "task.stream=all")
    assert str(caught.value) == f"{message} config.task.stream='all'"


def test_the_fusion_knows_no_descriptions_of_what_is_held_out():
    with pytest.raises(UserError) as caught:
        load("data.held_out=('kick',)", default=lambda: rgbd_config("fusion"))
    message = "config.data.held_out=('kick',): allowed is () with config.task.name='fusion'"
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("held_out", "other", "message"),
    [
        (True, "text.source=clip", "data.held_out=('kick',): allowed is () with config.text.source='clip'"),
        (
            True,
            "schedule.name=plateau",
            "data.held_out=('kick',): allowed is () with config.schedule.name='plateau'",
        ),
        (
            False,
            "task.text_weight=0",
            "text.source='clip': allowed is features with config.task.text_weight=0.0",
        ),
        (False, "task.stream=all", "text.source='clip': allowed is features with config.task.stream='all'"),
    ],
)
def test_what_does_not_go_with_held_out_classes_or_with_clip_is_named(held_out, other, message):
    first = "data.held_out=('kick',)" if held_out else "text.source=clip"
    load("task.text_weight=1", "model.name=gap", first)
    with pytest.raises(UserError) as caught:
        load("task.text_weight=1", "model.name=gap", first, other)
    assert str(caught.value) == f"config.{message}"


def test_features_have_no_learning_rate():
    with pytest.raises(UserError) as caught:
        load("text.lr_ratio=0.5")
    assert str(caught.value) == "config.text.lr_ratio=0.5: allowed is 1 with config.text.source='features'"

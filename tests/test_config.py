import json
import shutil
import subprocess
import sys

import pytest
from ml_collections import ConfigDict

from rgbd_jax import config as configs
from rgbd_jax.defaults import skeleton_config
from rgbd_jax.errors import UserError


@pytest.fixture
def config():
    config = ConfigDict(
        dict(seed=1, lr=0.1, parity=(), name="a", on=True, steps=(0.5, 0.7), data=dict(limit=0, dir="x"))
    )
    config.twice = config.get_ref("seed") * 2
    return config


def test_overrides_keep_the_type_and_references_follow(config):
    new = configs.override(
        config, ["--config.seed=3", "--config.lr=1", "--config.data.dir=a b", "--config.on=false"]
    )
    assert (new.seed, new.twice, new.lr, new.data.dir, new.on) == (3, 6, 1.0, "a b", False)
    assert type(new.lr) is float
    assert config.seed == 1, "the config given must stay as it is"


def test_tuples_are_overridden_as_a_whole(config):
    assert configs.override(config, ["--config.parity=ucla_bones"]).parity == ("ucla_bones",)
    assert configs.override(config, ["--config.steps=(0.1,0.2,0.3)"]).steps == (0.1, 0.2, 0.3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("--config.typo=1", r"config.typo: config has no key 'typo'; its keys are data, lr, name"),
        ("--config.data.typo=1", r"config.data.typo: config.data has no key 'typo'; its keys are dir, limit"),
        ("--config.data=1", r"config.data is a group; set one of its keys: dir, limit"),
        ("--config.lr.x=1", r"config.lr is a value, not a group"),
        ("--config.seed=1.5", r"--config.seed=1.5: the value must be of type int, like 2"),
        ("--config.lr=fast", r"--config.lr=fast: the value must be of type float, like 0.1"),
        ("--config.on=maybe", r"--config.on=maybe: the value must be of type bool, like True"),
    ],
)
def test_a_wrong_override_is_named(config, text, message):
    with pytest.raises(UserError, match=message):
        configs.override(config, ["--config.seed=2", text])


def test_a_config_survives_json():
    stored = configs.override(skeleton_config(), ["--config.schedule.steps=(0.5,0.7)"])
    assert configs.from_json(configs.to_json(stored)) == stored


@pytest.fixture
def older():
    """A config as it was stored before some keys existed."""
    groups = configs.override(skeleton_config(), ["--config.seed=5"]).to_dict()
    del groups["ema_decay"], groups["data"]["limit"], groups["model"]
    return groups


def test_a_run_from_before_a_key_existed_can_be_gone_on_with(older):
    stored = configs.from_json(json.dumps(older))
    new = configs.override(skeleton_config(), ["--config.seed=5"])
    assert configs.differences(stored, new) == []
    changed = configs.override(new, ["--config.ema_decay=0.9"])
    assert configs.differences(stored, changed) == ["ema_decay: 0.0 -> 0.9"]


def test_a_checkpoint_from_before_a_key_existed_can_be_evaluated(older):
    arguments = configs.ConfigArguments(None, ("--config.data.limit=3",))
    config = arguments.load(default=configs.from_dict(older))
    assert (config.seed, config.ema_decay, config.data.limit) == (5, 0.0, 3)
    assert config.model.to_dict() == skeleton_config().model.to_dict()


def test_a_config_file_loads_from_any_folder(tmp_path):
    file = shutil.copy("configs/demo.py", tmp_path)
    program = "import sys; from rgbd_jax.config import load_file; print(load_file(sys.argv[1]).data.name)"
    command = [sys.executable, "-c", program, file]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout == "synthetic\n"


def test_differences_that_matter_to_a_run(config):
    new = configs.override(config, ["--config.lr=2", "--config.data.limit=1"])
    assert configs.differences(config, new) == ["data.limit: 0 -> 1", "lr: 0.1 -> 2.0"]
    stored = ConfigDict(dict(stop_epoch=0, log_every=1, data=dict(data_dir="a", on_error="fail")))
    moved = ConfigDict(dict(stop_epoch=3, log_every=9, data=dict(data_dir="b", on_error="skip")))
    assert configs.differences(stored, moved) == []


def test_config_arguments_are_taken_out_of_a_command_line():
    arguments, rest = configs.ConfigArguments.split_from(
        ["--mode=eval", "--config", "a.py:x", "--config.seed=1", "--config.lr", "2", "--workdir", "runs/a"]
    )
    assert arguments == configs.ConfigArguments("a.py:x", ("--config.seed=1", "--config.lr=2"))
    assert rest == ["--mode=eval", "--workdir", "runs/a"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nowhere.py", "there is no config file nowhere.py"),
        ("README.md", "there is no config file README.md"),
        ("configs/gap/nw_ucla.py:jiont,plain", "variant 'jiont,plain': allowed is one of joint, bone"),
    ],
)
def test_a_wrong_config_file_is_named(text, message):
    with pytest.raises(UserError, match=message):
        configs.load_file(text)


COMPLETE = "from rgbd_jax.defaults import skeleton_config\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\ndef get_config(variant:\n", r"c.py, line 2: SyntaxError: .*"),
        ("import nowhere", r"c.py, line 1: ModuleNotFoundError: No module named 'nowhere'"),
        ("def get_config(variant):\n    return 1 / 0", r"c.py, line 2: ZeroDivisionError: division by zero"),
        (
            COMPLETE + "def get_config(v):\n    c = skeleton_config()\n    c.seed = 'a'",
            r"c.py, line 4: TypeErr",
        ),
        ("x = 1", r"c.py: the file needs a function get_config\(variant\)"),
        ("get_config = 3", r"c.py: the file needs a function get_config\(variant\)"),
        (COMPLETE + "get_config = skeleton_config", r"c.py: the file needs .* that takes the variant"),
        (
            "def get_config(variant):\n    return dict(seed=1)",
            r"c.py: get_config returns dict, not a ConfigDict",
        ),
        (
            COMPLETE
            + "def get_config(v):\n    c = skeleton_config()\n    del c.seed, c.model.k\n    return c",
            r"c.py: keys are missing: model.k, seed; begin with skeleton_config\(\)",
        ),
        (
            COMPLETE + "def get_config(v):\n    c = skeleton_config()\n    del c.task\n    return c",
            r"c.py: keys are missing: task.name; begin with",
        ),
    ],
)
def test_a_config_file_that_cannot_be_used_is_named(tmp_path, text, message):
    file = tmp_path / "c.py"
    file.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        configs.load_file(str(file))
    assert "\n" not in str(caught.value)

"""Configs: loaded from a file or a checkpoint, overridden from the command line, stored as JSON.

A config is a locked `ml_collections.ConfigDict`: a misspelt key or a value of another type is an error, never
ignored. Sequences in it are tuples, so that a config read back from JSON equals the one written.
"""

import copy
import dataclasses
import importlib.util
import inspect
import json
import os
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags

from rgbd_jax.config_rules import PARITY, check_values
from rgbd_jax.defaults import defaults_of
from rgbd_jax.errors import UserError
from rgbd_jax.json_lines import parse_json

# A run may be gone on with although these differ: they change where it stops and what it reports, not what it
# computes. With another `data.on_error` or `data.max_unreadable` a run that faulty clips ended can leave them
# out.
FREE_ON_RESUME = (
    "stop_epoch",
    "fsdp",
    "max_skipped_steps",
    "log_every",
    "visualize",
    "model.remat",
    "data.data_dir",
    "data.num_workers",
    "data.resident",
    "data.on_error",
    "data.max_unreadable",
)

_PREFIX = "--config"


@dataclasses.dataclass(frozen=True)
class ConfigArguments:
    """What a command line says about the config: the file (None if not given) and the overrides, in order."""

    file: str | None
    overrides: tuple[str, ...]

    @classmethod
    def split_from(cls, arguments: Sequence[str]) -> tuple["ConfigArguments", list[str]]:
        """Take `--config=FILE` and `--config.key=value` out of `arguments`; return them and the rest."""
        file, overrides, rest = None, [], []
        pending = iter(arguments)
        for argument in pending:
            name, equals, value = argument.partition("=")
            if name != _PREFIX and not name.startswith(_PREFIX + "."):
                rest.append(argument)
                continue
            if not equals:
                value = next(pending, None)
                if value is None:
                    raise UserError(f"{name}: a value is missing; write {name}=VALUE")
            if name == _PREFIX:
                file = value
            else:
                overrides.append(f"{name}={value}")
        return cls(file, tuple(overrides)), rest

    def load(self, default: ConfigDict | None = None) -> ConfigDict:
        """The config of the file, or `default` where no file is given, with the overrides applied.

        Raises:
          UserError: if there is none, or a key or a value is not allowed.
        """
        if self.file is None and default is None:
            raise UserError("--config is missing: give a config file, for example --config=configs/demo.py")
        config = override(default if self.file is None else load_file(self.file), self.overrides)
        check_values(leaves(config))
        return config


def load_file(path_and_variant: str) -> ConfigDict:
    """Call `get_config(variant)` of a config file, given as `path.py` or `path.py:variant`.

    Raises:
      UserError: if there is no such file, it fails, or what it returns is no complete config.
    """
    path, _, variant = path_and_variant.partition(":")
    if not path.endswith(".py") or not os.path.isfile(path):
        raise UserError(f"--config={path_and_variant}: there is no config file {path}; try configs/demo.py")
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        get_config = getattr(module, "get_config", None)
        if not _takes_one_argument(get_config):
            raise UserError("the file needs a function get_config(variant) that takes the variant")
        config = get_config(variant)
    except UserError as error:
        raise UserError(f"--config={path_and_variant}: {error}") from error
    except (Exception, SystemExit) as error:
        raise UserError(f"{_place(error, spec.origin, path)}: {_what_failed(error)}") from error
    if not isinstance(config, ConfigDict):
        kind = type(config).__name__
        raise UserError(f"--config={path_and_variant}: get_config returns {kind}, not a ConfigDict")
    defaults = _defaults_for(groups := config.to_dict())
    missing = sorted(leaves(ConfigDict(defaults)).keys() - leaves(config).keys())
    if missing:
        some = ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")
        raise UserError(
            f"--config={path_and_variant}: keys are missing: {some};"
            " begin with skeleton_config() or rgbd_config() of rgbd_jax.defaults"
        )
    if unknown := sorted(leaves(config).keys() - leaves(ConfigDict(defaults)).keys()):
        raise UserError(f"--config={path_and_variant}: there is no key {unknown[0]}")
    if misfit := next(_misfits(groups, defaults), None):
        raise UserError(f"--config={path_and_variant}: {misfit}")
    return config


def override(config: ConfigDict, overrides: Sequence[str]) -> ConfigDict:
    """A locked copy of `config` with `--config.key=value` strings applied, each of the type that the key has.

    Raises:
      UserError: for a key that the config does not have or a value of another type.
    """
    config = copy.deepcopy(config)
    for text in overrides:
        key, _, value = text.removeprefix(_PREFIX + ".").partition("=")
        default = _find(config, key)
        values, argv = flags.FlagValues(), ["config", text]
        try:
            config_flags.DEFINE_config_dict("config", config, flag_values=values, sys_argv=argv)
            values(argv)
        except (flags.Error, TypeError, ValueError) as error:
            kind = type(default).__name__
            raise UserError(
                f"--config.{key}={value}: the value must be of type {kind}, like {default!r}"
            ) from error
        config = values["config"].value
    return config.copy_and_resolve_references().lock()


def check_choice(key: str, value: Any, allowed: Sequence[Any]) -> None:
    """Raise a UserError unless the value of a key is one of those allowed."""
    if value not in allowed:
        raise UserError(f"config.{key}={value!r}: allowed are {', '.join(map(str, allowed))}")


def parity(config: ConfigDict) -> frozenset[str]:
    """The published behaviours that a config asks for; `all` stands for every name."""
    return frozenset(PARITY if "all" in config.parity else config.parity)


def to_json(config: ConfigDict) -> str:
    """The full config as JSON text; `from_json` reads it back."""
    return json.dumps(config.to_dict(), indent=2, sort_keys=True) + "\n"


def from_json(text: str) -> ConfigDict:
    """The config that `to_json` wrote. ValueError if it is another text, see `from_dict`."""
    return from_dict(parse_json(text))


def from_dict(groups: dict[str, Any]) -> ConfigDict:
    """A stored config from nested dicts, with tuples where JSON has lists.

    A key that did not exist yet when it was stored gets its default, which stands for what was done then.

    Raises:
      ValueError: it is no such dict, or has a value of another type than its key.
    """
    if not isinstance(groups, dict):
        raise ValueError(f"found {type(groups).__name__}, groups of keys are needed")
    groups, defaults = _tuples(groups), _defaults_for(groups)
    if misfit := next(_misfits(groups, defaults), None):
        raise ValueError(misfit)
    return ConfigDict(_filled(groups, defaults)).lock()


def differences(old: ConfigDict, new: ConfigDict) -> list[str]:
    """One line for each key in which two configs differ in a way that matters to a run: `key: old -> new`."""
    old_leaves, new_leaves = leaves(old), leaves(new)
    return [
        f"{key}: {old_leaves.get(key, 'absent')!r} -> {new_leaves.get(key, 'absent')!r}"
        for key in sorted(old_leaves.keys() | new_leaves.keys())
        if key not in FREE_ON_RESUME and old_leaves.get(key) != new_leaves.get(key)
    ]


def leaves(config: ConfigDict) -> dict[str, Any]:
    """All values of a config by their dotted key."""
    flat = {}
    for key, value in config.items():
        if isinstance(value, ConfigDict):
            flat.update({f"{key}.{inner}": leaf for inner, leaf in leaves(value).items()})
        else:
            flat[key] = value
    return flat


def _takes_one_argument(function: Any) -> bool:
    try:
        inspect.signature(function).bind("")
    except TypeError:
        return False
    return True


def _place(error: BaseException, file: str, shown: str) -> str:
    """Where in a config file an exception came from: `shown, line N`, or `shown` if that is not known."""
    if isinstance(error, SyntaxError):
        lines = [error.lineno] if error.filename == file else []
    else:
        lines = [
            frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file
        ]
    return f"--config={shown}, line {lines[-1]}" if lines else f"--config={shown}"


def _what_failed(error: BaseException) -> str:
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {' '.join(message.split())}"


def _find(config: ConfigDict, key: str) -> Any:
    """The value under a dotted key. UserError if there is none."""
    group, found = config, "config"
    for part in key.split("."):
        if not isinstance(group, ConfigDict):
            raise UserError(f"--config.{key}: {found} is a value, not a group of keys")
        if part not in group:
            raise UserError(
                f"--config.{key}: {found} has no key {part!r}; its keys are {', '.join(sorted(group))}"
            )
        group, found = group[part], f"{found}.{part}"
    if isinstance(group, ConfigDict):
        raise UserError(
            f"--config.{key}: {found} is a group; set one of its keys: {', '.join(sorted(group))}"
        )
    return group


def _defaults_for(groups: dict[str, Any]) -> dict[str, Any]:
    """The defaults of the task that nested dicts name, or of all tasks where they name none."""
    task = groups.get("task")
    name = task.get("name") if isinstance(task, dict) else None
    return defaults_of(name if isinstance(name, str) else "").to_dict()


def _misfits(groups: dict[str, Any], defaults: dict[str, Any], place: str = "config") -> Iterator[str]:
    """What in nested dicts is of another type than in `defaults`, in words."""
    for key, value in groups.items():
        if key not in defaults:
            continue
        default = defaults[key]
        if isinstance(default, dict) and isinstance(value, dict):
            yield from _misfits(value, default, f"{place}.{key}")
        elif isinstance(default, dict):
            yield f"{place}.{key} is {value!r}; a group of keys is needed"
        elif type(value) is not type(default) and (type(value), type(default)) != (int, float):
            yield f"{place}.{key} is {value!r}; the value must be of type {type(default).__name__}"


def _filled(groups: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Nested dicts with the keys of `defaults` that they lack."""
    return {
        key: _filled(value, defaults.get(key, {})) if isinstance(value, dict) else value
        for key, value in (defaults | groups).items()
    }


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _tuples(inner) for key, inner in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value

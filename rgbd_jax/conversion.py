"""Weights of the published programs to checkpoints, and back.

    file of PyTorch -> tensors by name -> [ table of rules ] -> our variables -> checkpoint with config

What stands in brackets is strict both ways: see `weights.rules`.
"""

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from rgbd_jax.config import ConfigArguments, from_dict
from rgbd_jax.data.builders import builder_class
from rgbd_jax.data.loader import open_configured_split
from rgbd_jax.errors import UserError
from rgbd_jax.experiment import fresh_network, trained_network
from rgbd_jax.files import new_folder, replacing, to_json
from rgbd_jax.published_config import check_network, check_sizes, needed_keys, network_key
from rgbd_jax.recordings import make_reader
from rgbd_jax.training import sharding
from rgbd_jax.training.checkpoint import Description, describe, save_weights
from rgbd_jax.training.checkpoint_folders import run_of
from rgbd_jax.weights.inverse import invert
from rgbd_jax.weights.layer_rules import IGNORED
from rgbd_jax.weights.published import (
    NETWORKS,
    Progress,
    PublishedNetwork,
    all_counters,
    read_published,
    write_published,
)
from rgbd_jax.weights.rules import Variables, convert, usage

REPORT = "conversion.json"


@dataclasses.dataclass(frozen=True)
class Report:
    """What went where.

    Attributes:
      source: name of the file, or of the run and its step.
      network: its name in its paper.
      num_tensors, num_parameters: of PyTorch, without what is ignored; and the numbers in them.
      rules: each that was used: the names that it matches there, the path here, its number of tensors.
      ignored: how many names each pattern matched of what is no weight: the counters of batches, kept beside.
      config: the keys that the weights need and the config had otherwise.
      epoch: from 0, the last that was trained.
    """

    source: str
    network: str
    num_tensors: int
    num_parameters: int
    rules: list[dict[str, Any]]
    ignored: dict[str, int]
    config: dict[str, Any]
    epoch: int

    @property
    def text(self) -> str:
        """In one or two lines."""
        lines = [
            f"{self.source}: {self.network}, {self.num_tensors} tensors of {self.num_parameters:,} numbers by"
            f" {len(self.rules)} rules, {sum(self.ignored.values())} counters of batches beside them"
        ]
        if self.config:
            keys = ", ".join(f"config.{key}={value!r}" for key, value in self.config.items())
            lines.append(f"the weights need {keys}")
        return "\n".join(lines)


def to_orbax(config: ConfigDict, source: Path, target: Path) -> Report:
    """Write the weights of a published program's file as a checkpoint that stands alone.

    Args:
      config: of the network and the data set that the weights are of.
      target: the folder of the checkpoint, which must not exist.

    Raises:
      UserError: if the file cannot be read or does not fit the config. The message lists every problem.
      OutsideError: if the checkpoint cannot be written.
    """
    _check_absent(target)
    published = NETWORKS[network_key(config)]
    tensors, progress = read_published(source)
    with _naming(source):
        check_network(config, tensors)
    needed = needed_keys(config, tensors)
    config = config.copy_and_resolve_references()
    config.update_from_flattened_dict(needed)
    class_names = _class_names(config)
    _, network = fresh_network(config, make_reader(config, class_names).split)
    template = {"params": network.params, "batch_stats": network.batch_stats}
    with _naming(source):
        variables = _converted(tensors, published, progress, template)
    epochs = config.num_epochs if progress.epochs is None else progress.epochs
    description = Description(
        config=config.to_dict(),
        class_names=class_names,
        loader={},
        step=max(progress.counters.values(), default=0),
        epoch=max(epochs, 1) - 1,
        published=dataclasses.asdict(progress),
    )
    report = _report(source.name, published, tensors, progress, needed, description.epoch)
    with new_folder(target) as folder:
        save_weights(folder, variables["params"], variables["batch_stats"], description)
        _write_report(folder / REPORT, report)
    return report


def to_torch(config_arguments: ConfigArguments, checkpoint: Path, target: Path) -> Report:
    """Write the weights of a checkpoint as a file that the published program loads with `strict=True`.

    Args:
      config_arguments: overrides of the checkpoint's config, or another config file.
      checkpoint: its folder (`training.checkpoint_folders.resolve`).
      target: the file, which must not exist; a report is written beside it.

    Raises:
      UserError: if it is no checkpoint of a published network. The message lists every problem.
      OutsideError: if the file cannot be written.
    """
    _check_absent(target)
    description = describe(checkpoint)
    config = config_arguments.load(default=from_dict(description.config))
    published = NETWORKS[network_key(config)]
    check_sizes(config)
    known_of_data = make_reader(config, description.class_names).split
    mesh = sharding.make_mesh(jax.devices()[:1])
    *_, weights = trained_network(config, known_of_data, checkpoint, mesh)
    params, batch_stats = jax.device_get(weights)
    try:
        known = Progress(**description.published)
    except TypeError as error:
        raise UserError(f"{checkpoint}: is damaged: its published is {description.published!r}") from error
    variables = {"params": params, "batch_stats": batch_stats}
    with _naming(checkpoint):
        tensors = invert(variables, published.rules, {**published.names, **known.names})
    progress = dataclasses.replace(
        known,
        counters=all_counters(tensors, known.counters, description.step),
        epochs=known.epochs if known.epochs is not None else description.epoch + 1,
    )
    optimizer = config.optimizer
    settings = {
        "lr": config.schedule.base_lr,
        "momentum": optimizer.momentum,
        "dampening": 0,
        "weight_decay": optimizer.weight_decay,
        "nesterov": optimizer.nesterov,
    }
    name = f"{run_of(checkpoint).name}, step {description.step}"
    report = _report(name, published, tensors, progress, {}, description.epoch)
    with replacing(target) as temporary:
        write_published(temporary, published, tensors, progress, settings)
    _write_report(target.with_name(f"{target.name}.json"), report)
    return report


def _converted(
    tensors: Mapping[str, np.ndarray], network: PublishedNetwork, progress: Progress, template: Variables
) -> Variables:
    """`convert`, whose message also says what a variable that no tensor fills is called there."""
    try:
        return convert(tensors, network.rules, IGNORED, template)
    except UserError as error:
        expected = invert(template, network.rules, {**network.names, **progress.names})
        if missing := [name for name in expected if name not in tensors]:
            raise UserError(f"{error}; missing in the file: {', '.join(missing)}") from error
        raise


def _class_names(config: ConfigDict) -> tuple[str, ...]:
    """Those of the data set of the config; of one's own data set they are read where it is prepared."""
    return builder_class(config.data.name).CLASS_NAMES or (
        open_configured_split(config.data, config.data.eval_split).class_names
    )


def _report(
    source: str,
    network: PublishedNetwork,
    tensors: Mapping[str, np.ndarray],
    progress: Progress,
    config: dict[str, Any],
    epoch: int,
) -> Report:
    carried = {name: tensor for name, tensor in tensors.items() if name not in progress.counters}
    return Report(
        source=source,
        network=network.name,
        num_tensors=len(carried),
        num_parameters=sum(tensor.size for tensor in carried.values()),
        rules=[
            {"torch": rule.pattern, "ours": rule.path, "tensors": count}
            for rule, count in usage(carried, network.rules)
        ],
        ignored={pattern: len(progress.counters) for pattern in IGNORED},
        config=config,
        epoch=epoch,
    )


def _write_report(path: Path, report: Report) -> None:
    with replacing(path) as temporary:
        temporary.write_text(to_json(dataclasses.asdict(report), indent=2) + "\n")


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Put the name of what was read before the message of a UserError."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _check_absent(target: Path) -> None:
    if os.path.lexists(target):  # a link to nowhere too
        raise UserError(f"{target}: exists already; give a new name")

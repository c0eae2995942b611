"""What published weights and a config must have in common."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from rgbd_jax.config import leaves, parity
from rgbd_jax.errors import UserError
from rgbd_jax.streams import ALL, STREAMS
from rgbd_jax.weights.published import NETWORKS, recognise

# Of these, the published programs know one value alone.
_SIZES = {"model.base_width": 64, "model.stages": (4, 3, 3), "model.width": 1.0}
# The heads of the parts have this width, whatever the text encoder.
_TEXT_WIDTH = 512
# What GAP publishes for the joint streams of NW-UCLA. Longer than any chain of bones, 8 has no effect on the
# skeleton of NTU; this has one, as the transform is turned around.
_UCLA_JOINT_K = 6


def network_key(config: ConfigDict) -> str:
    """Which of `NETWORKS` a config asks for.

    Raises:
      UserError: if it asks for something else.
    """
    task = config.task
    if task.get("stream") == ALL:
        raise UserError(
            f"config.task.stream={ALL!r}: a published file holds one network; allowed is one of"
            f" {', '.join(STREAMS)}"
        )
    key = {"rgbd": "i3dwtrans", "fusion": "fusionnet"}.get(task.name) or config.model.name
    if key not in NETWORKS:
        raise UserError(f"config.model.name={key!r}: is not published; allowed are gap, ctrgcn, baseline_gcn")
    return key


def check_network(config: ConfigDict, names: Collection[str]) -> None:
    """See that tensors of these names are of the network that a config asks for.

    Raises:
      UserError: if they are not; names the network that they are of.
    """
    found, key = recognise(names), network_key(config)
    if found is None:
        raise UserError(
            f"holds weights of none of {', '.join(network.name for network in NETWORKS.values())}; found are"
            f" {len(names)} tensors, the first is {next(iter(names))}"
        )
    if found != key:
        asked = f"task.name={config.task.name!r}"
        if config.task.name == "skeleton":
            asked = f"model.name={config.model.name!r}"
        name = NETWORKS[found].name
        raise UserError(
            f"holds weights of {name}; found config.{asked}, which is for {NETWORKS[key].name}; give a config"
            f" for {name}"
        )


def needed_keys(config: ConfigDict, tensors: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The keys that published weights need and a config has otherwise, with the values that they need."""
    key, needed = network_key(config), {}
    if config.task.name == "skeleton":
        needed["model.adaptive"] = any(name.endswith(".PA") for name in tensors)
    if key == "gap":
        needed["text.width"] = next(
            (len(tensor) for name, tensor in tensors.items() if name.startswith("part_list.")),
            config.text.width,
        )
    if key == "gap" and config.model.layout == "ucla20":
        needed["model.k"] = config.model.k or _UCLA_JOINT_K
        if "ucla_bones" not in parity(config):
            needed["parity"] = (*config.parity, "ucla_bones")
    have = leaves(config)
    return {name: value for name, value in needed.items() if have[name] != value}


def check_sizes(config: ConfigDict) -> None:
    """See that the published programs have a network of this size.

    Raises:
      UserError: if they have not.
    """
    key, have = network_key(config), leaves(config)
    sizes = _SIZES | ({"text.width": _TEXT_WIDTH} if key == "gap" else {})
    for name, size in sizes.items():
        if name in have and have[name] != size:
            raise UserError(
                f"config.{name}={have[name]!r}: the published program of {NETWORKS[key].name} would not load"
                f" these weights, it knows {size!r} alone"
            )

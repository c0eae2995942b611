"""The files of weights of the published programs: which network one holds, what stands beside the weights.

MotionRGBD saves the state dict with the number of epochs, the best accuracy and the state of the optimizer
(`.pth.tar`); GAP and CTR-GCN save it as it is (`.pt`). Where several devices trained, the names may begin
with `module.`; both programs take that away when they load.
"""

import dataclasses
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rgbd_jax.errors import UserError
from rgbd_jax.weights import gap, motion_rgbd
from rgbd_jax.weights.pytorch import load_pytorch, named_tensors
from rgbd_jax.weights.pytorch_writer import write_pytorch
from rgbd_jax.weights.rules import Rule
from rgbd_jax.weights.safetensors import read_safetensors

_COUNTER = "num_batches_tracked"
_MEAN = "running_mean"
_MODULE = "module."
_MODEL = "model"


@dataclasses.dataclass(frozen=True)
class PublishedNetwork:
    """A published network.

    Attributes:
      name: in its paper.
      rules: its table.
      sign: a regular expression for the whole name of a tensor that no network before it in `NETWORKS` has.
      names: what stands for the groups of its table that our variables do not tell, where no file told it.
      with_progress: whether its program saves more than the state dict.
    """

    name: str
    rules: Sequence[Rule]
    sign: str
    names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    with_progress: bool = False


NETWORKS = {
    "fusionnet": PublishedNetwork("FusionNet", motion_rgbd.FUSIONNET, r"crossFusion\..*", with_progress=True),
    "i3dwtrans": PublishedNetwork("I3DWTrans", motion_rgbd.I3DWTRANS, r"dtn\..*", with_progress=True),
    "gap": PublishedNetwork("GAP", gap.GAP, r"part_list\..*", {"encoder": "ViT-B/32"}),
    "ctrgcn": PublishedNetwork("CTR-GCN", gap.CTRGCN, r"l1\.gcn1\.convs\..*"),
    "baseline_gcn": PublishedNetwork("the baseline GCN", gap.BASELINE_GCN, r"l1\.gcn1\.conv_d\..*"),
}


@dataclasses.dataclass(frozen=True)
class Progress:
    """What is known of a training beside its weights; all that a file holds which is no weight.

    Attributes:
      counters: how many batches each batch norm has seen, by the PyTorch name.
      names: see `PublishedNetwork`.
      epochs: that are done; None where the file does not tell.
      best_accuracy: of the validation, a fraction; None likewise.
    """

    counters: Mapping[str, int] = dataclasses.field(default_factory=dict)
    names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    epochs: int | None = None
    best_accuracy: float | None = None


def read_published(path: Path) -> tuple[dict[str, np.ndarray], Progress]:
    """The tensors of a file by their names, without `module.`, and what else it tells.

    Raises:
      UserError: if it cannot be read or holds no tensors by their names.
    """
    content: Any = read_safetensors(path) if path.suffix == ".safetensors" else load_pytorch(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: found {type(content).__name__}; a dict of tensors by their names is needed")
    model = content.get(_MODEL)
    named = named_tensors(path, model if isinstance(model, dict) else content)
    tensors = {name.removeprefix(_MODULE): tensor for name, tensor in named.items()}
    if doubled := [
        name for name in named if name.startswith(_MODULE) and name.removeprefix(_MODULE) in named
    ]:
        raise UserError(f"{path}: holds {doubled[0]}, and the same without {_MODULE}; one is needed")
    if not tensors:
        raise UserError(f"{path}: holds no tensors by their names")
    counters = {name: tensor for name, tensor in tensors.items() if name.endswith(_COUNTER)}
    for name, tensor in counters.items():
        if tensor.size != 1 or tensor.dtype.kind not in "iu":
            raise UserError(f"{path}: {name}: found {tensor.dtype} {tensor.shape}; one integer is needed")
    epochs = _number(content.get("epoch"))
    return tensors, Progress(
        counters={name: int(tensor) for name, tensor in counters.items()},
        names=_names_told(tensors),
        epochs=None if epochs is None else int(epochs),
        best_accuracy=_number(content.get("bestacc")),
    )


def write_published(
    path: Path,
    network: PublishedNetwork,
    tensors: Mapping[str, np.ndarray],
    progress: Progress,
    optimizer: Mapping[str, Any],
) -> None:
    """Write a file that the published program loads.

    Args:
      tensors: of all rules, by their PyTorch names.
      progress: of which the counters are complete.
      optimizer: the settings of SGD with which that program would go on; it asks for them even where it only
        evaluates.
    """
    counters = {name: np.array(count, np.int64) for name, count in progress.counters.items()}
    content: dict[str, Any] = {**tensors, **counters}
    if network.with_progress:
        trained = [name for name in tensors if not name.rpartition(".")[2].startswith("running_")]
        group = {**optimizer, "params": list(range(len(trained)))}
        content = {
            _MODEL: content,
            "optimizer": {"state": {}, "param_groups": [group]},
            "epoch": progress.epochs,
            "bestacc": progress.best_accuracy or 0.0,
        }
    write_pytorch(path, content)


def recognise(names: Collection[str]) -> str | None:
    """The key in `NETWORKS` of the network that has tensors of these names; None if it is none of them."""
    for key, network in NETWORKS.items():
        if any(re.fullmatch(network.sign, name) for name in names):
            return key
    return None


def all_counters(names: Collection[str], known: Mapping[str, int], default: int) -> dict[str, int]:
    """The counters of all batch norms among tensors of these names; of those not `known` the default."""
    counters = (name.removesuffix(_MEAN) + _COUNTER for name in names if name.endswith(_MEAN))
    return {name: known.get(name, default) for name in counters}


def _names_told(names: Collection[str]) -> dict[str, str]:
    """What stands for the groups that only names of tensors tell."""
    heads = (re.match(gap.GLOBAL_HEAD, name) for name in names)
    return next((head.groupdict() for head in heads if head), {})


def _number(value: Any) -> float | None:
    """What a file has under a name, if it is a number, of whatever type."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None

"""The reference numbers of the RGB-D networks, one case at a time, as cases.json beside them describes it."""

import dataclasses
import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from golden.weights import golden_array, golden_state_dict, golden_video

from rgbd_jax.weights.layer_rules import IGNORED
from rgbd_jax.weights.rules import Rule, Variables, convert

Tensors = dict[str, np.ndarray]

FOLDER = Path(__file__).parent / "motion"


# For whole arrays of large magnitude, and norms of gradients, of a single module.
RELATIVE_NORM = 1e-4


@dataclasses.dataclass(frozen=True)
class Case:
    """One module or network of the original under known weights and inputs.

    Attributes:
      kind: what was run.
      params: how it was built.
      inputs: by name; activations have the channels last. Where steps alternate between two batches, those
        of the second have a 1 behind their name.
      weights: the state dict, by its PyTorch names.
      outputs: by name. Activations and their gradients have the channels last, `grad.*` and `stat.*` the
        layout of the state dict.
      rtol, atol: the tolerance under which the outputs must be met.
    """

    name: str
    kind: str
    params: dict[str, Any]
    inputs: Tensors
    weights: Tensors
    outputs: Tensors
    rtol: float
    atol: float

    def check(self, output: str, ours: Any):
        """Assert that `ours` is the stored output, within the tolerance of the case."""
        np.testing.assert_allclose(
            ours, self.outputs[output], rtol=self.rtol, atol=self.atol, err_msg=f"{self.name}: {output}"
        )


def names(*kinds: str) -> list[str]:
    """The cases of these kinds."""
    return [name for name, described in _described().items() if described["kind"] in kinds]


def load(name: str, *, without: tuple[str, ...] = ()) -> Case:
    """A case by its name, without the weights whose names begin so."""
    described = _described()[name]
    with np.load(FOLDER / f"{name}.npz") as arrays:
        outputs = dict(arrays)
    return Case(
        name=name,
        kind=described["kind"],
        params=described["params"],
        inputs=_inputs(described["inputs"], described["params"].get("w", 10)),
        weights=_weights(described, without),
        outputs=outputs,
        rtol=described["rtol"],
        atol=described["atol"],
    )


def without_space(case: Case) -> Case:
    """The case of a sequence, whose activations (B, T, 1, 1, C) become (B, T, C)."""

    def squeeze(arrays: Tensors) -> Tensors:
        activations = ("x", "cot", "y_eval", "y_train", "grad_x")
        return {key: array[:, :, 0, 0] if key in activations else array for key, array in arrays.items()}

    return dataclasses.replace(case, inputs=squeeze(case.inputs), outputs=squeeze(case.outputs))


def check_training(case: Case, module: nnx.Module, rules: Sequence[Rule]):
    """Assert what a case has of a module's evaluation, training pass, gradients and new batch statistics.

    Args:
      module: with x and `train` as its arguments.
      rules: of the module, whose weights are replaced by those of the case.
    """
    structure, variables = fill(module, case.weights, rules)
    x, cotangent = jnp.asarray(case.inputs["x"]), jnp.asarray(case.inputs["cot"])

    def forward(params, x, train):
        module = nnx.merge(structure, params, variables["batch_stats"])
        y = module(x, train=train)
        return (y * cotangent).sum(), (y, nnx.to_pure_dict(nnx.state(module, nnx.BatchStat)))

    _, (y, _) = forward(variables["params"], x, False)
    case.check("y_eval", y)
    gradient = jax.jit(jax.grad(forward, argnums=(0, 1), has_aux=True), static_argnums=2)
    (params_grad, x_grad), (y, stats) = gradient(variables["params"], x, True)
    case.check("y_train", y)
    case.check("grad_x", x_grad)
    ours = to_state_dict({"params": params_grad, "batch_stats": stats}, case.weights, rules)
    for name, tensor in ours.items():
        for output in {f"grad.{name}", f"stat.{name}"} & case.outputs.keys():
            case.check(output, tensor)
        if (norm := case.outputs.get(f"gradnorm.{name}")) is not None:
            np.testing.assert_allclose(np.linalg.norm(tensor), norm, rtol=RELATIVE_NORM, err_msg=name)


def variables_of(module: nnx.Module) -> Variables:
    """The parameters and batch statistics of a module."""
    _, params, batch_stats = nnx.split(module, nnx.Param, nnx.BatchStat)
    return {"params": nnx.to_pure_dict(params), "batch_stats": nnx.to_pure_dict(batch_stats)}


def fill(module: nnx.Module, weights: Tensors, rules: Sequence[Rule]) -> tuple[nnx.GraphDef, Variables]:
    """The module's structure, and its variables with the values of a state dict: `nnx.merge` joins them."""
    variables = convert(weights, rules, IGNORED, variables_of(module))
    structure, *_ = nnx.split(module, nnx.Param, nnx.BatchStat)
    return structure, jax.tree.map(jnp.asarray, variables)


def to_state_dict(variables: Variables, weights: Tensors, rules: Sequence[Rule]) -> Tensors:
    """Variables of ours, or what is shaped like them, in the layout of the state dict `weights`.

    The rules only move values about. Where each goes is found by sending its position the same way.
    """
    positions, end = {}, 0
    for name, tensor in weights.items():
        positions[name] = np.arange(end, end := end + tensor.size, dtype=np.float64).reshape(tensor.shape)
    template = jax.tree.map(lambda leaf: np.empty(leaf.shape, np.float64), variables)
    moved = convert(positions, rules, IGNORED, template)
    flat = np.full(end, np.nan)
    for leaf, place in zip(jax.tree.leaves(variables), jax.tree.leaves(moved), strict=True):
        flat[place.astype(int)] = leaf
    return {name: flat[place.astype(int)] for name, place in positions.items()}


@functools.cache
def _described() -> dict[str, dict]:
    cases = json.loads((FOLDER / "cases.json").read_text())["cases"]
    return {case["case"]: case for case in cases}


def _weights(described: dict, without: tuple[str, ...]) -> Tensors:
    if described["kind"] in ("i3dwtrans_train", "i3dwtrans_sgd"):
        described = _described()["i3d_small"]  # the same network, listed once
    if "weights" not in described:
        return {}
    listed = described["weights"]
    entries = [entry for entry in listed["entries"] if not entry[0].startswith(without)]
    return golden_state_dict(entries, prefix=listed["prefix"])


def _inputs(described: dict, window: int) -> Tensors:
    inputs = {}
    for key, entry in described.items():
        if key.startswith("target"):
            continue  # a formula in words, which its test writes out
        if key.endswith("(step i)"):
            name, shape, kind = entry
            for step, suffix in enumerate(("", "1")):
                of_step = name.replace("{i%2}", str(step))
                inputs[key.removesuffix("(step i)") + suffix] = _input(of_step, shape, kind, window)
        else:
            inputs[key] = _input(*entry, window)
    return inputs


def _input(name: str, shape: list[int], kind: str, window: int) -> np.ndarray:
    match kind:
        case "normal minus 0.5":
            return golden_array(name, shape, "normal") - np.float32(0.5)
        case "normal times 5":
            return golden_array(name, shape, "normal") * np.float32(5)
        case "video":
            return golden_video(name, shape)
        case "heat(w)":
            heat = golden_video(name, shape) * np.float32(0.75) + np.float32(0.75)
            heat[:, : window - 1] = 0  # where no whole window of frames ends
            return heat
        case _:
            return golden_array(name, shape, kind)

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
from golden.motion_networks import Tensors, attention_similarity, branch_similarity, port
from golden.weights import golden_array, golden_state_dict, golden_video

from rgbd_jax.models.temporal_network import BRANCHES
from rgbd_jax.weights.rules import Rule

FOLDER = Path(__file__).parent / "motion"

# For whole arrays of large magnitude, and norms of gradients, of a single module.
RELATIVE_NORM = 1e-4
# Below this distance between the last score kept and the first dropped, rounding may choose another key.
NEAR_TIE = 1e-5


@dataclasses.dataclass(frozen=True)
class Case:
    """One module or network of the original under known weights and inputs.

    Attributes:
      kind: what was run.
      params: how it was built.
      inputs: by name; activations have the channels last. Where steps alternate between two batches, their
        names end in 0 and 1.
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

    @property
    def near_tie(self) -> bool:
        """Whether float64 alone is sure to choose the keys that the original did."""
        gaps = [self.outputs.get(output) for output in ("knn_min_gap", "knn_min_gap_eval")]
        return any(gap is not None and 0 <= gap <= NEAR_TIE for gap in gaps)

    def check(self, output: str, ours: Any):
        """Assert that `ours` is the stored output, within the tolerance of the case.

        What was computed in float64 must be far closer to the original's float64, where that is stored.
        """
        expected, rtol, atol = self.outputs[output], self.rtol, self.atol
        if np.asarray(ours).dtype == np.float64 and f"{output}_f64" in self.outputs:
            expected, rtol, atol = self.outputs[f"{output}_f64"], 1e-8, 1e-9
        np.testing.assert_allclose(ours, expected, rtol=rtol, atol=atol, err_msg=f"{self.name}: {output}")


def names(*kinds: str) -> list[str]:
    """The cases of these kinds, of which there are some."""
    found = [name for name, described in _described().items() if described["kind"] in kinds]
    assert found, kinds
    return found


def all_names() -> list[str]:
    """The cases of all kinds."""
    return list(_described())


def described(name: str) -> dict[str, Any]:
    """What cases.json says of a case."""
    return _described()[name]


def load(name: str) -> Case:
    """A case by its name."""
    case = described(name)
    with np.load(FOLDER / f"{name}.npz") as arrays:
        outputs = dict(arrays)
    return Case(
        name=name,
        kind=case["kind"],
        params=case["params"],
        inputs=_inputs(case["inputs"], case["params"].get("w", 10)),
        weights=_weights(case),
        outputs=outputs,
        rtol=case["rtol"],
        atol=case["atol"],
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
      rules: of the module, which gets the weights of the case.
    """
    network = port(lambda rngs: module, case.weights, rules)
    variables, x, cotangent = jax.tree.map(
        jnp.asarray, (network.variables, case.inputs["x"], case.inputs["cot"])
    )

    def forward(params, x, train):
        y, stats = network(variables | {"params": params}, x, train=train)
        return (y * cotangent).sum(), (y, stats)

    _, (y, _) = jax.jit(forward, static_argnums=2)(variables["params"], x, False)
    case.check("y_eval", y)
    gradient = jax.jit(jax.grad(forward, argnums=(0, 1), has_aux=True), static_argnums=2)
    (params_grad, x_grad), (y, stats) = gradient(variables["params"], x, True)
    case.check("y_train", y)
    case.check("grad_x", x_grad)
    for name, tensor in network.tensors({"params": params_grad, "batch_stats": stats}).items():
        for output in {f"grad.{name}", f"stat.{name}"} & case.outputs.keys():
            case.check(output, tensor)
        if (norm := case.outputs.get(f"gradnorm.{name}")) is not None:
            np.testing.assert_allclose(np.linalg.norm(tensor), norm, rtol=RELATIVE_NORM, err_msg=name)


def check_branches(case: Case, out: dict[str, Any]):
    """Assert what a case has of the temporal network: what it returns, and what is shown of its attention.

    Args:
      out: small, media, large and fused, with what else `TemporalNetwork` returns.
    """
    for output in ("fused", *BRANCHES):
        case.check(output, out[output])
    case.check("distill", out["distillation"].sum().reshape(case.outputs["distill"].shape))
    case.check("cosine", branch_similarity(out))
    case.check("att_map", attention_similarity(out))
    if "enhancement" in out:
        case.check("weight0", out["enhancement"][0])
    for branch in BRANCHES:
        if f"scores_{branch}" in case.outputs:
            case.check(f"scores_{branch}", out[f"attention_{branch}"][0])


def check_step(case: Case, tensors: Tensors):
    """Assert what a case has of a whole network's tensors after a step of training.

    Args:
      tensors: batch statistics as they have become, parameters or their gradients. Gradients of float32 are
        no measure, in the reference nor here: sums over many thousand positions cancel.
    """
    checked = 0
    for output in case.outputs:
        kind, _, name = output.partition(".")
        if kind in ("stat", "param"):
            case.check(output, tensors[name])
        elif kind in ("gradnorm", "paramnorm") and not name.endswith("_f64"):
            case.check(output, np.linalg.norm(tensors[name]))
        else:
            continue
        checked += 1
    assert checked, case.name


@functools.cache
def _described() -> dict[str, dict]:
    cases = json.loads((FOLDER / "cases.json").read_text())["cases"]
    return {case["case"]: case for case in cases}


def _weights(described: dict) -> Tensors:
    if described["kind"] in ("i3dwtrans_train", "i3dwtrans_sgd"):
        described = _described()["i3d_small"]  # the same network, listed once
    if "weights" not in described:
        return {}
    listed = described["weights"]
    return golden_state_dict(listed["entries"], prefix=listed["prefix"])


def _inputs(described: dict, window: int) -> Tensors:
    inputs = {}
    for key, entry in described.items():
        if key.startswith("target"):
            continue  # a formula in words, which its test writes out
        if key.endswith("(step i)"):
            name, shape, kind = entry
            for step in "01":
                of_step = name.replace("{i%2}", step)
                inputs[key.removesuffix("(step i)") + step] = _input(of_step, shape, kind, window)
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

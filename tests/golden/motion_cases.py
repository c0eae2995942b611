"""The reference numbers of the RGB-D networks, one case at a time, as cases.json beside them describes it."""

import dataclasses
import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
from golden.weights import golden_array, golden_state_dict, golden_video

FOLDER = Path(__file__).parent / "motion"


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
    inputs: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]
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


def load(name: str) -> Case:
    """A case by its name."""
    described = _described()[name]
    with np.load(FOLDER / f"{name}.npz") as arrays:
        outputs = dict(arrays)
    return Case(
        name=name,
        kind=described["kind"],
        params=described["params"],
        inputs=_inputs(described["inputs"], described["params"].get("w", 10)),
        weights=_weights(described),
        outputs=outputs,
        rtol=described["rtol"],
        atol=described["atol"],
    )


@functools.cache
def _described() -> dict[str, dict]:
    cases = json.loads((FOLDER / "cases.json").read_text())["cases"]
    return {case["case"]: case for case in cases}


def _weights(described: dict) -> dict[str, np.ndarray]:
    if described["kind"] in ("i3dwtrans_train", "i3dwtrans_sgd"):
        described = _described()["i3d_small"]  # the same network, listed once
    if "weights" not in described:
        return {}
    listed = described["weights"]
    return golden_state_dict(listed["entries"], prefix=listed["prefix"])


def _inputs(described: dict, window: int) -> dict[str, np.ndarray]:
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

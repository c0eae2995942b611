"""Our modules of the RGB-D networks under reference weights, as pure functions."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from rgbd_jax.models import transformer
from rgbd_jax.models.temporal_network import BRANCHES
from rgbd_jax.weights.layer_rules import IGNORED
from rgbd_jax.weights.rules import Rule, Variables, convert

Tensors = dict[str, np.ndarray]

FRAMES = {"low": 16, "media": 32, "high": 48}

# Whole networks compute longer than they compile: it pays to have them optimised, if little.
jit_network = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 1})


@dataclasses.dataclass(frozen=True)
class Ported:
    """A module and the weights that it was given.

    Attributes:
      variables: `params` and `batch_stats`.
      shapes: of the tensors of the reference, by their PyTorch names.
    """

    graph: nnx.GraphDef
    variables: Variables
    shapes: dict[str, tuple[int, ...]]
    rules: Sequence[Rule]
    ignored: Sequence[str]

    def __call__(self, variables: Variables, *args, **kwargs) -> tuple[Any, Variables]:
        """The module's output, and its statistics after it."""
        module = nnx.merge(self.graph, variables["params"], variables.get("batch_stats", {}))
        out = module(*args, **kwargs)
        return out, nnx.to_pure_dict(nnx.state(module, nnx.BatchStat))

    def tensors(self, variables: Variables) -> Tensors:
        """Variables of ours, or what is shaped like them, by the names and in the layout of the reference."""
        flat = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(variables)])
        tensors, end = {}, 0
        for name, shape in self.shapes.items():
            places = self._places[end : (end := end + int(np.prod(shape)))]
            if places.min(initial=0) >= 0:
                tensors[name] = flat[places].reshape(shape)
        return tensors

    @functools.cached_property
    def _places(self) -> np.ndarray:
        """Where each number of the reference lies in all our variables, one behind the other; −1: nowhere.

        The rules only move values about. Where each goes is found by sending its position the same way.
        """
        ends = np.cumsum([int(np.prod(shape)) for shape in self.shapes.values()])
        numbers = np.split(np.arange(ends[-1]), ends[:-1])
        positions = {
            name: part.reshape(shape)
            for part, (name, shape) in zip(numbers, self.shapes.items(), strict=True)
        }
        template = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, int), self.variables)
        moved = jax.tree.leaves(convert(positions, self.rules, self.ignored, template))
        places = np.full(ends[-1], -1)
        places[np.concatenate([np.ravel(leaf) for leaf in moved])] = np.arange(sum(map(np.size, moved)))
        return places


def port(
    build: Callable[[nnx.Rngs], nnx.Module],
    weights: Mapping[str, np.ndarray],
    rules: Sequence[Rule],
    ignored: Sequence[str] = (),
) -> Ported:
    """The module that `build` makes, with `weights` carried over by `rules`."""
    graph, params, stats = nnx.split(build(nnx.Rngs(0)), nnx.Param, nnx.BatchStat)
    template = {"params": nnx.to_pure_dict(params), "batch_stats": nnx.to_pure_dict(stats)}
    ignored = (*IGNORED, *ignored)
    return Ported(
        graph=graph,
        variables=convert(weights, rules, ignored, template),
        shapes={name: tensor.shape for name, tensor in weights.items()},
        rules=rules,
        ignored=ignored,
    )


def trunk_options(params: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `Trunk` for which the parameters of a case stand."""
    return dict(
        num_blocks=params.get("N", 6),
        frames=tuple(params.get(f"{size}_frames", count) for size, count in FRAMES.items()),
        knn_ratio=params.get("knn_attention", 0.7),
        recoupling=params.get("recoupling", True),
        recoupling_heads=params.get("SEHeads", 1),
        temper=params.get("temper", 0.5),
    )


def branch_similarity(out: Mapping[str, np.ndarray]) -> np.ndarray:
    """The sum of the cosines between the branches' values for the first sample."""
    units = [out[name][0] / np.linalg.norm(out[name][0]) for name in BRANCHES]
    return sum(a @ b for a, b in itertools.combinations(units, 2))


def attention_similarity(out: Mapping[str, np.ndarray]) -> np.ndarray:
    """Cosines between the heads of all branches, of which the original cuts the larger ones in memory."""
    shape = out["attention_small"].shape
    maps = [np.ravel(out[f"attention_{name}"])[: np.prod(shape)].reshape(shape) for name in BRANCHES]
    rows = np.concatenate(maps, axis=1).reshape(len(maps[0]), len(BRANCHES) * shape[1], -1)
    rows = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows @ rows.swapaxes(1, 2)


def relative_error(ours: Any, theirs: Any) -> float:
    """‖ours − theirs‖ / ‖theirs‖."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))


def compute(function: Callable, *args: Any, double: bool) -> Any:
    """What a compiled function makes of arrays, in float64 or as they are."""
    if not double:
        return jax.device_get(function(*args))
    args = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), args)
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        return jax.device_get(function(*args))


def record_gaps(monkeypatch: pytest.MonkeyPatch) -> list[jax.Array]:
    """A list that gets the smallest distance between kept and dropped scores of each attention."""
    gaps = []
    choose = transformer.largest

    def largest(scores, k):
        ranked = jnp.sort(scores)[..., ::-1]
        jax.debug.callback(gaps.append, (ranked[..., k - 1] - ranked[..., k]).min())
        return choose(scores, k)

    monkeypatch.setattr(transformer, "largest", largest)
    return gaps


def check_batch_mates(run: Callable[[Any], dict[str, jax.Array]], inputs: Any):
    """Assert that each of eight samples gets the same logits alone, among all and at another place.

    Args:
      run: gives logits (B, K) by name for inputs, arrays whose first axis is B.
    """
    eight = jax.device_get(run(inputs))
    alone = [jax.device_get(run(jax.tree.map(lambda x, i=i: x[i : i + 1], inputs))) for i in range(8)]
    order = np.array([5, 2, 7, 0, 3, 6, 1, 4])
    moved = jax.device_get(run(jax.tree.map(lambda x: x[order], inputs)))
    for name, logits in eight.items():
        scale = np.abs(logits).max()
        for found, expected in (
            (np.concatenate([one[name] for one in alone]), logits),
            (moved[name], logits[order]),
        ):
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * scale, err_msg=name)
        differences = np.abs(logits[:, None] - logits[None]).max(axis=2)
        assert differences[~np.eye(8, dtype=bool)].min() > 1e-4 * scale  # samples do differ

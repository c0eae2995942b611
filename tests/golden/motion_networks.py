"""Our modules of the RGB-D networks under reference weights, as pure functions."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from flax import nnx, traverse_util

from rgbd_jax.weights.layer_rules import IGNORED
from rgbd_jax.weights.rules import Rule, Variables, convert


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
    convert: Callable[[Mapping[str, np.ndarray]], Variables]

    @functools.cached_property
    def owners(self) -> Variables:
        """Like `variables`; for each number the position in `shapes` of the tensor that it came from."""
        numbers = {name: np.full(shape, i, np.float32) for i, (name, shape) in enumerate(self.shapes.items())}
        return self.convert(numbers)

    def __call__(self, variables: Variables, *args, **kwargs) -> tuple[Any, Variables]:
        """The module's output, and its statistics after it."""
        module = nnx.merge(self.graph, variables["params"], variables.get("batch_stats", {}))
        out = module(*args, **kwargs)
        return out, nnx.to_pure_dict(nnx.state(module, nnx.BatchStat))

    def tensor(self, name: str, values: Variables) -> np.ndarray:
        """The part of `values`, a part of a tree like `variables`, that belongs to the tensor `name`, flat.

        It has the tensor's order where the tensor has one axis that is not 1.
        """
        number = list(self.shapes).index(name)
        values, found = traverse_util.flatten_dict(values), []
        for path, owners in traverse_util.flatten_dict(self.owners).items():
            if path in values and (mine := owners == number).any():
                found.append(np.asarray(values[path])[mine])
        (tensor,) = found
        return tensor


def port(
    build: Callable[[nnx.Rngs], nnx.Module],
    weights: Mapping[str, np.ndarray],
    rules: Sequence[Rule],
    ignored: Sequence[str] = (),
) -> Ported:
    """The module that `build` makes, with `weights` carried over by `rules`."""
    graph, params, stats = nnx.split(build(nnx.Rngs(0)), nnx.Param, nnx.BatchStat)
    template = {"params": nnx.to_pure_dict(params), "batch_stats": nnx.to_pure_dict(stats)}
    to_ours = functools.partial(convert, rules=rules, ignored=(*IGNORED, *ignored), template=template)
    return Ported(
        graph=graph,
        variables=to_ours(weights),
        shapes={name: tensor.shape for name, tensor in weights.items()},
        convert=to_ours,
    )


def relative_error(ours: Any, theirs: Any) -> float:
    """‖ours − theirs‖ / ‖theirs‖."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    return float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))


def in_double(tree: Any) -> Any:
    """The arrays of a tree in float64."""
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), tree)

"""How a table of rules turns a PyTorch state dict into our variables, strictly both ways."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from flax import traverse_util

from rgbd_jax.errors import UserError

Variables = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Layout:
    """In which order of axes a tensor lies here and in PyTorch: two functions, one the inverse of the other.

    Attributes:
      ours: of a tensor of PyTorch; raises ValueError if it is not of the right form.
      torch: of a tensor of ours.
    """

    ours: Callable[[np.ndarray], np.ndarray]
    torch: Callable[[np.ndarray], np.ndarray]

    @property
    def stacked(self) -> "Layout":
        """The same with a new first axis of ours, along which pieces lie."""
        return Layout(lambda tensor: self.ours(tensor)[None], lambda tensor: self.torch(tensor[0]))


AS_IT_IS = Layout(lambda tensor: tensor, lambda tensor: tensor)


@dataclasses.dataclass(frozen=True)
class Rule:
    r"""Where the tensors whose name matches go, and where they come from.

    Attributes:
      pattern: regular expression for the whole PyTorch name. So that it can be read the other way too, it is
        plain text, with a backslash before the dots, and groups: alternatives without special characters,
        \d+, or [^.]+. None stands within another.
      path: of our variable, keys joined by "/"; it may use the groups of the pattern, \1.
      layout: of each tensor.
      piece: where a variable is made of several tensors, the number of this one; it may use the groups too.
        The pieces are joined along the first axis in the order of their numbers. They are equally long, and
        if the number is a group \d+, each is one long,
      length: unless this names another variable, whose last axis is as long as this piece.
    """

    pattern: str
    path: str
    layout: Layout = AS_IT_IS
    piece: str = "0"
    length: str = ""


@dataclasses.dataclass(frozen=True)
class _Piece:
    number: int
    name: str
    tensor: np.ndarray


def convert(
    state_dict: Mapping[str, np.ndarray], rules: Sequence[Rule], ignored: Sequence[str], template: Variables
) -> Variables:
    """Variables of the structure, shapes and dtypes of `template`, filled from `state_dict`.

    Args:
      state_dict: tensors by their PyTorch name.
      rules: the network's table.
      ignored: patterns of names that have no counterpart here.
      template: nested dict of arrays or `jax.ShapeDtypeStruct`.

    Raises:
      UserError: unless each tensor is used by exactly one rule or ignored, each variable is filled, and all
        shapes agree. The message lists every problem.
    """
    problems: list[str] = []
    pieces = _assign(state_dict, rules, ignored, problems)
    filled = {}
    for keys, leaf in traverse_util.flatten_dict(template).items():
        path = "/".join(map(str, keys))
        filled[keys] = _fill(path, leaf, pieces.pop(path, []), problems)
    for path, parts in pieces.items():
        problems += [f"{part.name}: the network has no variable {path}" for part in parts]
    if problems:
        raise UserError(
            f"the weights do not fit the network, {len(problems)} problems: {'; '.join(problems)}"
        )
    return traverse_util.unflatten_dict(filled)


def usage(names: Iterable[str], rules: Sequence[Rule]) -> list[tuple[Rule, int]]:
    """The rules that match any of the names, and how many each."""
    names = list(names)
    counts = [(rule, sum(map(bool, map(re.compile(rule.pattern).fullmatch, names)))) for rule in rules]
    return [(rule, count) for rule, count in counts if count]


def _assign(
    state_dict: Mapping[str, np.ndarray], rules: Sequence[Rule], ignored: Sequence[str], problems: list[str]
) -> dict[str, list[_Piece]]:
    """The transformed tensors by the path of the variable that they belong to."""
    compiled = [(re.compile(rule.pattern), rule) for rule in rules]
    pieces: dict[str, list[_Piece]] = {}
    for name, tensor in state_dict.items():
        if any(re.fullmatch(pattern, name) for pattern in ignored):
            continue
        hits = [(match, rule) for pattern, rule in compiled if (match := pattern.fullmatch(name))]
        if len(hits) != 1:
            problems.append(f"{name}: {len(hits)} rules match it, one should")
            continue
        match, rule = hits[0]
        try:
            piece = _Piece(int(match.expand(rule.piece)), name, rule.layout.ours(np.asarray(tensor)))
        except ValueError:
            problems.append(f"{name}: the shape {np.shape(tensor)} is not one that {rule.path} is made of")
            continue
        pieces.setdefault(match.expand(rule.path), []).append(piece)
    return pieces


def _fill(path: str, leaf: Any, pieces: list[_Piece], problems: list[str]) -> np.ndarray | None:
    """The value of a variable, or None and a new problem."""
    pieces = sorted(pieces, key=lambda piece: piece.number)
    names, shapes = " + ".join(piece.name for piece in pieces), [piece.tensor.shape for piece in pieces]
    if not pieces:
        problems.append(f"{path}: no tensor fills it")
    elif [piece.number for piece in pieces] != list(range(len(pieces))):
        problems.append(f"{path}: pieces are missing or doubled, found {names}")
    elif len({shape[1:] for shape in shapes}) > 1:
        problems.append(f"{path}: the shapes {shapes} of {names} do not join")
    else:
        value = np.concatenate([piece.tensor for piece in pieces]) if len(pieces) > 1 else pieces[0].tensor
        if value.shape == tuple(leaf.shape):
            return value.astype(leaf.dtype)
        problems.append(f"{names}: gives {value.shape} for {path}, which is {tuple(leaf.shape)}")
    return None

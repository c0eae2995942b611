"""How a table of rules turns our variables into a PyTorch state dict: `rules.convert` read the other way."""

import dataclasses
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from flax import traverse_util

from rgbd_jax.errors import UserError
from rgbd_jax.weights.rules import Rule, Variables

_GROUP = re.compile(r"\((?:\?P<(\w+)>)?([^()]*)\)")
_REFERENCE = re.compile(r"\\(?:g<(\w+)>|(\d))")
_NUMBERS = r"\d+"


@dataclasses.dataclass(frozen=True)
class _Piece:
    number: int
    name: str
    rule: Rule
    length: int | None


def invert(
    variables: Variables, rules: Sequence[Rule], names: Mapping[str, str] | None = None
) -> dict[str, np.ndarray]:
    """The tensors that `convert` would make `variables` of, by their PyTorch names.

    Args:
      variables: nested dict of arrays.
      rules: the network's table.
      names: what stands for the groups, by their names, that neither a path nor the number of pieces tells.

    Raises:
      UserError: unless each variable is described by the table. The message lists every problem.
    """
    flat = {
        "/".join(map(str, keys)): np.asarray(leaf)
        for keys, leaf in traverse_util.flatten_dict(variables).items()
    }
    found: dict[str, list[_Piece]] = {path: [] for path in flat}
    for rule in map(_Inverse, rules):
        for path in flat:
            if match := rule.path.fullmatch(path):
                found[path] += rule.pieces(match.groupdict(), flat, path, names or {})
    tensors: dict[str, np.ndarray] = {}
    problems = []
    for path, pieces in found.items():
        pieces = sorted(pieces, key=lambda piece: piece.number)
        if [piece.number for piece in pieces] != list(range(len(pieces))) or not pieces:
            listed = ", ".join(piece.name for piece in pieces) or "none"
            problems.append(f"{path}: the published network has no tensors for it (found {listed})")
            continue
        for piece, part in zip(pieces, _split(flat[path], pieces), strict=True):
            tensors[piece.name] = np.ascontiguousarray(piece.rule.layout.torch(part))
    if problems:
        raise UserError(
            f"the weights do not fit the published network, {len(problems)} problems: {'; '.join(problems)}"
        )
    return tensors


class _Inverse:
    """A rule as it reads from our side.

    Attributes:
      path: matches the paths of the variables that it is about.
    """

    def __init__(self, rule: Rule):
        self._rule = rule
        # Groups without a name get one by their number.
        self._groups = {
            match[1] or f"_{number}": match[2]
            for number, match in enumerate(_GROUP.finditer(rule.pattern), start=1)
        }
        keys = iter(self._groups)
        self._name = _GROUP.sub(lambda _: f"{{{next(keys)}}}", rule.pattern).replace("\\", "")
        self._number, self._length, path = map(_template, (rule.piece, rule.length, rule.path))
        # No path refers to a group twice.
        literals, keys = re.split(r"\{\w+\}", path), re.findall(r"\{(\w+)\}", path)
        groups = [f"(?P<{key}>{self._groups[key]})" for key in keys]
        parts = itertools.zip_longest(map(re.escape, literals), groups, fillvalue="")
        self.path = re.compile("".join(itertools.chain.from_iterable(parts)))

    def pieces(
        self, known: Mapping[str, str], flat: Mapping[str, np.ndarray], path: str, names: Mapping[str, str]
    ) -> Iterable[_Piece]:
        """The tensors that the rule makes of the variable at `path`.

        Args:
          known: the groups that the path tells.
          flat: all variables by their paths.
          names: see `invert`.
        """
        open_groups = {key: text for key, text in self._groups.items() if key not in known}
        rows = len(flat[path]) if flat[path].ndim else 1
        choices = (_choices(key, text, rows, names) for key, text in open_groups.items())
        for chosen in itertools.product(*choices):
            values = {**known, **dict(zip(open_groups, chosen, strict=True))}
            other = self._length.format(**values)
            length = flat[other].shape[-1] if other in flat else None
            number = int(self._number.format(**values))
            yield _Piece(number, self._name.format(**values), self._rule, length)


def _template(text: str) -> str:
    """References to groups, \\1 and \\g<name>, as fields for `str.format`."""
    return _REFERENCE.sub(lambda match: f"{{{match[1] or '_' + match[2]}}}", text)


def _choices(key: str, text: str, rows: int, names: Mapping[str, str]) -> Sequence[str]:
    """What may stand for a group that the path does not tell."""
    if key in names:
        return [names[key]]
    return [str(row) for row in range(rows)] if text == _NUMBERS else text.split("|")


def _split(tensor: np.ndarray, pieces: Sequence[_Piece]) -> Sequence[np.ndarray]:
    """The tensor along its first axis, by the lengths that are known and the rest in equal parts."""
    if len(pieces) == 1:
        return [tensor]
    lengths = [piece.length for piece in pieces]
    equal = lengths.count(None)
    rest = len(tensor) - sum(length for length in lengths if length is not None)
    lengths = [rest // equal if length is None else length for length in lengths]
    return np.split(tensor, np.cumsum(lengths)[:-1])

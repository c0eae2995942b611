"""Pickles of other programs, read without letting them run anything."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rgbd_jax.errors import UserError

# What rebuilds NumPy's arrays and scalars, by the names that versions 1 and 2 give it.
NUMPY = {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype} | {
    (f"numpy.{core}.{module}", value.__name__): value
    for core in ("core", "_core")
    for module, value in (
        ("multiarray", np.zeros(0).__reduce__()[0]),
        ("multiarray", np.float32(0).__reduce__()[0]),
        ("numeric", np.zeros(0).__reduce_ex__(5)[0]),
    )
}
# Bytes as the protocols before 3 write them: as text.
NUMPY["_codecs", "encode"] = lambda text, encoding: text.encode("latin1")


class Forbidden(Exception):
    """Names what a pickle asks for and does not get."""


class RestrictedUnpickler(pickle.Unpickler):
    """Loads nothing but what is `allowed`: what stands in for it, by its module and its name."""

    allowed: Mapping[tuple[str, str], Any] = NUMPY

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.allowed:
            raise Forbidden(f"{module}.{name}")
        return self.allowed[module, name]


def read_pickle(path: Path) -> Any:
    """Read a pickle of dicts, lists, tuples, text, numbers and NumPy arrays.

    Raises:
      UserError: if it cannot be read, or holds anything else; nothing of that is then loaded or run.
    """
    try:
        with path.open("rb") as file:
            return RestrictedUnpickler(file).load()
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    except Forbidden as error:
        raise UserError(
            f"{path}: asks for {error}; of pickles only dicts, lists, text, numbers and NumPy arrays are read"
        ) from None
    except Exception as error:  # a damaged pickle can fail in any way
        raise UserError(f"{path}: is no pickle that can be read: {error}") from error

"""Pickles of other programs, read without letting them run anything."""

import contextlib
import io
import pickle
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rgbd_jax.errors import UserError

# What rebuilds NumPy's arrays and scalars, by the names that versions 1 and 2 give it.
_ALLOWED = {("numpy", "ndarray"): np.ndarray, ("numpy", "dtype"): np.dtype} | {
    (f"numpy.{core}.{module}", value.__name__): value
    for core in ("core", "_core")
    for module, value in (
        ("multiarray", np.zeros(0).__reduce__()[0]),
        ("multiarray", np.float32(0).__reduce__()[0]),
        ("numeric", np.zeros(0).__reduce_ex__(5)[0]),
    )
}
# Bytes as the protocols before 3 write them: as text.
_ALLOWED["_codecs", "encode"] = lambda text, encoding: text.encode("latin1")


class Forbidden(Exception):
    """Names what a pickle asks for and does not get."""


class RestrictedUnpickler(pickle.Unpickler):
    """Loads nothing but what is `allowed`: what stands in for it, by its module and its name."""

    allowed: Mapping[tuple[str, str], Any] = _ALLOWED

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.allowed:
            raise Forbidden(f"{module}.{name}")
        return self.allowed[module, name]


@contextlib.contextmanager
def refusing(path: Path, *, what: str, allowed: str) -> Iterator[None]:
    """Turn what a restricted unpickler raises into a UserError that names the file.

    Args:
      what: the file is to be.
      allowed: what of such files is read.
    """
    try:
        yield
    except Forbidden as error:
        raise UserError(f"{path}: asks for {error}; {allowed} are read") from None
    except Exception as error:  # a damaged pickle can fail in any way
        raise UserError(f"{path}: is no {what} that can be read: {error}") from error


def read_pickle(path: Path) -> Any:
    """Read a pickle of dicts, lists, tuples, text, numbers and NumPy arrays.

    Raises:
      UserError: if it cannot be read, or holds anything else; nothing of that is then loaded or run.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    allowed = "of pickles only dicts, lists, text, numbers and NumPy arrays"
    with refusing(path, what="pickle", allowed=allowed):
        return RestrictedUnpickler(io.BytesIO(content)).load()

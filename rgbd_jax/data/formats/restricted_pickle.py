"""Pickles of numbers: arrays, lists, dicts and text. Anything else could run as a program when it is read."""

import os
import pickle
from pathlib import Path
from typing import Any

from rgbd_jax.errors import UserError

# By the names that NumPy 1 and NumPy 2 write.
_ALLOWED = {
    (module, name)
    for module, names in {
        "numpy": ("ndarray", "dtype"),
        "numpy.core.multiarray": ("_reconstruct", "scalar"),
        "numpy._core.multiarray": ("_reconstruct", "scalar"),
        "numpy.core.numeric": ("_frombuffer",),
        "numpy._core.numeric": ("_frombuffer",),
        "_codecs": ("encode",),  # bytes, of the old protocols
    }.items()
    for name in names
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it holds {module}.{name}; numbers, text and arrays are allowed")
        return super().find_class(module, name)


def read_pickle(path: str | os.PathLike) -> Any:
    """Read a pickle that holds nothing but numbers, text, containers and NumPy arrays.

    Raises:
      UserError: it cannot be read, is no pickle, or holds something else.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _Unpickler(file).load()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except Exception as error:  # a damaged pickle raises whatever it leads to
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: is no pickle of numbers ({reason})") from error

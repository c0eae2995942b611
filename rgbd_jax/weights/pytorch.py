"""Reading weights from files of PyTorch, without PyTorch and without letting them run anything.

Such a file is a zip archive: a pickle, and each storage of numbers in a file of its own. Of the pickle only
what makes tensors of storages is obeyed. A TorchScript program, as which CLIP is published, is an archive of
the same kind; its modules are read as what they hold, their code is not.
"""

import math
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from rgbd_jax.errors import UserError
from rgbd_jax.pickles import RestrictedUnpickler, refusing

_STORAGES = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "BFloat16Storage": jnp.bfloat16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}


class _Module:
    """What a module of TorchScript holds: tensors, other modules, and settings, in the dict of the object."""


def _tensor(
    storage: np.ndarray, offset: int, size: Sequence[int], stride: Sequence[int], *_: Any
) -> np.ndarray:
    """A view of a storage; the rest, whether it has a gradient, does not matter here."""
    if len(size) != len(stride) or min(offset, *size, *stride, 0) < 0:
        raise ValueError(f"found a tensor of shape {size} with strides {stride} from {offset} on")
    if math.prod(size):
        last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
        if last >= len(storage):
            raise ValueError(f"found a tensor up to number {last} of a storage of {len(storage)}")
    strides = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, strides, writeable=False)


class _Unpickler(RestrictedUnpickler):
    """Knows storages by the archive that the pickle lies in."""

    allowed = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _tensor,
        ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
    } | {("torch", name): np.dtype(dtype) for name, dtype in _STORAGES.items()}

    def __init__(self, archive: zipfile.ZipFile, root: str):
        super().__init__(archive.open(f"{root}data.pkl"))
        self._archive, self._root = archive, root
        self._storages: dict[str, np.ndarray] = {}

    def find_class(self, module: str, name: str) -> Any:
        return _Module if module.split(".")[0] == "__torch__" else super().find_class(module, name)

    def persistent_load(self, pid: Any) -> np.ndarray:
        _, dtype, key, *_ = pid
        if key not in self._storages:
            self._storages[key] = np.frombuffer(self._archive.read(f"{self._root}data/{key}"), dtype)
        return self._storages[key]


def read_pytorch(path: Path) -> dict[str, np.ndarray]:
    """All tensors of a file that holds a state dict or a TorchScript program, by their names.

    Raises:
      UserError: if it cannot be read, is no such file, or asks for more than that; nothing of it is then run.
    """
    try:
        archive = zipfile.ZipFile(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except zipfile.BadZipFile as error:
        raise UserError(
            f"{path}: is no file of weights ({error}); those of PyTorch, of version 1.6 or later, and"
            " .safetensors are read"
        ) from error
    allowed = "of PyTorch's files only tensors by their names"
    with archive, refusing(path, what="file of weights", allowed=allowed):
        root = archive.namelist()[0].split("/")[0] + "/"
        return dict(_named(_Unpickler(archive, root).load()))


def _named(group: Any, start: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """The tensors in nested dicts and modules, by the names on the way to them, joined by dots."""
    for name, value in (vars(group) if isinstance(group, _Module) else group).items():
        if isinstance(value, np.ndarray):
            yield f"{start}{name}", value
        elif isinstance(value, dict | _Module):
            yield from _named(value, f"{start}{name}.")

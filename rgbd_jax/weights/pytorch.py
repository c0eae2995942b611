"""Reading weights from files of PyTorch, without PyTorch and without letting them run anything.

Such a file is a zip archive: a pickle, and each storage of numbers in a file of its own. Of the pickle only
what makes tensors of storages is obeyed, and what makes numbers of NumPy, which stand in the state of an
optimizer. A TorchScript program, as which CLIP is published, is an archive of the same kind; its modules are
read as what they hold, their code is not. Before version 1.6 a file was several pickles, one behind the
other, and the storages after them.
"""

import abc
import io
import math
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import jax.numpy as jnp
import numpy as np

from rgbd_jax.errors import UserError
from rgbd_jax.pickles import NUMPY, Forbidden, RestrictedUnpickler, refusing

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


# A pickle may hold one group at many places, also within itself.
_MOST_GROUPS = 10_000

# What the older kind begins with.
_MAGIC = 0x1950A86A20F9469CFC6C


class _Dict(dict):
    """PyTorch's OrderedDict, without its attributes: which versions its modules have does not matter here."""

    def __setstate__(self, state: Any):
        pass


class _Module:
    """What a module of TorchScript holds: tensors, other modules, and settings, in the dict of the object."""


def _tensor(
    storage: np.ndarray, offset: int, size: Sequence[int], stride: Sequence[int], *_: Any
) -> np.ndarray:
    """A view of a storage; the rest, whether it has a gradient, does not matter here."""
    if not isinstance(storage, np.ndarray) or storage.ndim != 1 or not storage.flags.c_contiguous:
        raise ValueError("found a tensor of what is no storage")
    if len(size) != len(stride) or min(offset, *size, *stride, 0) < 0:
        raise ValueError(f"found a tensor of shape {size} with strides {stride} from {offset} on")
    if math.prod(size):
        last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
        if last >= len(storage):
            raise ValueError(f"found a tensor up to number {last} of a storage of {len(storage)}")
    strides = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, strides, writeable=False)


class _Unpickler(RestrictedUnpickler, abc.ABC):
    """Makes tensors of storages; where these are, the kind of the file says."""

    allowed = (
        NUMPY
        | {
            ("collections", "OrderedDict"): _Dict,
            ("torch._utils", "_rebuild_tensor_v2"): _tensor,
            ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
        }
        | {("torch", name): name for name in _STORAGES}
    )
    with_state = (*RestrictedUnpickler.with_state, _Dict, _Module)

    def __init__(self, pickle: BinaryIO):
        super().__init__(pickle)
        self.storages: dict[str, np.ndarray] = {}

    def find_class(self, module: str, name: str) -> Any:
        return _Module if module.split(".")[0] == "__torch__" else super().find_class(module, name)

    def persistent_load(self, pid: Any) -> np.ndarray:
        _, kind, key, _, count, *view = pid
        if key not in self.storages:
            self.storages[key] = self.storage(key, np.dtype(_STORAGES[kind]), count)
        if view and view[0] is not None:  # in old files, a storage may be a part of another
            _, offset, size = view[0]
            return self.storages[key][offset : offset + size]
        return self.storages[key]

    @abc.abstractmethod
    def storage(self, key: str, dtype: np.dtype, count: int) -> np.ndarray:
        """All numbers of a storage that the pickle names for the first time."""


class _Archive(_Unpickler):
    """Storages are files of the archive that the pickle lies in."""

    def __init__(self, archive: zipfile.ZipFile, size: int):
        self._archive, self._size = archive, size
        self._root = archive.namelist()[0].split("/")[0] + "/"
        super().__init__(io.BytesIO(self._read("data.pkl")))

    def storage(self, key: str, dtype: np.dtype, count: int) -> np.ndarray:
        del count
        return np.frombuffer(self._read(f"data/{key}"), dtype)

    def _read(self, name: str) -> bytes:
        """PyTorch compresses neither; where somebody did, what is small may become large without end."""
        if self._archive.getinfo(self._root + name).file_size > self._size:
            raise ValueError(f"found {name} larger than the file")
        return self._archive.read(self._root + name)


class _Sequence(_Unpickler):
    """Storages come after the pickle, and are empty until then."""

    def __init__(self, file: io.BytesIO):
        super().__init__(file)
        self._file, self._left = file, len(file.getbuffer())

    def load(self) -> Any:
        """What the pickle holds, once the storages behind it are read too."""
        content = super().load()
        for key in RestrictedUnpickler(self._file).load():
            storage = self.storages[key]
            count = int.from_bytes(self._file.read(8), "little")
            numbers = np.frombuffer(self._file.read(storage.nbytes), storage.dtype)
            if not count == len(storage) == len(numbers):
                raise ValueError(f"found {len(numbers)} of the {len(storage)} numbers of a storage")
            storage[:] = numbers
        return content

    def storage(self, key: str, dtype: np.dtype, count: int) -> np.ndarray:
        self._left -= count * dtype.itemsize
        if count < 0 or self._left < 0:
            raise ValueError("found a storage larger than the file")
        return np.zeros(count, dtype)


def load_pytorch(path: Path) -> Any:
    """What a file holds: dicts, lists, numbers and the like, with arrays for tensors.

    Raises:
      UserError: if it cannot be read, is no such file, or asks for more than that; nothing of it is then run.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    allowed = "of PyTorch's files only tensors by their names"
    with file, refusing(path, what="file of weights", allowed=allowed):
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                return _Archive(archive, os.fstat(file.fileno()).st_size).load()
        file.seek(0)
        content = io.BytesIO(file.read())
        if _starts_with_magic(content):
            for _ in range(2):  # the version of the format; the sizes of numbers on that machine
                RestrictedUnpickler(content).load()
            return _Sequence(content).load()
        raise ValueError("it is none of PyTorch, or ends early; these and .safetensors are read")


def _starts_with_magic(file: BinaryIO) -> bool:
    try:
        return RestrictedUnpickler(file).load() == _MAGIC
    except Forbidden:
        raise
    except Exception:
        return False


def read_pytorch(path: Path) -> dict[str, np.ndarray]:
    """All tensors of a file that holds a state dict or a TorchScript program, by their names.

    Raises:
      UserError: see `load_pytorch`; or if it holds something else.
    """
    content = load_pytorch(path)
    if not isinstance(content, dict | _Module):
        raise UserError(f"{path}: is no file of weights; found {type(content).__name__} in it, not a dict")
    return named_tensors(path, content)


def named_tensors(path: Path, content: Any) -> dict[str, np.ndarray]:
    """The tensors in nested dicts and modules, by the names on the way to them, joined by dots.

    Raises:
      UserError: of the file at `path`, if a group is in itself, or in others without end.
    """
    tensors, pending = {}, [("", content)]
    for _ in range(_MOST_GROUPS):
        if not pending:
            return tensors
        start, group = pending.pop()
        inner = []
        for name, value in (vars(group) if isinstance(group, _Module) else group).items():
            if isinstance(value, np.ndarray):
                tensors[f"{start}{name}"] = value
            elif isinstance(value, dict | _Module):
                inner.append((f"{start}{name}.", value))
        pending += reversed(inner)
    raise UserError(f"{path}: is no file of weights; found a group of tensors in itself, or without end")

"""Writing files that PyTorch loads, also with `weights_only=True`, without PyTorch.

Such a file is a zip archive, uncompressed: a pickle, and each tensor's numbers in a file of its own. NumPy's
arrays are pickled as what PyTorch rebuilds its tensors by, which Python's own pickler cannot do where PyTorch
is not installed: so the few instructions that this needs are written here one by one.
"""

import pickle
import struct
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

_STORAGES = {"float32": "FloatStorage", "int64": "LongStorage"}
_ROOT = "archive"


def write_pytorch(path: Path, content: Mapping[str, Any]) -> None:
    """Write nested dicts and lists of tensors, text, numbers, booleans and None.

    Args:
      content: tensors are NumPy arrays of the types float32 and int64.

    Raises:
      TypeError: for anything else.
    """
    pickler = _Pickler()
    body = pickle.PROTO + b"\x02" + pickler.dump(content) + pickle.STOP
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(f"{_ROOT}/data.pkl", body)
        archive.writestr(f"{_ROOT}/byteorder", "little")
        for key, tensor in enumerate(pickler.tensors):
            archive.writestr(f"{_ROOT}/data/{key}", tensor.astype(tensor.dtype.newbyteorder("<")).tobytes())
        archive.writestr(f"{_ROOT}/version", "3\n")


class _Pickler:
    """Pickles in protocol 2, as PyTorch does.

    Attributes:
      tensors: that were met, by the numbers that the pickle knows them by.
    """

    def __init__(self):
        self.tensors: list[np.ndarray] = []

    def dump(self, value: Any) -> bytes:
        """The instructions that put a value on the stack."""
        match value:
            case np.ndarray():
                return self._tensor(value)
            case dict():
                pairs = (self.dump(key) + self.dump(inner) for key, inner in value.items())
                return pickle.EMPTY_DICT + pickle.MARK + b"".join(pairs) + pickle.SETITEMS
            case list():
                return pickle.EMPTY_LIST + pickle.MARK + b"".join(map(self.dump, value)) + pickle.APPENDS
            case str():
                text = value.encode()
                return pickle.BINUNICODE + struct.pack("<I", len(text)) + text
            case None | bool():
                return {None: pickle.NONE, True: pickle.NEWTRUE, False: pickle.NEWFALSE}[value]
            case int():
                digits = pickle.encode_long(value)
                return pickle.LONG1 + bytes([len(digits)]) + digits
            case float():
                return pickle.BINFLOAT + struct.pack(">d", value)
        raise TypeError(f"found {type(value).__name__}; a file of weights cannot hold that")

    def _tensor(self, tensor: np.ndarray) -> bytes:
        """torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks)."""
        if tensor.dtype.name not in _STORAGES:
            raise TypeError(f"found a tensor of {tensor.dtype}; allowed are {', '.join(_STORAGES)}")
        key = str(len(self.tensors))
        self.tensors.append(np.ascontiguousarray(tensor))
        # In numbers, not bytes; a contiguous tensor of PyTorch counts axes of length 0 as 1.
        strides = np.cumprod([1, *(max(length, 1) for length in tensor.shape[:0:-1])])[::-1]
        storage = self._tuple(
            [
                self.dump("storage"),
                _global("torch", _STORAGES[tensor.dtype.name]),
                self.dump(key),
                self.dump("cpu"),
                self.dump(tensor.size),
            ]
        )
        arguments = [
            storage + pickle.BINPERSID,
            self.dump(0),
            self._tuple(map(self.dump, tensor.shape)),
            self._tuple(self.dump(int(stride)) for stride in strides[: tensor.ndim]),
            self.dump(False),
            _global("collections", "OrderedDict") + pickle.EMPTY_TUPLE + pickle.REDUCE,
        ]
        return _global("torch._utils", "_rebuild_tensor_v2") + self._tuple(arguments) + pickle.REDUCE

    @staticmethod
    def _tuple(items: Iterable[bytes]) -> bytes:
        return pickle.MARK + b"".join(items) + pickle.TUPLE


def _global(module: str, name: str) -> bytes:
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()

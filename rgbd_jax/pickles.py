"""Pickles of other programs, read without letting them run anything."""

import contextlib
import io
import math
import pickle
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from rgbd_jax.errors import UserError


class Forbidden(Exception):
    """Names what a pickle asks for and does not get."""


class _Dtype:
    """Stands in for NumPy's dtype: of numbers and text alone, and of its state only the byte order counts.

    NumPy trusts the states of its own types, with which a file could read and write any memory.
    """

    def __init__(self, name: str, *_: Any):
        if not isinstance(name, str) or np.dtype(name).kind not in "biufcSU":
            raise Forbidden(f"numpy.dtype({name!r})")
        self.dtype = np.dtype(name)
        if not self.dtype.itemsize:
            raise ValueError(f"found {name}, of which any number takes no bytes")

    def __setstate__(self, state: tuple):
        _, order, *_ = state
        self.dtype = self.dtype.newbyteorder(order)


class _Array(np.ndarray):
    """An array that takes its shape and its numbers from a pickle, once: later there may be views of it."""

    def __setstate__(self, state: tuple):
        _, shape, kind, is_fortran, content = state
        if self.size or not isinstance(kind, _Dtype) or not isinstance(content, bytes):
            raise ValueError("found an array that is filled with other than bytes, or filled twice")
        if math.prod(shape) * kind.dtype.itemsize != len(content):
            raise ValueError(f"found {len(content)} bytes for an array {kind.dtype} {shape}")
        super().__setstate__((1, shape, kind.dtype, is_fortran, content))


def _scalar(kind: _Dtype, content: bytes) -> np.generic:
    return np.frombuffer(content, kind.dtype, count=1)[0]


def _from_buffer(
    content: bytes | bytearray, kind: _Dtype, shape: tuple[int, ...], order: str, axes: Any = None
) -> np.ndarray:
    array = np.frombuffer(bytes(content), kind.dtype)
    return array.reshape(shape).transpose(axes) if order == "K" else array.reshape(shape, order=order)


# What stands in for what rebuilds NumPy's arrays and scalars, by the names that versions 1 and 2 give it.
NUMPY = {("numpy", "ndarray"): "ndarray", ("numpy", "dtype"): _Dtype} | {
    (f"numpy.{core}.{module}", name): value
    for core in ("core", "_core")
    for module, name, value in (
        ("multiarray", "_reconstruct", lambda *_: _Array((0,))),
        ("multiarray", "scalar", _scalar),
        ("numeric", "_frombuffer", _from_buffer),
    )
}
# Bytes as the protocols before 3 write them: as text.
NUMPY["_codecs", "encode"] = lambda text, encoding: text.encode("latin1")


class RestrictedUnpickler(pickle._Unpickler):
    """Loads nothing but what is `allowed`: what stands in for it, by its module and its name.

    It is Python's own, not the faster one in C, which makes room for whatever number of objects and bytes a
    pickle states: six bytes are enough to ask for all memory of a machine. From a file in memory no more is
    taken than there is.

    Attributes:
      allowed: what stands in for what a pickle may ask for.
      with_state: the classes whose instances may be given a state. A state of anything else, such as the
        functions of `allowed`, would change how later files are read.
    """

    allowed: Mapping[tuple[str, str], Any] = NUMPY
    with_state: tuple[type, ...] = (_Dtype, _Array)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.allowed:
            raise Forbidden(f"{module}.{name}")
        return self.allowed[module, name]

    def load_bytearray8(self) -> None:
        (length,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(length)))

    def load_build(self) -> None:
        kind = type(self.stack[-2])
        if kind not in self.with_state:
            raise Forbidden(f"a state of a {kind.__name__}")
        super().load_build()

    dispatch: ClassVar = {
        **pickle._Unpickler.dispatch,
        pickle.BYTEARRAY8[0]: load_bytearray8,
        pickle.BUILD[0]: load_build,
    }


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

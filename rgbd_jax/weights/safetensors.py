"""Reading weights from `.safetensors`: numbers alone, nothing to execute, so NumPy is enough.

The package `safetensors` gives NumPy no bfloat16.
"""

import math
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from rgbd_jax.errors import UserError
from rgbd_jax.json_lines import parse_json

_DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": jnp.bfloat16,
    "I64": np.int64,
    "I32": np.int32,
    "U8": np.uint8,
    "BOOL": np.bool_,
}


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """All tensors of a file by their names, read when they are used.

    Raises:
      UserError: if it cannot be read, is no such file, or ends early.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = parse_json(file.read(length)) if 2 <= length <= size - 8 else None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise UserError(f"{path}: is no .safetensors file ({error})") from error
    if not isinstance(header, dict):
        raise UserError(f"{path}: is no .safetensors file, or ends before its header does")
    header.pop("__metadata__", None)
    data = (
        np.memmap(path, np.uint8, mode="r", offset=8 + length) if size > 8 + length else np.zeros(0, np.uint8)
    )
    return {name: _tensor(path, data, name, entry) for name, entry in header.items()}


def _tensor(path: Path, data: np.ndarray, name: str, entry: dict) -> np.ndarray:
    try:
        dtype, shape = np.dtype(_DTYPES[entry["dtype"]]), tuple(map(_whole, entry["shape"]))
        start, end = map(_whole, entry["data_offsets"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path}: found {str(entry)[:80]} for {name}; allowed are the types {', '.join(_DTYPES)}"
        ) from error
    is_there = min(shape, default=0) >= 0 and 0 <= start <= end <= len(data)
    if not is_there or end - start != math.prod(shape) * dtype.itemsize:
        raise UserError(f"{path}: the bytes of {name} are not all there, {start} to {end} of {len(data)}")
    return np.frombuffer(data[start:end], dtype).reshape(shape)


def _whole(value: Any) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no whole number")
    return value

"""Programs as files that JAX alone can run: the only place that knows `jax.export`.

The file is a zip archive, not compressed, of two members:

    program.bin         StableHLO with all constants, as `jax.export.Exported.serialize` writes it
    description.json    what goes in, what comes out, what it was made with
"""

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax import export

from rgbd_jax.errors import UserError, one_line
from rgbd_jax.files import to_json
from rgbd_jax.json_lines import parse_json

# Of the description; counts up when a key gets another meaning.
FORMAT = 1
# Lowering for all of them needs none of them.
PLATFORMS = ("cpu", "cuda", "rocm", "tpu")

_PROGRAM, _DESCRIPTION = "program.bin", "description.json"


def compile_for_any_batch(
    function: Callable[[dict[str, jax.Array]], jax.Array],
    inputs: Mapping[str, jax.ShapeDtypeStruct],
) -> export.Exported:
    """Turn a function of named arrays into a program for any number of samples, on all `PLATFORMS`.

    Args:
      function: pure; what it has besides its arguments becomes part of the program.
      inputs: the arrays of one sample, without the batch axis, which comes first.
    """
    (batch,) = export.symbolic_shape("b")
    shapes = {
        name: jax.ShapeDtypeStruct((batch, *sample.shape), sample.dtype) for name, sample in inputs.items()
    }
    return export.export(jax.jit(function), platforms=PLATFORMS)(shapes)


def describe_program(program: export.Exported) -> dict[str, Any]:
    """`inputs` by name and `output`, each with its shape ("b" is the batch axis) and dtype; `platforms`."""
    (inputs,), _ = jax.tree.unflatten(program.in_tree, program.in_avals)
    (output,) = program.out_avals
    return {
        "inputs": {name: _described(array) for name, array in inputs.items()},
        "output": _described(output),
        "platforms": list(program.platforms),
    }


def write_archive(path: Path, program: export.Exported, description: Mapping[str, Any]) -> None:
    """Write a program and its description, to which `format` is added."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(_PROGRAM, program.serialize())
        archive.writestr(_DESCRIPTION, to_json({"format": FORMAT, **description}, indent=2) + "\n")


def read_archive(path: Path) -> tuple[Callable[[Mapping[str, np.ndarray]], jax.Array], dict[str, Any]]:
    """The program of a file, compiled anew for each size of batch, and its description.

    Raises:
      UserError: if it is no such file, or of a format that is not understood.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            description = parse_json(archive.read(_DESCRIPTION))
            serialized = bytearray(archive.read(_PROGRAM))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: cannot be read as an exported network ({one_line(error)})") from error
    if description["format"] != FORMAT:
        raise UserError(f"{path}: is of format {description['format']!r}; this version reads format {FORMAT}")
    return jax.jit(export.deserialize(serialized).call), description


def _described(array: Any) -> dict[str, Any]:
    shape = [side if isinstance(side, int) else str(side) for side in array.shape]
    return {"shape": shape, "dtype": array.dtype.name}

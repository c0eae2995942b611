"""Programs in files: for batches of any size and all platforms, with what they have besides arguments."""

import json
import zipfile

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rgbd_jax.errors import UserError
from rgbd_jax.stablehlo import PLATFORMS, compile_for_any_batch, describe_program, read_archive, write_archive

INPUTS = {
    "frames": jax.ShapeDtypeStruct((2, 3), jnp.uint8),
    "scale": jax.ShapeDtypeStruct((), jnp.float32),
}


@pytest.fixture(scope="module")
def program():
    weights = np.array([1, 10, 100], np.float32)

    def function(inputs):
        return inputs["scale"][:, None] * (inputs["frames"].astype(jnp.float32) @ weights)

    return compile_for_any_batch(function, INPUTS)


def test_a_program_is_read_back_and_takes_batches_of_any_size(program, tmp_path):
    path = tmp_path / "program.zip"
    write_archive(path, program, describe_program(program))
    run, description = read_archive(path)
    for size in (1, 4):
        frames = np.arange(size * 6, dtype=np.uint8).reshape(size, 2, 3)
        scale = np.arange(size, dtype=np.float32)
        expected = scale[:, None] * (frames @ np.array([1, 10, 100]))
        np.testing.assert_array_equal(run({"frames": frames, "scale": scale}), expected)
    assert description == {
        "format": 1,
        "inputs": {
            "frames": {"shape": ["b", 2, 3], "dtype": "uint8"},
            "scale": {"shape": ["b"], "dtype": "float32"},
        },
        "output": {"shape": ["b", 2], "dtype": "float32"},
        "platforms": list(PLATFORMS),
    }


def test_what_is_no_exported_network_is_refused(tmp_path):
    path = tmp_path / "a.zip"
    with pytest.raises(UserError, match=r"a\.zip: cannot be read as an exported network \(.*No such file"):
        read_archive(path)
    path.write_text("no archive")
    with pytest.raises(UserError, match=r"a\.zip: cannot be read as an exported network \(File is not a zip"):
        read_archive(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other", "")
    with pytest.raises(UserError, match=r"a\.zip: cannot be read .* no item named 'description.json'"):
        read_archive(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("description.json", json.dumps({"format": 2}))
        archive.writestr("program.bin", b"")
    with pytest.raises(UserError, match=r"a\.zip: is of format 2; this version reads format 1$"):
        read_archive(path)

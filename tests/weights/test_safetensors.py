"""Files of weights in the format of safetensors."""

import jax.numpy as jnp
import numpy as np
import pytest
from weight_files import write_safetensors

from rgbd_jax.errors import UserError
from rgbd_jax.weights.safetensors import read_safetensors

TENSORS = {
    "a.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a.half": np.arange(4, dtype=np.float16),
    "a.brain": np.arange(4).astype(jnp.bfloat16),
    "scale": np.array(2.5, np.float32),
    "count": np.array([7], np.int64),
}


def test_tensors(tmp_path):
    path = tmp_path / "model.safetensors"
    write_safetensors(path, TENSORS)
    read = read_safetensors(path)
    assert read.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        np.testing.assert_array_equal(read[name], tensor)
        assert (read[name].dtype, read[name].shape) == (tensor.dtype, tensor.shape)


def test_as_the_library_writes_them(tmp_path):
    library = pytest.importorskip("safetensors.numpy", exc_type=ImportError)
    path = tmp_path / "model.safetensors"
    library.save_file({name: TENSORS[name] for name in ("a.weight", "a.half", "count")}, path)
    np.testing.assert_array_equal(read_safetensors(path)["a.weight"], TENSORS["a.weight"])


@pytest.mark.parametrize(
    "changes, message",
    [
        (dict(dtype="F8_E4M3"), "for a.weight; allowed are the types F64, F32"),
        (dict(shape=[2, 4]), "the bytes of a.weight are not all there, 0 to 24"),
        (dict(data_offsets=[-24, 0]), "the bytes of a.weight are not all there"),
        (dict(data_offsets=[0]), "found {'dtype': 'F32'"),
    ],
)
def test_faulty_entries(tmp_path, changes, message):
    path = tmp_path / "model.safetensors"
    write_safetensors(path, TENSORS, **changes)
    with pytest.raises(UserError) as error:
        read_safetensors(path)
    assert str(error.value).startswith(str(path)) and message in str(error.value)


def test_a_file_that_ends_early(tmp_path):
    path = tmp_path / "model.safetensors"
    write_safetensors(path, TENSORS)
    whole = path.read_bytes()
    for size, message in (
        (len(whole) - 4, "count are not all"),
        (100, "ends before its header"),
        (0, "ends"),
    ):
        path.write_bytes(whole[:size])
        with pytest.raises(UserError, match=message):
            read_safetensors(path)


def test_no_such_file(tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(UserError, match="cannot be read"):
        read_safetensors(path)
    path.write_bytes((20).to_bytes(8, "little") + b"not the header of it")
    with pytest.raises(UserError, match=r"is no \.safetensors file"):
        read_safetensors(path)

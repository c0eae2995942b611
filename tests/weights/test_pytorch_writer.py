"""Files for PyTorch, written without it: what PyTorch reads in them, and what we do."""

import numpy as np
import pytest

from rgbd_jax.weights.pytorch import load_pytorch
from rgbd_jax.weights.pytorch_writer import write_pytorch

CONTENT = {
    "model": {
        "kernel": np.arange(24, dtype=np.float32).reshape(2, 3, 4).swapaxes(0, 2),
        "scalar": np.array(2.5, np.float32),
        "empty": np.zeros((0, 3), np.float32),
        "count": np.array(2**40, np.int64),
    },
    "optimizer": {"state": {}, "param_groups": [{"lr": 0.125, "nesterov": False, "params": [0, 1, 300]}]},
    "epoch": 100_000,
    "largest": -(2**40),
    "name": "é",
    "nothing": None,
}


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, dict):
            assert_equal(found[name], value)
        elif isinstance(value, np.ndarray):
            tensor = np.asarray(found[name])
            np.testing.assert_array_equal(tensor, value)
            assert (tensor.shape, tensor.dtype) == (value.shape, value.dtype)
        else:
            assert found[name] == value


def test_what_is_written_is_read(tmp_path):
    write_pytorch(tmp_path / "weights.pt", CONTENT)
    assert_equal(load_pytorch(tmp_path / "weights.pt"), CONTENT)


def test_what_pytorch_reads(tmp_path):
    torch = pytest.importorskip("torch", exc_type=ImportError)
    write_pytorch(tmp_path / "weights.pt", CONTENT)
    found = torch.load(tmp_path / "weights.pt", weights_only=True)
    assert_equal(found, CONTENT)
    assert found["model"]["kernel"].is_contiguous() and not found["model"]["kernel"].requires_grad
    found["model"]["kernel"] += 1  # the memory is its own


@pytest.mark.parametrize("value", [np.zeros(2), {1, 2}, np.float32(1)])
def test_other_things_are_refused(tmp_path, value):
    with pytest.raises(TypeError, match="found"):
        write_pytorch(tmp_path / "weights.pt", {"value": value})

"""Pickles are read as data and never run."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from rgbd_jax.errors import UserError
from rgbd_jax.pickles import read_pickle


# With the names of NumPy 1 up to protocol 3: their lengths are no part of these.
@pytest.mark.parametrize(
    "protocol, numpy_1", [*((protocol, False) for protocol in range(6)), *((p, True) for p in range(4))]
)
def test_data_of_every_protocol_is_read(tmp_path, protocol, numpy_1):
    data = {
        "array": np.arange(6, dtype=np.float32).reshape(2, 3),
        np.int64(3): [1, 2.5, None, True, "a", b"b"],
        (1, "é"): np.array(["x", "yz"]),
    }
    content = pickle.dumps(data, protocol=protocol)
    if numpy_1:
        content = content.replace(b"numpy._core", b"numpy.core")
        assert b"numpy.core" in content
    (tmp_path / "data.pkl").write_bytes(content)
    found = read_pickle(tmp_path / "data.pkl")
    assert found.keys() == data.keys()
    for key, value in data.items():
        np.testing.assert_equal(found[key], value)


class Asks:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("function", [Path.touch, eval, getattr, np.load, np.fromfile])
def test_nothing_is_run(tmp_path, function):
    path = tmp_path / "data.pkl"
    for protocol in range(6):
        path.write_bytes(pickle.dumps([Asks(function, Path(tmp_path / "made"))], protocol=protocol))
        with pytest.raises(UserError, match=f"^{re.escape(str(path))}: asks for .*NumPy arrays are read$"):
            read_pickle(path)
    assert [file.name for file in tmp_path.iterdir()] == ["data.pkl"]


def test_what_cannot_be_read_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nothing.pkl: there is no such file$"):
        read_pickle(tmp_path / "nothing.pkl")
    with pytest.raises(UserError, match=r"cannot be read \(Is a directory\)"):
        read_pickle(tmp_path)
    path = tmp_path / "data.pkl"
    content = pickle.dumps({"a": np.zeros(9)})
    for end in range(len(content)):
        path.write_bytes(content[:end])
        with pytest.raises(UserError, match=r"data.pkl: is no pickle that can be read: "):
            read_pickle(path)

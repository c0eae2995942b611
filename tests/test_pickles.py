"""Pickles are read as data and never run."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from rgbd_jax.errors import UserError
from rgbd_jax.pickles import NUMPY, read_pickle


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


RECONSTRUCT = np.zeros(0).__reduce__()[0]
OBJECTS = np.dtype(object)


class Forged(Asks):
    """Also gives what was called a state."""

    def __init__(self, state, function, *arguments):
        super().__init__(function, *arguments)
        self.call = (*self.call, state)


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(Asks(np.ndarray, (1,), OBJECTS, b"A" * 8), id="pointers"),
        pytest.param(
            Forged((1, (1,), OBJECTS, False, b"A" * 8), RECONSTRUCT, np.ndarray, (0,), b"b"), id="objects"
        ),
        pytest.param(
            Forged(
                (1, (1,), Forged((3, "|", None, ("a",), {"a": (OBJECTS, 0)}, 8, 1, 0), np.dtype, "V8"), False)
                + (b"A" * 8,),
                RECONSTRUCT,
                np.ndarray,
                (0,),
                b"b",
            ),
            id="fields",
        ),
        pytest.param(
            Forged((1, (99,), np.dtype("f4"), False, b"A" * 8), RECONSTRUCT, np.ndarray, (0,), b"b"),
            id="short",
        ),
        pytest.param(
            Forged((1, (1,), 4, False, b"AAAA"), RECONSTRUCT, np.ndarray, (0,), b"b"), id="no dtype"
        ),
        pytest.param(
            Forged((1, (2**40,), np.dtype("S0"), False, b""), RECONSTRUCT, np.ndarray, (0,), b"b"),
            id="no bytes",
        ),
    ],
)
@pytest.mark.parametrize("protocol", [2, 4])
def test_what_would_forge_memory_is_refused(tmp_path, forged, protocol):
    path = tmp_path / "data.pkl"
    path.write_bytes(pickle.dumps({"a": forged}, protocol=protocol))
    with pytest.raises(UserError, match=f"^{re.escape(str(path))}: "):
        read_pickle(path)


# As pickles name what is allowed, what is put on the stack and given the state ...
@pytest.mark.parametrize(
    "given",
    [
        pytest.param(b"cnumpy._core.multiarray\nscalar\n", id="function"),
        pytest.param(b"cnumpy\ndtype\n", id="class"),
        pytest.param(b"]", id="list"),
        pytest.param(pickle.dumps(np.float64(1), protocol=2)[2:-1], id="scalar"),
    ],
)
# ... in both ways: as a dict of the object, and as its attributes.
@pytest.mark.parametrize("state", [{"__defaults__": (1, 2)}, (None, {"__defaults__": (1, 2)})])
def test_what_later_files_are_read_with_is_given_no_state(tmp_path, given, state):
    path = tmp_path / "data.pkl"
    path.write_bytes(b"\x80\x02" + given + pickle.dumps(state, protocol=2)[2:-1] + b"b.")
    with pytest.raises(UserError, match=r"data.pkl: asks for a state of a \w+; of pickles only"):
        read_pickle(path)
    (function,) = {value for (_, name), value in NUMPY.items() if name == "scalar"}
    assert function.__defaults__ is None


def test_an_array_is_filled_once(tmp_path):
    """What looks at its memory would otherwise look at memory that was given back."""
    array = np.arange(3.0)
    again = pickle.dumps(array.__reduce__()[2], protocol=2)[2:-1] + b"b"  # its state, and BUILD
    (tmp_path / "data.pkl").write_bytes(pickle.dumps(array, protocol=2)[:-1] + again + b".")
    with pytest.raises(UserError, match=r"data.pkl: is no pickle that can be read: .* or filled twice"):
        read_pickle(tmp_path / "data.pkl")


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

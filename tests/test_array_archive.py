"""Archives take no more memory than they fill."""

import zipfile

import numpy as np
import pytest
from faults.malformed.case import numbers

from rgbd_jax.array_archive import ArrayArchive, Damaged


@pytest.mark.parametrize(
    ("shape", "dtype"), [((2**40,), "<U0"), ((2**40,), "|S0"), ((), "<U0"), ((2**40, 0), "<f4")]
)
def test_any_number_of_what_takes_no_bytes_is_refused(tmp_path, shape, dtype):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", numbers(shape, dtype))
    with ArrayArchive(path) as opened, pytest.raises(Damaged, match=r"^a.npy has nothing in its "):
        opened.open("a")


@pytest.mark.parametrize(
    "array", [np.zeros((0, 3), np.float32), np.array([], str), np.array(""), np.array(["", ""])]
)
def test_what_is_empty_as_numpy_writes_it_is_read(tmp_path, array):
    np.savez(tmp_path / "a.npz", a=array)
    with ArrayArchive(tmp_path / "a.npz") as opened:
        found = opened.read("a")
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)

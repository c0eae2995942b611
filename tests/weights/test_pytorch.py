"""Files of PyTorch, read without it: those that it writes itself where it is installed, and hostile ones."""

import os
import pickle
import warnings
import zipfile

import numpy as np
import pytest
from golden import motion_cases
from golden.weights import golden_array

from rgbd_jax.errors import UserError
from rgbd_jax.weights.pytorch import load_pytorch, read_pytorch
from rgbd_jax.weights.tensors import read_tensors


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", exc_type=ImportError)


@pytest.fixture
def network(torch):
    """Some layers; those in the middle hold their weights in another order and share a storage."""
    torch.manual_seed(0)
    layers = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4))
    whole = torch.arange(40.0)
    layers[1].weight = torch.nn.Parameter(whole[8:24].reshape(4, 4).T)
    layers[1].bias = torch.nn.Parameter(whole[4:8])
    return layers.eval()


def assert_holds(found, network):
    expected = network.state_dict()
    assert set(found) == set(expected)
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name], tensor.float().numpy())
        assert found[name].dtype.name == str(tensor.dtype).removeprefix("torch.")


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_a_state_dict(network, torch, dtype, tmp_path):
    network = network.to(getattr(torch, dtype))
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    assert_holds(read_tensors(tmp_path / "weights.pt"), network)


def test_parameters_within_a_dict(network, torch, tmp_path):
    torch.save({"model": dict(network.named_parameters()), "epoch": 3, "why": "no"}, tmp_path / "weights.pt")
    found = read_pytorch(tmp_path / "weights.pt")
    assert set(found) == {f"model.{name}" for name, _ in network.named_parameters()}


def test_a_torchscript_program(network, torch, tmp_path):
    """As which CLIP is published."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch would rather have us export
        torch.jit.save(torch.jit.trace(network, torch.zeros(2, 3)), str(tmp_path / "weights.pt"))
    assert_holds(read_pytorch(tmp_path / "weights.pt"), network)


@pytest.mark.parametrize("name, prefix", [("checkpoint_zip", ""), ("checkpoint_legacy", "module.")])
def test_what_the_published_program_saves(name, prefix):
    """As newer and as older versions of PyTorch write it, with numbers of NumPy beside the tensors."""
    case = motion_cases.described("checkpoint_format")
    content = load_pytorch(motion_cases.FOLDER / f"{name}.pth.tar")
    assert (content["epoch"], content["bestacc"]) == (12, 0.875)
    shapes = {prefix + tensor: shape for tensor, shape in case["params"]["shapes"]}
    assert content["model"].keys() == shapes.keys()
    for tensor, shape in shapes.items():
        found = content["model"][tensor]
        if tensor.endswith("num_batches_tracked"):
            assert found == 1234 and found.dtype == np.int64
        else:
            expected = golden_array(tensor.removeprefix(prefix), shape)
            np.testing.assert_array_equal(found, expected)
            assert (found.shape, found.dtype) == (expected.shape, np.float32)


@pytest.mark.parametrize("size", [48_000, 20_000, 600, 20])
def test_an_older_file_that_ends_early_is_refused(tmp_path, size):
    whole = (motion_cases.FOLDER / "checkpoint_legacy.pth.tar").read_bytes()
    (tmp_path / "short.pth.tar").write_bytes(whole[:size])
    with pytest.raises(UserError, match=r"short\.pth\.tar: is no file of weights"):
        load_pytorch(tmp_path / "short.pth.tar")


def test_an_older_file_with_too_large_a_storage_is_refused(tmp_path):
    pickles = [pickle.dumps(0x1950A86A20F9469CFC6C, 2), pickle.dumps(1001, 2), pickle.dumps({}, 2)]
    storage = b"}Vw\n(V" + b"storage\nctorch\nFloatStorage\nV0\nVcpu\nI1000000000\nNtQs."
    (tmp_path / "large.pt").write_bytes(b"".join(pickles) + storage)
    with pytest.raises(UserError, match=r"large\.pt: .*found a storage larger than the file"):
        load_pytorch(tmp_path / "large.pt")


class Hostile:
    """Makes a folder when it is loaded by an unpickler that allows it."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def archive(path, content, storages=()):
    """An archive as PyTorch writes it."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("weights/data.pkl", content)
        for key, numbers in enumerate(storages):
            file.writestr(f"weights/data/{key}", numbers.tobytes())
    return path


def tensor_pickle(offset, size, stride):
    """The pickle of {"w": a tensor in the storage 0}."""
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n"
    storage = b"(V" + b"storage\nctorch\nFloatStorage\nV0\nVcpu\nI6\ntQ"
    groups = ["".join(f"I{number}\n" for number in group) for group in (size, stride)]
    place = f"I{offset}\n({groups[0]}t({groups[1]}t".encode()
    return b"}Vw\n" + rebuild + b"(" + storage + place + b"I00\n}tRs."


def test_attributes_of_a_dict_do_not_get_in_the_way(tmp_path):
    """PyTorch gives its dicts `_metadata`; a file may give them anything."""
    content = b"\x80\x02ccollections\nOrderedDict\n)R}Vitems\nK\x05sb."
    assert read_pytorch(archive(tmp_path / "weights.pt", content)) == {}


def test_what_runs_programs_is_refused(tmp_path):
    path = archive(tmp_path / "weights.pt", pickle.dumps({"w": Hostile(tmp_path / "made")}))
    with pytest.raises(UserError, match=r"weights.pt: asks for posix.mkdir; of PyTorch's files only tensors"):
        read_pytorch(path)
    assert not (tmp_path / "made").exists()


def test_what_runs_programs_is_refused_in_an_older_file(tmp_path):
    magic = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
    for content in (
        magic + pickle.dumps(Hostile(tmp_path / "made")),
        pickle.dumps(Hostile(tmp_path / "made")),
    ):
        (tmp_path / "weights.pt").write_bytes(content)
        with pytest.raises(UserError, match=r"weights.pt: asks for posix.mkdir; of PyTorch's files"):
            read_pytorch(tmp_path / "weights.pt")
    assert not (tmp_path / "made").exists()


def test_a_tensor_is_a_view_of_its_storage(tmp_path):
    path = archive(
        tmp_path / "weights.pt", tensor_pickle(1, (2, 2), (1, 2)), [np.arange(6, dtype=np.float32)]
    )
    np.testing.assert_array_equal(read_pytorch(path)["w"], [[1, 3], [2, 4]])


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ((3, (2, 2), (1, 2)), "found a tensor up to number 6 of a storage of 6"),
        ((0, (2, 2), (-1, 2)), "found a tensor of shape"),
        ((-1, (2,), (1,)), "found a tensor of shape"),
        ((0, (2, 2), (1,)), "found a tensor of shape"),
    ],
)
def test_a_tensor_beyond_its_storage_is_refused(tmp_path, place, message):
    path = archive(tmp_path / "weights.pt", tensor_pickle(*place), [np.arange(6, dtype=np.float32)])
    with pytest.raises(UserError, match=f"weights.pt: is no file of weights that can be read: {message}"):
        read_pytorch(path)


def test_other_files_are_named(tmp_path):
    (tmp_path / "text.pt").write_text("weights")
    with pytest.raises(UserError, match="text.pt: is no file of weights"):
        read_pytorch(tmp_path / "text.pt")
    with pytest.raises(UserError, match="gone.pt: cannot be read"):
        read_pytorch(tmp_path / "gone.pt")
    with pytest.raises(UserError, match="empty.pt: is no file of weights"):
        read_pytorch(archive(tmp_path / "empty.pt", b""))

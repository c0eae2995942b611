"""Files of the published programs: which network they hold, and what stands beside the weights."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from golden import motion_cases, networks

from rgbd_jax.errors import UserError
from rgbd_jax.weights.published import (
    NETWORKS,
    Progress,
    all_counters,
    read_published,
    recognise,
    write_published,
)
from rgbd_jax.weights.pytorch_writer import write_pytorch

SPEC = Path(__file__).parents[1] / "golden" / "spec"
MANIFESTS = {
    "gap": ("gap_ucla_joint", "gap_ntu60_bone"),
    "ctrgcn": ("gap_ctrgcn_ntu60", "gap_ctrgcn_ntu120_fixed"),
    "baseline_gcn": ("gap_baseline_ucla",),
    "i3dwtrans": ("motion_i3dwtrans",),
    "fusionnet": ("motion_fusionnet",),
}


def entries(manifest):
    return json.loads((SPEC / f"{manifest}_manifest.json").read_text())["entries"]


@pytest.mark.parametrize("key", NETWORKS)
def test_each_network_is_recognised(key):
    for manifest in MANIFESTS[key]:
        assert recognise([name for name, _, _ in entries(manifest)]) == key
    assert recognise(["token_embedding.weight"]) is None


@pytest.mark.parametrize("manifest", [name for names in MANIFESTS.values() for name in names])
def test_counters_are_those_of_the_published_network(manifest):
    names = [name for name, _, _ in entries(manifest)]
    counters = {name for name in names if name.endswith("num_batches_tracked")}
    found = all_counters([name for name in names if name not in counters], {min(counters): 3}, 5)
    assert found == dict.fromkeys(counters, 5) | {min(counters): 3}


def test_the_text_encoder_is_told_by_a_name(tmp_path):
    tensors = {
        name.replace("ViT-B/32", "ViT-B/16"): np.zeros(shape, np.float32)
        for name, shape, _ in networks.manifest("ucla_joint")["entries"]
        if "linear_head" in name
    }
    write_pytorch(tmp_path / "weights.pt", tensors)
    found, progress = read_published(tmp_path / "weights.pt")
    assert found.keys() == tensors.keys()
    assert progress == Progress(names={"encoder": "ViT-B/16"})


@pytest.mark.parametrize("name", ["checkpoint_zip", "checkpoint_legacy"])
def test_what_stands_beside_the_weights(name):
    tensors, progress = read_published(motion_cases.FOLDER / f"{name}.pth.tar")
    assert "Conv3d_1a_7x7.conv3d.weight" in tensors
    counters = {"Conv3d_1a_7x7.bn.num_batches_tracked": 1234}
    assert progress == Progress(counters=counters, epochs=12, best_accuracy=0.875)


def test_what_is_no_number_is_passed_over(tmp_path):
    content = {"model": {"a": np.zeros(1, np.float32)}, "epoch": "last", "bestacc": np.array(0.5, np.float32)}
    write_pytorch(tmp_path / "weights.pt", content)
    _, progress = read_published(tmp_path / "weights.pt")
    assert (progress.epochs, progress.best_accuracy) == (None, 0.5)


@pytest.mark.parametrize(
    "tensors, message",
    [
        (
            {"module.a": np.float32(1), "a": np.float32(2)},
            "holds module.a, and the same without module.; one is needed",
        ),
        (
            {"bn.num_batches_tracked": np.array([1, 2])},
            "bn.num_batches_tracked: found int64 (2,); one integer is needed",
        ),
        (
            {"bn.num_batches_tracked": np.float32(0.5)},
            "bn.num_batches_tracked: found float32 (); one integer is needed",
        ),
    ],
)
def test_tensors_that_mean_two_things_or_nothing(tensors, message, tmp_path):
    write_pytorch(tmp_path / "a.pt", {name: np.array(tensor) for name, tensor in tensors.items()})
    with pytest.raises(UserError, match=re.escape(f"a.pt: {message}")):
        read_published(tmp_path / "a.pt")


def test_pytorch_loads_the_model_and_the_optimizer(tmp_path):
    """As the program of MotionRGBD does when it is asked to go on."""
    torch = pytest.importorskip("torch", exc_type=ImportError)
    network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    tensors = {
        name: np.full(tensor.shape, 2, np.float32)
        for name, tensor in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    settings = {"lr": 0.25, "momentum": 0.9, "dampening": 0, "weight_decay": 3e-4, "nesterov": False}
    progress = Progress(counters=all_counters(tensors, {}, 77), epochs=9)
    write_published(tmp_path / "weights.pth.tar", NETWORKS["i3dwtrans"], tensors, progress, settings)
    found = torch.load(tmp_path / "weights.pth.tar", weights_only=True)
    network.load_state_dict(found["model"], strict=True)
    assert network[1].num_batches_tracked == 77 and bool((network[1].running_var == 2).all())
    optimizer = torch.optim.SGD(network.parameters(), lr=1.0)
    optimizer.load_state_dict(found["optimizer"])
    assert optimizer.param_groups[0]["lr"] == 0.25
    assert (found["epoch"], found["bestacc"]) == (9, 0.0)

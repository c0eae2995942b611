"""Published weights through files: into a checkpoint, evaluated by its path alone, and back to the bit."""

import json
import shutil

import jax
import numpy as np
import pytest
from flax import nnx
from golden import motion_cases, networks
from golden.motion_networks import compute, jit_network
from golden.weights import golden_array

from rgbd_jax import published_config
from rgbd_jax.config import from_dict, load_file, override
from rgbd_jax.convert import main
from rgbd_jax.data.builders import builder_class, synthetic
from rgbd_jax.data.random_clips import configured_shape
from rgbd_jax.errors import UserError
from rgbd_jax.main import main as evaluate
from rgbd_jax.skeleton_layouts import LAYOUTS
from rgbd_jax.tasks import make_task
from rgbd_jax.training import sharding
from rgbd_jax.training.checkpoint import Description, describe, load_weights, save_weights
from rgbd_jax.training.state import Network
from rgbd_jax.weights.inverse import invert
from rgbd_jax.weights.published import NETWORKS, all_counters
from rgbd_jax.weights.pytorch import load_pytorch, read_pytorch
from rgbd_jax.weights.pytorch_writer import write_pytorch

GAP = "configs/gap/"
# By the published network: our config, and the file's clip, (B, C, T, V, M).
SKELETONS = {
    "ucla_joint": (f"{GAP}nw_ucla.py:joint", (2, 3, 52, 20, 1)),
    "ucla_bone": (f"{GAP}nw_ucla.py:bone", (2, 3, 52, 20, 1)),
    "ctrgcn_ntu120_fixed": (f"{GAP}ntu120_xsub.py:joint,plain", (2, 3, 64, 25, 2)),
    "ctrgcn_ntu60": (f"{GAP}ntu60_xsub.py:joint,plain", (2, 3, 64, 25, 2)),
    "ntu60_joint": (f"{GAP}ntu60_xsub.py:joint", (2, 3, 64, 25, 2)),
    "ntu60_bone": (f"{GAP}ntu60_xview.py:bone", (2, 3, 64, 25, 2)),
}
SMALL = ("--config.model.num_blocks=3", "--config.model.frames=(4, 8, 12)")
VIDEOS = {
    "i3d_small": ("configs/rgbd/ntu_cs.py:rgb", SMALL),
    "i3d_nv64_25cls": ("configs/rgbd/nvgesture.py:depth", ()),
    "fusionnet_small": ("configs/rgbd/ntu_cs.py:fusion", SMALL),
    "fusionnet_ntu64": ("configs/rgbd/ntu_cs.py:fusion", ()),
}


def with_counters(tensors):
    """With counters that differ, as they may where a trunk was trained before; the reference has zeros."""
    names = [name for name in tensors if name.endswith("num_batches_tracked")]
    return tensors | {name: np.array(100 + i, np.int64) for i, name in enumerate(names)}


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name], tensor, err_msg=name)
        assert (found[name].shape, found[name].dtype) == (tensor.shape, tensor.dtype), name


def scores_of(checkpoint, inputs, *, double=False):
    """The logits that an evaluation of the checkpoint finds, by branch."""
    description = describe(checkpoint)
    config = from_dict(description.config)
    assert description.class_names == builder_class(config.data.name).CLASS_NAMES
    task = make_task(config, configured_shape(config.data))
    network = Network(task.network(nnx.Rngs(0)))
    placement = sharding.replicated(sharding.make_mesh(jax.devices()[:1]))
    weights = load_weights(checkpoint, network.params, network.batch_stats, placement)

    @jit_network
    def run(weights, inputs):
        outputs, _ = network.apply(*weights, inputs, train=False)
        return task.logits(outputs, np.int32(description.epoch))

    return compute(run, jax.device_get(weights), inputs, double=double)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if name != "ucla_joint" else []) for name in SKELETONS],
)
def test_skeletons(name, golden, tmp_path):
    config, shape = SKELETONS[name]
    layout = LAYOUTS["ucla20" if "ucla" in name else "ntu25"]
    tensors = with_counters(networks.network_weights(name, layout))
    source, checkpoint, back = (tmp_path / path for path in ("runs-110-700.pt", "checkpoint", "back.pt"))
    write_pytorch(source, tensors)
    main(["to_orbax", f"--config={config}", str(source), str(checkpoint)])
    clip = golden_array(f"model/{name}/x", shape, "normal").transpose(0, 2, 4, 3, 1)
    found, expected = scores_of(checkpoint, clip)["logits"], golden(f"gap/model_{name}.npz")["logits"]
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
    main(["to_torch", str(checkpoint), str(back)])
    assert_same(read_pytorch(back), tensors)


@pytest.mark.slow
@pytest.mark.parametrize("name", VIDEOS)
def test_videos(name, tmp_path):
    """As the published program saves them, from several devices and with what else a file holds."""
    config, overrides = VIDEOS[name]
    case = motion_cases.load(name)
    tensors = with_counters(
        {
            tensor: value.astype(np.int64) if tensor.endswith("num_batches_tracked") else value
            for tensor, value in case.weights.items()
        }
    )
    source, checkpoint, back = (
        tmp_path / path for path in ("model_best.pth.tar", "checkpoint", "back.pth.tar")
    )
    epochs = case.params.get("epoch", 0) + 1
    content = {
        "model": {f"module.{tensor}": value for tensor, value in tensors.items()},
        "optimizer": {
            "state": {"0": {"momentum_buffer": np.ones(3, np.float32)}},
            "param_groups": [{"lr": 0.1}],
        },
        "epoch": epochs,
        "bestacc": 0.875,
    }
    write_pytorch(source, content)
    try:
        main(["to_orbax", f"--config={config}", str(source), str(checkpoint), *overrides])
        if "fusion" in name:
            inputs = {
                modality: {"clip": case.inputs[modality], "heat": case.inputs[f"{modality}_heat"]}
                for modality in ("rgb", "depth")
            }
        else:
            inputs = {"clip": case.inputs["x"], "heat": case.inputs["g"]}
        for branch, logits in scores_of(checkpoint, inputs, double=case.near_tie).items():
            case.check(f"{branch}_eval" if "fusion" in name else branch, logits)
        main(["to_torch", str(checkpoint), str(back)])
        written = load_pytorch(back)
    finally:
        shutil.rmtree(tmp_path)  # of hundreds of megabytes
    assert_same(written["model"], tensors)
    assert (written["epoch"], written["bestacc"]) == (epochs, 0.875)
    assert len(written["optimizer"]["param_groups"][0]["params"]) == len(tensors) - 3 * sum(
        tensor.endswith("num_batches_tracked") for tensor in tensors
    )


CONFIG = "--config=configs/demo.py:debug"
BASELINE = "--config.model.name=baseline_gcn"


def baseline_config():
    config = load_file("configs/demo.py:debug")
    config.model.name = "baseline_gcn"
    return config


def fresh_tensors(config, key):
    """What the published program would call the tensors of a new network."""
    network = Network(make_task(config, configured_shape(config.data)).network(nnx.Rngs(3)))
    variables = {"params": network.params, "batch_stats": network.batch_stats}
    tensors = invert(variables, NETWORKS[key].rules)
    counters = all_counters(tensors, {}, 42)
    return tensors | {name: np.array(count, np.int64) for name, count in counters.items()}


@pytest.fixture(scope="module")
def weights():
    """Of a small baseline GCN of the demo's classes."""
    return fresh_tensors(baseline_config(), "baseline_gcn")


@pytest.fixture
def file(weights, tmp_path):
    """Writes the weights with some changed (None: left out), and gives the path."""

    def file(**changes):
        tensors = {name: tensor for name, tensor in (weights | changes).items() if tensor is not None}
        write_pytorch(tmp_path / "weights.pt", tensors)
        return str(tmp_path / "weights.pt")

    return file


@pytest.fixture
def any_size(monkeypatch):
    """Networks so small are none of the published program's."""
    monkeypatch.setattr(published_config, "_SIZES", {})


@pytest.fixture
def refused(tmp_path):
    """The message with which a conversion to `out` is refused; nothing is left there."""

    def refused(direction, *arguments):
        with pytest.raises(UserError) as error:
            main([direction, *map(str, arguments), str(tmp_path / "out")])
        assert not (tmp_path / "out").exists()
        assert "\n" not in str(error.value)
        return str(error.value)

    return refused


def test_a_converted_folder_is_evaluated_by_its_path_alone(file, tmp_path, monkeypatch, capsys, any_size):
    monkeypatch.setattr(synthetic, "CLIPS_PER_ACTION", {"train": 1, "test": 2})
    data = f"--config.data.data_dir={tmp_path / 'data'}"
    source, folder = file(), tmp_path / "converted"
    main(["to_orbax", CONFIG, BASELINE, data, source, str(folder)])
    said = capsys.readouterr().out
    assert "the baseline GCN, " in said and f"--checkpoint={folder}" in said
    evaluate(["--mode=eval", f"--checkpoint={folder}"])
    metrics = json.loads((folder / "eval" / "metrics.json").read_text())
    assert metrics["count"] == 16 and metrics["checkpoint_step"] == 42
    main(["to_torch", str(folder), str(tmp_path / "back.pt")])
    assert_same(read_pytorch(tmp_path / "back.pt"), read_pytorch(tmp_path / "weights.pt"))


@pytest.mark.parametrize("modality, key", [("depth", "i3dwtrans"), ("fusion", "fusionnet")])
def test_small_video_networks(modality, key, tmp_path, any_size):
    config = f"configs/demo_rgbd.py:{modality},debug"
    tensors = fresh_tensors(load_file(config), key)
    source, folder, back = (tmp_path / path for path in ("first.pth.tar", "converted", "back.pth.tar"))
    model = {f"module.{name}": tensor for name, tensor in tensors.items()}
    write_pytorch(source, {"model": model, "optimizer": {}, "epoch": 31, "bestacc": 0.5})
    main(["to_orbax", f"--config={config}", str(source), str(folder)])
    assert (describe(folder).epoch, describe(folder).step) == (30, 42)
    main(["to_torch", str(folder), str(back)])
    written = load_pytorch(back)
    assert_same(written["model"], tensors)
    assert (written["epoch"], written["bestacc"]) == (31, 0.5)


def test_the_report_says_what_went_where(file, weights, tmp_path, any_size):
    folder = tmp_path / "converted"
    main(["to_orbax", CONFIG, BASELINE, file(), str(folder)])
    main(["to_torch", str(folder), str(tmp_path / "back.pt")])
    counters = sum(name.endswith("num_batches_tracked") for name in weights)
    for path in (folder / "conversion.json", tmp_path / "back.pt.json"):
        report = json.loads(path.read_text())
        assert report["network"] == "the baseline GCN"
        assert (
            sum(rule["tensors"] for rule in report["rules"])
            == report["num_tensors"]
            == len(weights) - counters
        )
        assert {"torch": r"fc\.weight", "ours": "params/classifier/kernel", "tensors": 1} in report["rules"]
        assert report["ignored"] == {".*num_batches_tracked": counters}


def test_what_was_trained_here_counts_its_steps(weights, tmp_path, any_size):
    config = baseline_config()
    shape = configured_shape(config.data)
    network = Network(make_task(config, shape).network(nnx.Rngs(3)))
    names = tuple(map(str, range(shape.num_classes)))
    description = Description(config.to_dict(), names, loader={}, step=7, epoch=1)
    save_weights(tmp_path / "run" / "checkpoints" / "7", network.params, network.batch_stats, description)
    main(["to_torch", str(tmp_path / "run"), str(tmp_path / "back.pt")])
    expected = {
        name: np.array(7, np.int64) if name.endswith("num_batches_tracked") else tensor
        for name, tensor in weights.items()
    }
    assert_same(read_pytorch(tmp_path / "back.pt"), expected)


def test_one_message_names_the_renamed_the_reshaped_and_the_missing(file, weights, refused):
    changes = {
        "l1.gcn1.bn.weight": None,
        "l1.gcn1.bn.wait": weights["l1.gcn1.bn.weight"],
        "fc.weight": weights["fc.weight"].T,
        "data_bn.bias": None,
    }
    message = refused("to_orbax", CONFIG, BASELINE, file(**changes))
    assert "weights.pt: the weights do not fit the network" in message
    for part in (
        "l1.gcn1.bn.wait: 0 rules match it",
        "params/blocks/0/spatial/norm/scale: no tensor fills it",
        "fc.weight: gives (10, 32) for params/classifier/kernel, which is (32, 10)",
        "params/input_norm/bias: no tensor fills it",
    ):
        assert part in message
    missing = message.partition("; missing in the file: ")[2].split(", ")
    assert sorted(missing) == ["data_bn.bias", "l1.gcn1.bn.weight"]


@pytest.mark.parametrize(
    ("config", "overrides", "names", "needed"),
    [
        ("ntu120_xsub.py:joint,plain", (), ("l1.gcn1.alpha",), {"model.adaptive": False}),
        ("ntu120_xsub.py:joint", (), ("l1.gcn1.PA", "part_list.0.weight"), {"text.width": 512}),
        ("nw_ucla.py:bone", (), ("l1.gcn1.PA",), {"parity": ("ucla_bones",)}),
        ("nw_ucla.py:joint", ("parity=('all',)",), ("l1.gcn1.PA",), {"model.k": 6}),
        ("nw_ucla.py:joint", ("model.k=7", "parity=('ucla_bones',)"), ("l1.gcn1.PA",), {}),
    ],
)
def test_what_the_weights_need(config, overrides, names, needed):
    config = override(load_file(GAP + config), [f"--config.{text}" for text in overrides])
    tensors = dict.fromkeys(names, np.zeros((512, 1)))
    assert published_config.needed_keys(config, tensors) == needed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (CONFIG,),
            "holds weights of the baseline GCN; found config.model.name='ctrgcn', which is for CTR-GCN",
        ),
        (
            ("--config=configs/demo_rgbd.py:depth,debug",),
            "found config.task.name='rgbd', which is for I3DWTrans",
        ),
        (
            ("--config=configs/gap/nw_ucla.py:all,plain",),
            "config.task.stream='all': a published file holds one",
        ),
        ((CONFIG, BASELINE, "--config.data.name=custom"), "custom is not prepared there"),
        ((), "--config is missing"),
        ((CONFIG, "--which=best"), "--which=best: allowed only with to_torch"),
    ],
)
def test_a_config_that_does_not_fit(file, refused, arguments, message):
    assert message in refused("to_orbax", *arguments, file())


def test_sources_that_are_none(tmp_path, refused):
    write_pytorch(tmp_path / "other.pt", {"a.weight": np.zeros(2, np.float32)})
    write_pytorch(tmp_path / "empty.pt", {"epoch": 3})
    write_pytorch(tmp_path / "list.pt", [1, 2])
    for name, message in (
        ("other.pt", "holds weights of none of FusionNet, I3DWTrans, GAP"),
        ("empty.pt", "holds no tensors by their names"),
        ("list.pt", "found list; a dict of tensors"),
        ("gone.pt", "cannot be read"),
        ("", "cannot be read"),
    ):
        assert message in refused("to_orbax", CONFIG, tmp_path / name)


def test_what_the_published_programs_do_not_know(file, tmp_path, refused):
    main(["to_orbax", CONFIG, BASELINE, file(), str(tmp_path / "converted")])
    message = refused("to_torch", tmp_path / "converted")
    assert "config.model.base_width=8: the published program of the baseline GCN would not load" in message
    assert "there is no such folder" in refused("to_torch", tmp_path / "gone")
    assert "there is no such folder" in refused("to_torch", tmp_path / "weights.pt")
    for direction, source in (("to_orbax", "weights.pt"), ("to_torch", "converted")):
        with pytest.raises(UserError, match=r"converted: exists already; give a new name"):
            main([direction, CONFIG, BASELINE, str(tmp_path / source), str(tmp_path / "converted")])


def test_text_heads_of_another_width(tmp_path, refused):
    """Those that vectors of the project's own encoder teach."""
    config = load_file("configs/gap/nw_ucla.py:joint")
    description = Description(config.to_dict(), ("a",), loader={}, step=7, epoch=1)
    save_weights(tmp_path / "run", {"w": np.zeros(1)}, {"w": np.zeros(1)}, description)
    assert "config.text.width=384: the published program of GAP" in refused("to_torch", tmp_path / "run")


def test_a_checkpoint_of_another_version_is_refused(file, tmp_path, refused):
    main(["to_orbax", CONFIG, BASELINE, file(), str(tmp_path / "converted")])
    metadata = tmp_path / "converted" / "_CHECKPOINT_METADATA"
    text = metadata.read_text()
    assert '"format": 2' in text
    metadata.write_text(text.replace('"format": 2', '"format": 9'))
    (tmp_path / "converted" / "checksums.json").unlink()
    assert "is of format 9; this version reads format 2" in refused("to_torch", tmp_path / "converted")

"""Every config builds, and its debug variant takes two steps."""

import itertools
import json
from pathlib import Path

import jax
import pytest
from flax import nnx

from rgbd_jax.bench import main as bench
from rgbd_jax.config import load_file, override, parity
from rgbd_jax.data.builders import synthetic
from rgbd_jax.data.random_clips import configured_shape, random_batch
from rgbd_jax.errors import UserError
from rgbd_jax.experiment import Experiment, make_schedule
from rgbd_jax.main import main as train
from rgbd_jax.streams import ALL, STREAMS
from rgbd_jax.tasks import make_task
from rgbd_jax.training import sharding
from rgbd_jax.training.flops import count_flops
from rgbd_jax.training.state import Network, named_leaves

NTU = [f"configs/gap/{name}.py" for name in ("ntu60_xsub", "ntu60_xview", "ntu120_xsub", "ntu120_xset")]
SKELETONS = ["configs/gap/nw_ucla.py", *NTU]
OWN_SKELETONS = [f"configs/gap/custom.py:{stream}" for stream in (*STREAMS, ALL)]
VIDEO = [
    f"configs/rgbd/{name}.py" for name in ("fine_tune", "ntu_cs", "ntu_cv", "isogd", "nvgesture", "thu_read")
]
FILES = sorted(map(str, Path("configs").rglob("*.py")))
ZERO_SHOT = [f"configs/gap/zero_shot.py:{pair}" for pair in ("wave_kick", "march_push", "kick_raise")]
VARIANTS = [
    "configs/demo.py",
    *ZERO_SHOT,
    *OWN_SKELETONS,
    "configs/gap/custom.py:joint,text",
    "configs/rgbd/jester.py:rgb",
    *map("".join, itertools.product(SKELETONS, ":", (*STREAMS, ALL), ("", ",plain"))),
    *(f"{file}:{modality}" for file, modality in itertools.product(VIDEO, ("rgb", "depth", "fusion"))),
    *(f"configs/demo_rgbd.py:{modality}" for modality in ("rgb", "depth", "fusion")),
]
# As published, of those variants whose count is on record.
PARAMETERS = {f"configs/gap/nw_ucla.py:{stream},plain": 1_426_892 for stream in STREAMS}
PARAMETERS |= {f"configs/gap/ntu60_xsub.py:{stream},plain": 1_446_672 for stream in STREAMS}
# GAP's heads are 512 wide as published, and as wide as the text vectors here: 384.
PARAMETERS |= {f"configs/gap/ntu60_xsub.py:{stream}": 2_104_597 - 5 * 128 * 257 for stream in STREAMS}
PARAMETERS |= {
    f"configs/gap/{file}.py:all{flag}": 4 * PARAMETERS[f"configs/gap/{file}.py:joint{flag}"]
    for file, flag in (("nw_ucla", ",plain"), ("ntu60_xsub", ",plain"), ("ntu60_xsub", ""))
}
PARAMETERS |= {f"configs/rgbd/ntu_cs.py:{modality}": 38_196_822 for modality in ("rgb", "depth")}
PARAMETERS |= {"configs/rgbd/ntu_cs.py:fusion": 79_828_412}


def test_no_config_file_is_forgotten_here():
    assert sorted({variant.partition(":")[0] for variant in VARIANTS}) == FILES


@pytest.mark.parametrize("file", FILES)
def test_a_config_file_needs_no_choice(file):
    first = load_file(next(variant for variant in VARIANTS if variant.startswith(file)))
    assert load_file(file) == first
    small = load_file(f"{file}:debug")
    assert small.data.limit == 16
    assert (small.task.name, small.data.get("modalities")) == (first.task.name, first.data.get("modalities"))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_config_builds_its_network(variant):
    config = override(load_file(variant), [])
    task = make_task(config, configured_shape(config.data))
    network = Network(task.network(nnx.Rngs(0)))
    count = sum(leaf.size for leaf in jax.tree.leaves(network.params))
    assert count == PARAMETERS[variant] if variant in PARAMETERS else count > 1e4
    # A step would return another type than it took, and be compiled a second time.
    weak = [name for name, leaf in named_leaves(network.params).items() if getattr(leaf, "weak_type", False)]
    assert weak == []
    if ":" in variant and variant not in ZERO_SHOT:
        seen = variant.partition(":")[2].partition(",")[0]
        assert task.view == ("+".join(STREAMS) if seen == ALL else seen)


def test_the_debug_variant_trains_two_steps(tmp_path, monkeypatch):
    """On one device, for which the step compiles sooner. The data are generated on the way, only fewer."""
    monkeypatch.setattr(synthetic, "CLIPS_PER_ACTION", {"train": 2, "test": 1})
    one_device = sharding.make_mesh(jax.devices()[:1])
    monkeypatch.setattr(sharding, "make_mesh", lambda devices=None, fsdp=1: one_device)
    train(
        ["--config=configs/demo.py:debug", f"--workdir={tmp_path / 'run'}"]
        + [f"--config.data.data_dir={tmp_path / 'data'}"]
    )
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [(row["kind"], row["split"], row["step"]) for row in rows] == [
        ("step", "train", 1),
        ("step", "train", 2),
        ("epoch", "train", 2),
        ("epoch", "valid", 2),
    ]


# Video takes minutes to compile; the other variants for skeletons differ little from this one.
QUICK = ("configs/gap/nw_ucla.py:joint",)


def debug_variant(variant):
    marks = [] if variant in QUICK else [pytest.mark.slow]
    return pytest.param(f"{variant}{',' if ':' in variant else ':'}debug", marks=marks)


@pytest.mark.parametrize("variant", [debug_variant(variant) for variant in VARIANTS])
def test_the_debug_variant_takes_two_steps(variant, tmp_path, capsys):
    """Through the benchmark, which needs no data set; it does the same step as training."""
    with jax.numpy_dtype_promotion("standard"):  # Optax counts the steps of Adam in integers
        bench(
            [f"--config={variant}", "--steps=2", f"--json={tmp_path / 'bench.json'}"]
            + [f"--config.data.data_dir={tmp_path}"]
        )
    figures = json.loads((tmp_path / "bench.json").read_text())
    assert set(figures) == {
        "samples_per_s",
        "step_seconds",
        "step_seconds_range",
        "first_step_seconds",
        "compile_seconds",
        "peak_memory_bytes",
        "parameters",
        "flops_per_step",
        "flops_per_s",
        "peak_flops_per_s",
        "peak_is",
        "share_of_peak",
        "prediction_seconds",
        "prediction_samples_per_s",
        "flops_per_prediction",
        "input_samples_per_s",
        "data_wait",
        "device",
        "versions",
    }
    assert figures["samples_per_s"] == pytest.approx(8 / figures["step_seconds"])
    fast, slow = figures["step_seconds_range"]
    assert 0 < fast <= figures["step_seconds"] <= slow
    assert figures["first_step_seconds"] > figures["compile_seconds"] > 0
    assert figures["flops_per_s"] == pytest.approx(figures["flops_per_step"] / figures["step_seconds"])
    assert figures["peak_is"] == "measured"
    assert figures["share_of_peak"] == pytest.approx(figures["flops_per_s"] / figures["peak_flops_per_s"])
    assert 0 < figures["share_of_peak"] < 1
    assert figures["prediction_samples_per_s"] == pytest.approx(8 / figures["prediction_seconds"])
    assert figures["flops_per_step"] > 2 * figures["flops_per_prediction"] > 1e5
    assert figures["parameters"] > 1e4 and figures["peak_memory_bytes"] > 1e6
    assert figures["input_samples_per_s"] is None and figures["data_wait"] is None
    assert "steps/s" in capsys.readouterr().out


def test_flops_are_those_of_the_whole_step_also_when_it_accumulates():
    def flops(*overrides):
        config = override(load_file("configs/demo.py:debug"), ["--config.batch_size=16", *overrides])
        shape, mesh = configured_shape(config.data), sharding.make_mesh()
        experiment = Experiment.build(config, shape, 1, mesh)
        batch = sharding.put_batch(random_batch(shape, config.batch_size), mesh)
        return count_flops(experiment.compiled_step().trace(experiment.initial_state(), batch).jaxpr)

    assert flops("--config.accumulate=2") == flops()


@pytest.mark.parametrize(
    "override_text, message",
    [
        ("--config.model.name=resnet", "config.model.name='resnet': allowed are ctrgcn, gap, baseline_gcn"),
        ("--config.model.layout=coco18", "config.model.layout='coco18': allowed are ntu25, ucla20, coco17"),
        ("--config.task.feeder=nyu", "config.task.feeder='nyu': allowed are ntu, ucla"),
        ("--config.task.stream=bones", "config.task.stream='bones': allowed are joint, bone"),
        ("--config.task.name=video", "config.task.name='video': allowed are skeleton, rgbd, fusion"),
    ],
)
def test_a_value_that_is_not_allowed_is_named(override_text, message):
    config = override(load_file("configs/demo.py"), [override_text])
    with pytest.raises(UserError, match=message):
        make_task(config, configured_shape(config.data))


@pytest.mark.parametrize(
    "overrides, message",
    [
        (
            ["--config.model.layout=ucla20"],
            "config.model.layout: is for 20 joints; the data set synthetic has 25, as has the layout ntu25",
        ),
        (
            ["--config.task.feeder=ucla"],
            "config.task.feeder: is for 20 joints; the data set synthetic has 25",
        ),
        (
            ["--config.model.num_persons=2"],
            "config.model.num_persons: is for 2 persons; the data set synthetic has 1",
        ),
    ],
)
def test_a_config_for_other_data_is_refused(overrides, message):
    config = override(load_file("configs/demo.py"), overrides)
    with pytest.raises(UserError, match=message):
        make_task(config, configured_shape(config.data))


def test_all_stands_for_every_parity_name():
    assert parity(override(load_file("configs/demo.py"), ["--config.parity=all"])) == {
        "ucla_bones",
        "rgbd_warm_up",
    }


@pytest.mark.parametrize(
    ("variant", "peak"),
    [
        ("configs/gap/nw_ucla.py:joint,plain", None),
        ("configs/rgbd/ntu_cs.py:rgb", 0.5),
        ("configs/rgbd/ntu_cs.py:depth", 0.5),
        ("configs/rgbd/ntu_cs.py:fusion", 1),
    ],
)
def test_the_published_warm_up_is_of_the_video_networks_alone(variant, peak):
    """It begins with nothing; that of one modality ends at half of the peak."""
    config = load_file(variant)
    rates = []
    for chosen in (config, override(config, ["--config.parity=all"])):
        schedule = make_schedule(chosen, make_task(chosen, configured_shape(chosen.data)), 10)
        rates.append([float(schedule(step)) for step in (5, 25)])
    (first, peaked), published = rates
    assert first > 1e-4
    assert published == pytest.approx([first, peaked] if peak is None else [1e-8, peak * peaked], rel=1e-3)


def test_published_bones_are_asked_for_by_parity():
    gap = ["--config.model.name=gap", "--config.model.k=1"]
    plain = override(load_file("configs/gap/nw_ucla.py:joint,plain"), gap)
    published = override(plain, ["--config.parity=ucla_bones"])
    layouts = [
        make_task(config, configured_shape(config.data)).network(nnx.Rngs(0)).layout.name
        for config in (plain, published)
    ]
    assert layouts == ["ucla20", "ucla20_published"]

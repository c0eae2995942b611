"""The whole networks against the published ones, in evaluation; and what a fresh network looks like."""

import dataclasses
import functools
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from golden import networks
from golden.weights import golden_array

from rgbd_jax.models.baseline_gcn import BaselineGCN
from rgbd_jax.models.ctrgcn import CTRGCN
from rgbd_jax.models.gap import GAP
from rgbd_jax.skeleton_layouts import LAYOUTS, PARTS
from rgbd_jax.weights import gap, layer_rules
from rgbd_jax.weights.rules import convert


@dataclasses.dataclass(frozen=True)
class Variant:
    """A published network and ours with the same options."""

    name: str
    network: type
    rules: tuple
    layout: str
    num_classes: int
    options: dict = dataclasses.field(hash=False)

    @property
    def clip(self):
        """Shape of the golden input (B, C, T, V, M)."""
        return (2, 3, 64, 25, 2) if self.layout == "ntu25" else (2, 3, 52, 20, 1)

    def build(self):
        """Our network, split into structure, parameters and statistics."""
        network = self.network(
            num_classes=self.num_classes,
            layout=self.layout,
            num_persons=self.clip[-1],
            rngs=nnx.Rngs(0),
            **self.options,
        )
        graph, params, stats = nnx.split(network, nnx.Param, nnx.BatchStat)
        return graph, {"params": nnx.to_pure_dict(params), "batch_stats": nnx.to_pure_dict(stats)}


VARIANTS = [
    Variant("ntu60_joint", GAP, gap.GAP, "ntu25", 60, {"k": 8}),
    Variant("ntu60_bone", GAP, gap.GAP, "ntu25", 60, {"k": 1}),
    Variant("ucla_joint", GAP, gap.GAP, "ucla20_published", 10, {"k": 6}),
    Variant("ucla_bone", GAP, gap.GAP, "ucla20_published", 10, {"k": 1}),
    Variant("ctrgcn_ntu60", CTRGCN, gap.CTRGCN, "ntu25", 60, {}),
    Variant("ctrgcn_ntu120_fixed", CTRGCN, gap.CTRGCN, "ntu25", 120, {"adaptive": False}),
    Variant("baseline_ucla", BaselineGCN, gap.BASELINE_GCN, "ucla20", 10, {}),
]
WITHOUT_GOLDEN = Variant("ntu120_joint", GAP, gap.GAP, "ntu25", 120, {"k": 8})


@functools.cache
def load(variant):
    """Our network as a function of variables and clip, and the golden weights as its variables."""
    graph, template = variant.build()
    tensors = networks.network_weights(variant.name, LAYOUTS[variant.layout])
    variables = convert(tensors, variant.rules, layer_rules.IGNORED, template)
    run = jax.jit(lambda params, batch_stats, x: nnx.merge(graph, params, batch_stats)(x, train=False))
    return run, variables


def of_those(variants):
    """Run a test on each of these variants."""
    return pytest.mark.parametrize("variant", variants, ids=lambda variant: variant.name)


def golden_clip(variant, name):
    """The golden input as (B, T, M, V, C)."""
    return golden_array(f"model/{variant.name}/{name}", variant.clip, "normal").transpose(0, 2, 4, 3, 1)


def relative(ours, theirs):
    return np.abs(np.asarray(ours) - theirs).max() / np.abs(theirs).max()


@of_those(VARIANTS)
def test_outputs(variant, golden):
    run, variables = load(variant)
    expected = golden(f"gap/model_{variant.name}.npz")
    out = run(**variables, x=golden_clip(variant, "x"))
    assert out["logits"].dtype == jnp.float32
    assert relative(out["logits"], expected["logits"]) <= 1e-5
    for i in range(1, 11):
        ours = np.asarray(out[f"l{i}"]).swapaxes(0, 1)
        mean, std, largest = expected[f"l{i}_stats"]
        assert np.abs(ours[:1, :6, :4] - expected[f"l{i}_slice"]).max() <= 1e-5 * largest
        np.testing.assert_allclose(
            (ours.mean(), ours.std(ddof=1), np.abs(ours).max()), (mean, std, largest), 1e-4
        )
    if variant.network is GAP:
        check_text(out, expected, "")
        np.testing.assert_array_equal(out["logit_scale"], expected["logit_scale"][0])


@of_those([variant for variant in VARIANTS if variant.name != "ctrgcn_ntu120_fixed"])
def test_outputs_in_double(variant, golden):
    run, variables = load(variant)
    expected = golden(f"gap/model_{variant.name}.npz")
    with jax.enable_x64(True):
        double = jax.tree.map(lambda leaf: leaf.astype(np.float64), variables)
        out = run(**double, x=golden_clip(variant, "x").astype(np.float64))
    assert relative(out["logits"], expected["logits_f64"]) <= 1e-9


@of_those([variant for variant in VARIANTS if variant.layout == "ntu25"])
def test_absent_person(variant, golden):
    run, variables = load(variant)
    expected = golden(f"gap/model_{variant.name}.npz")
    clip = golden_clip(variant, "single_x")
    clip[:, :, 1] = 0
    out = run(**variables, x=clip)
    assert relative(out["logits"], expected["single_logits"]) <= 1e-5
    if variant.network is GAP:
        check_text(out, expected, "single_")


def check_text(out, expected, prefix):
    names = ("text_feature", *(f"part_{part}" for part in PARTS))
    for ours, name in zip(out["text_features"], names, strict=True):
        assert relative(ours, expected[prefix + name]) <= 1e-5


@of_those([*VARIANTS, WITHOUT_GOLDEN])
def test_parameter_count(variant):
    _, variables = variant.build()
    count = sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    assert count == networks.manifest(variant.name)["parameters"]


def test_initialisation():
    """Every tensor of a fresh network is distributed like that of the published one."""
    variant = VARIANTS[0]
    _, fresh = variant.build()
    shapes = {name: tuple(shape) for name, shape, _ in networks.manifest(variant.name)["entries"]}
    tensors = {name: np.full(shape, i, np.float64) for i, (name, shape) in enumerate(shapes.items())}
    numbers = convert(tensors, variant.rules, layer_rules.IGNORED, fresh)
    path = Path(__file__).parents[1] / "golden" / "gap" / "init_stats.json"
    expected = json.loads(path.read_text())[variant.name]
    ours = {i: [] for i in range(len(shapes))}
    for values, owners in zip(
        jax.tree.leaves(fresh["params"]), jax.tree.leaves(numbers["params"]), strict=True
    ):
        for i in np.unique(owners).astype(int):
            ours[i].append(np.asarray(values, np.float64)[owners == i])
    checked = 0
    for i, name in enumerate(shapes):
        if name not in expected:
            continue
        (values,) = ours[i]
        mean, std, low, high = expected[name]
        checked += 1
        if low == high:
            np.testing.assert_array_equal(values.astype(np.float32), np.float32(low), err_msg=name)
        elif name.endswith("PA"):
            np.testing.assert_allclose((values.min(), values.max(), values.mean()), (low, high, mean), 1e-6)
        else:
            # Both are samples: standard errors of the mean and of the standard deviation, five of them.
            error = 5 * std / np.sqrt(values.size) * np.sqrt(2)
            assert abs(values.mean() - mean) <= error, name
            assert abs(values.std() - std) <= (0.05 * std if values.size >= 10_000 else error), name
            if "part_list" in name:
                assert np.abs(values).max() <= 1 / 16, name
    assert checked == len(expected)


@pytest.mark.parametrize("frames", [1, 13])
def test_narrow_network_takes_any_length(frames):
    network = CTRGCN(num_classes=5, layout="ntu25", num_persons=1, base_width=8, rngs=nnx.Rngs(0))
    clip = jax.ShapeDtypeStruct((2, frames, 1, 25, 3), jnp.float32)
    out = nnx.eval_shape(lambda network, clip: network(clip, train=False), network, clip)
    assert out["logits"].shape == (2, 5)
    assert out["features"].shape == (32, 2, 1, -(-frames // 4), 25)


def test_bfloat16_stays_close():
    """Arithmetic in bfloat16 leaves outputs and statistics in float32 and near those of float32."""
    clip = golden_array("clip", (4, 16, 1, 20, 3), "normal")

    def run(dtype):
        network = GAP(
            num_classes=5,
            layout="ucla20",
            num_persons=1,
            base_width=16,
            stages=(1, 1, 1),
            k=1,
            dtype=dtype,
            rngs=nnx.Rngs(0),
        )
        out = jax.jit(lambda state: training_step(network, state, clip))(nnx.state(network))
        assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(out))
        return out

    half, full = run(jnp.bfloat16), run(None)
    for name in ("logits", "text_features", "mean", "var"):
        assert 0 < relative(half[name], np.asarray(full[name])) < 0.05, name


def training_step(network, state, clip):
    """Outputs in training, and the running statistics of the last block after it."""
    network = nnx.merge(nnx.graphdef(network), state)
    out = network(clip, train=True)
    norm = network.blocks[-1].temporal.norm
    return {
        "logits": out["logits"],
        "text_features": out["text_features"],
        "mean": norm.mean[...],
        "var": norm.var[...],
    }


def test_drop_out():
    """It depends on the key, in training alone."""
    network = CTRGCN(
        num_classes=5,
        layout="ucla20",
        num_persons=1,
        base_width=8,
        stages=(1,),
        drop_out=0.5,
        rngs=nnx.Rngs(0),
    )
    clip = jnp.asarray(golden_array("clip", (2, 4, 1, 20, 3), "normal"))
    graph, state = nnx.split(network)
    state = nnx.to_pure_dict(state)

    @functools.partial(jax.jit, static_argnames="train")
    def run(seed, train):
        return nnx.merge(graph, state)(clip, train=train, rngs=nnx.Rngs(dropout=jax.random.key(seed)))[
            "logits"
        ]

    assert np.abs(run(1, train=True) - run(2, train=True)).max() > 0
    np.testing.assert_array_equal(run(1, train=False), run(2, train=False))


def test_the_class_activation_adds_up_to_the_highest_logit():
    network = BaselineGCN(
        num_classes=7, layout="ucla20", num_persons=2, base_width=8, stages=(1, 1), rngs=nnx.Rngs(0)
    )
    bias = network.classifier.bias[...]
    structure, state = nnx.split(network)

    def outputs(state, clips, *, train):
        return nnx.merge(structure, state)(clips, train=train)

    clips = np.random.default_rng(0).standard_normal((3, 8, 2, 20, 3)).astype(np.float32)
    out = jax.jit(functools.partial(outputs, train=False))(state, clips)
    assert out["class_activation"].shape == (3, 2, 4, 20)
    found = out["class_activation"].mean((1, 2, 3)) + bias[out["logits"].argmax(1)]
    np.testing.assert_allclose(found, out["logits"].max(1), rtol=1e-5, atol=1e-6)
    training = jax.eval_shape(functools.partial(outputs, train=True), state, clips)
    assert training.keys() == out.keys() - {"class_activation"}

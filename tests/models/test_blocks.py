"""Each building block against the published one: outputs, gradients and running statistics."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from golden import networks
from golden.weights import golden_array

from rgbd_jax.models.baseline_gcn import SharedGraphConv, SingleTemporalConv
from rgbd_jax.models.ctrgcn import CTRGC, GraphConv, MultiScaleTemporalConv
from rgbd_jax.models.graph_network import Block
from rgbd_jax.skeleton_layouts import NTU, NW_UCLA
from rgbd_jax.weights import gap, layer_rules
from rgbd_jax.weights.rules import convert


@dataclasses.dataclass(frozen=True)
class Case:
    """A block: how ours is built, and what the published one holds.

    Attributes:
      name: of the golden file.
      build: makes our module.
      shapes: of the tensors by their published name.
      at: the published name of the module in a whole block, and ours.
      baseline: it belongs to the baseline network.
    """

    name: str
    build: object
    shapes: dict
    at: tuple[str, str] = ("", "")
    baseline: bool = False


def graph_conv(i, o):
    return GraphConv(i, o, layout="ntu25", adaptive=True, rngs=nnx.Rngs(0))


def temporal_conv(channels, stride):
    return MultiScaleTemporalConv(channels, stride, rngs=nnx.Rngs(0))


def block(i, o, *, layout="ntu25", stride=1, residual=True):
    spatial = GraphConv(i, o, layout=layout, adaptive=True, rngs=nnx.Rngs(0))
    temporal = temporal_conv(o, stride)
    return Block(i, o, stride=stride, residual=residual, spatial=spatial, temporal=temporal, rngs=nnx.Rngs(0))


def block_shapes(i, o, joints, residual=False):
    shapes = networks.gcn_shapes("gcn1.", i, o, joints) | networks.tcn_shapes("tcn1.", o)
    return shapes | (networks.residual_shapes(i, o) if residual else {})


def baseline_block():
    return Block(
        16,
        32,
        stride=2,
        residual=True,
        spatial=SharedGraphConv(16, 32, num_joints=25, adaptive=True, rngs=nnx.Rngs(0)),
        temporal=SingleTemporalConv(32, 2, rngs=nnx.Rngs(0)),
        rngs=nnx.Rngs(0),
    )


GCN, TCN = ("gcn1.", "spatial"), ("tcn1.", "temporal")
BASELINE_SHAPES = (
    networks.baseline_gcn_shapes("gcn1.", 16, 32, 25)
    | networks.conv_shapes("tcn1.conv", 32, 32, 5)
    | networks.norm_shapes("tcn1.bn", 32)
    | networks.residual_shapes(16, 32)
)
CASES = [
    Case("block_gcn_3_64", lambda: graph_conv(3, 64), networks.gcn_shapes("", 3, 64, 25), GCN),
    Case("block_gcn_64_64", lambda: graph_conv(64, 64), networks.gcn_shapes("", 64, 64, 25), GCN),
    Case("block_tcn_64_s1", lambda: temporal_conv(64, 1), networks.tcn_shapes("", 64), TCN),
    Case("block_tcn_64_s2", lambda: temporal_conv(64, 2), networks.tcn_shapes("", 64), TCN),
    Case("block_3_64_first", lambda: block(3, 64, residual=False), block_shapes(3, 64, 25)),
    Case("block_64_64", lambda: block(64, 64, layout="ucla20"), block_shapes(64, 64, 20)),
    Case("block_32_64_s2", lambda: block(32, 64, stride=2), block_shapes(32, 64, 25, residual=True)),
    Case("baseline_block_16_32_s2", baseline_block, BASELINE_SHAPES, baseline=True),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_block(case, golden):
    expected = golden(f"gap/{case.name}.npz")
    # The file of a part of a block is named block_<part>, the file of a whole block is named like the block.
    seed = f"blocks/{case.name.removeprefix('block_') if case.at[0] else case.name}/"
    layout = NTU if expected["V"] == 25 else NW_UCLA
    # The topology of the baseline starts here from the same graph as that of the others.
    tensors = networks.weights(case.shapes, layout, prefix=seed)
    rules = gap.baseline_block_rules("", "") if case.baseline else gap.ctrgcn_block_rules("", "")
    graph, load = loader(case.build(), rules, case.at)
    variables = load(tensors)

    def apply(params, x, batch_stats, *, train):
        module = nnx.merge(graph, params, batch_stats)
        return module(x, train=train), nnx.to_pure_dict(nnx.state(module, nnx.BatchStat))

    @jax.jit
    def run(params, batch_stats, x, cotangent):
        in_training = functools.partial(apply, batch_stats=batch_stats, train=True)
        out, pullback, stats = jax.vjp(in_training, params, x, has_aux=True)
        return apply(params, x, batch_stats, train=False)[0], out, stats, *pullback(cotangent)

    x = channels_first(golden_array(seed + "x", expected["grad_x"].shape, "normal"))
    cotangent = channels_first(golden_array(seed + "cotangent", expected["train_out"].shape, "normal"))
    eval_out, train_out, stats, grads, grad_x = run(**variables, x=x, cotangent=cotangent)
    close(eval_out, channels_first(expected["eval_out"]), 2e-5)
    close(train_out, channels_first(expected["train_out"]), 2e-5)
    close(grad_x, channels_first(expected["grad_x"]), 2e-4)
    check_norms(norms(grads, tensors, load), expected, 2e-4)

    after = {name.removeprefix("after."): expected[name] for name in expected if name.startswith("after.")}
    wanted = load(tensors | after)["batch_stats"]
    assert sum(name.endswith("running_mean") for name in tensors) * 2 == len(after)
    jax.tree.map(lambda ours, theirs: close(ours, theirs, 2e-5), stats, wanted)


@pytest.mark.parametrize(("i", "o"), [(3, 64), (64, 64), (128, 32)])
def test_ctrgc(i, o, golden):
    expected = golden(f"gap/block_ctrgc_{i}_{o}.npz")
    seed = f"blocks/ctrgc_{i}_{o}/"
    tensors = networks.weights(networks.ctrgc_shapes("", i, o), NTU, prefix=seed)
    tensors = {f"convs.0.{name}": tensor for name, tensor in tensors.items()}
    rules = gap.ctrgc_rules(r"convs\.(\d)\.", "")
    graph, load = loader(CTRGC(i, o, subsets=1, rngs=nnx.Rngs(0)), rules, ("", ""))
    params = load(tensors)["params"]

    @jax.jit
    def run(params, x, cotangent):
        out, pullback = jax.vjp(
            lambda params, x: nnx.merge(graph, params, {})(x, expected["A"][None], jnp.float32(0.7)),
            params,
            x,
        )
        return out, *pullback(cotangent)

    x = channels_first(golden_array(seed + "x", expected["grad_x"].shape, "normal"))
    cotangent = channels_first(golden_array(seed + "cotangent", expected["train_out"].shape, "normal"))
    out, grads, grad_x = run(params, x, cotangent)
    close(out, channels_first(expected["eval_out"]), 2e-5)
    close(out, channels_first(expected["train_out"]), 2e-5)
    close(grad_x, channels_first(expected["grad_x"]), 1e-4)
    ours = {name.removeprefix("convs.0."): norm for name, norm in norms(grads, tensors, load).items()}
    check_norms(ours, expected, 1e-4)


def test_first_step_leaves_the_refinement_alone():
    """With alpha = 0 the gradient reaches alpha, θ and A, but not ψ, φ and ξ."""
    graph, params, stats = nnx.split(graph_conv(16, 16), nnx.Param, nnx.BatchStat)
    x = channels_first(golden_array("x", (2, 16, 4, 25), "normal"))
    cotangent = channels_first(golden_array("cotangent", (2, 16, 4, 25), "normal"))
    params, stats = nnx.to_pure_dict(params), nnx.to_pure_dict(stats)

    @jax.jit
    @jax.grad
    def gradient(params):
        return (nnx.merge(graph, params, stats)(x, train=True) * cotangent).sum()

    grads = gradient(params)
    refinement = grads["refinement"]
    for leaf in jax.tree.leaves([refinement[name] for name in ("psi", "phi", "xi_kernel", "xi_bias")]):
        np.testing.assert_array_equal(leaf, 0)
    for leaf in (grads["alpha"], grads["adjacency"], refinement["theta"][0]["kernel"]):
        assert np.abs(leaf).max() > 0


def channels_first(x):
    """(N, C, T, V) to (C, N, T, V)."""
    return np.swapaxes(x, 0, 1)


def close(ours, theirs, tolerance):
    """The largest difference, measured by the largest entry."""
    difference = np.abs(np.asarray(ours) - theirs).max()
    assert difference <= tolerance * np.abs(theirs).max()


def loader(module, rules, at):
    """The module's structure, and a function that turns published tensors into its variables."""
    graph, params, stats = nnx.split(module, nnx.Param, nnx.BatchStat)
    theirs, ours = at
    template = {"params": nnx.to_pure_dict(params), "batch_stats": nnx.to_pure_dict(stats)}
    if ours:
        template = {kind: {ours: variables} for kind, variables in template.items()}

    def load(tensors):
        tensors = {theirs + name: tensor for name, tensor in tensors.items()}
        loaded = convert(tensors, rules, layer_rules.IGNORED, template)
        return {kind: variables[ours] if ours else variables for kind, variables in loaded.items()}

    return graph, load


def norms(grads, tensors, load):
    """The L2 norm of the gradient of each published tensor, wherever its entries lie in our variables."""
    owner = load({name: np.full_like(tensor, i) for i, (name, tensor) in enumerate(tensors.items())})[
        "params"
    ]
    squares = np.zeros(len(tensors))
    for grad, index in zip(jax.tree.leaves(grads), jax.tree.leaves(owner), strict=True):
        np.add.at(squares, index.astype(int).ravel(), np.square(np.asarray(grad, np.float64)).ravel())
    return dict(zip(tensors, np.sqrt(squares), strict=True))


def check_norms(ours, expected, tolerance):
    """Biases before a batch norm have no gradient but rounding: they are compared with the largest norm."""
    largest = expected["grad_norms"].max()
    for name, norm in zip(expected["grad_names"], expected["grad_norms"], strict=True):
        allowed = 1e-3 * largest if norm < 1e-3 * largest and name.endswith("bias") else tolerance * norm
        assert abs(ours[name] - norm) <= allowed, name

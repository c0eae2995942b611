"""The rules for foreign weights are strict both ways and report all problems at once."""

import numpy as np
import pytest
from golden import networks

from rgbd_jax.errors import UserError
from rgbd_jax.skeleton_layouts import NTU
from rgbd_jax.weights import gap, layer_rules
from rgbd_jax.weights.rules import Layout, Rule, convert

RULES = (
    Rule(r"conv\.weight", "params/conv/kernel", Layout(np.transpose, np.transpose)),
    Rule(r"branch\.(\d)\.bias", "params/bias", piece=r"\1"),
    Rule(r"norm\.(mean|var)", r"batch_stats/norm/\1"),
)
IGNORED = (r".*counter",)


def tensors():
    return {
        "conv.weight": np.arange(6.0).reshape(2, 3),
        "branch.1.bias": np.array([3.0, 4.0]),
        "branch.0.bias": np.array([1.0, 2.0]),
        "norm.mean": np.zeros(2),
        "norm.var": np.ones(2),
        "norm.counter": np.array(7),
    }


def template():
    return {
        "params": {"conv": {"kernel": np.zeros((3, 2), np.float32)}, "bias": np.zeros(4, np.float32)},
        "batch_stats": {"norm": {"mean": np.zeros(2, np.float32), "var": np.zeros(2, np.float32)}},
    }


def test_converts():
    variables = convert(tensors(), RULES, IGNORED, template())
    np.testing.assert_array_equal(variables["params"]["conv"]["kernel"], tensors()["conv.weight"].T)
    np.testing.assert_array_equal(variables["params"]["bias"], [1, 2, 3, 4])
    assert variables["params"]["bias"].dtype == np.float32
    assert variables["batch_stats"]["norm"]["var"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stray.weight": np.zeros(1)}, "stray.weight: 0 rules match"),
        ({"norm.mean": None}, "batch_stats/norm/mean: no tensor fills it"),
        ({"branch.0.bias": None}, "params/bias: pieces are missing"),
        ({"branch.2.bias": np.zeros(2)}, "branch.0.bias + branch.1.bias + branch.2.bias: gives (6,)"),
        ({"branch.1.bias": np.zeros((2, 1))}, "do not join"),
        (
            {"conv.weight": np.zeros((3, 2))},
            "conv.weight: gives (2, 3) for params/conv/kernel, which is (3, 2)",
        ),
    ],
)
def test_reports(change, message):
    state_dict = {name: tensor for name, tensor in (tensors() | change).items() if tensor is not None}
    with pytest.raises(UserError) as error:
        convert(state_dict, RULES, IGNORED, template())
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_reports_a_tensor_of_a_variable_that_is_not_there():
    variables = template()
    del variables["params"]["bias"]
    with pytest.raises(UserError, match=r"branch\.0\.bias: the network has no variable params/bias"):
        convert(tensors(), RULES, IGNORED, variables)


def test_reports_two_rules_for_one_tensor():
    with pytest.raises(UserError, match=r"norm\.var: 2 rules match it"):
        convert(tensors(), (*RULES, Rule(r"norm\.var", "params/bias")), IGNORED, template())


def test_reports_everything_at_once():
    state_dict = tensors() | {"a": np.zeros(1), "b": np.zeros(1)}
    del state_dict["norm.mean"]
    with pytest.raises(UserError, match="3 problems") as error:
        convert(state_dict, RULES, IGNORED, template())
    assert all(part in str(error.value) for part in ("a: 0 rules", "b: 0 rules", "norm/mean: no tensor"))


def test_a_kernel_of_another_width_is_reported():
    shapes = networks.conv_shapes("l1.gcn1.convs.0.conv1", 3, 8)
    state_dict = networks.weights(shapes, NTU)
    state_dict["l1.gcn1.convs.0.conv1.weight"] = np.zeros((8, 3, 2, 1))
    with pytest.raises(UserError, match=r"conv1\.weight: the shape \(8, 3, 2, 1\)"):
        convert(state_dict, gap.CTRGCN, layer_rules.IGNORED, {})

"""Tables of rules read from our side give back what they were read with, to the bit."""

import numpy as np
import pytest
from flax import nnx
from golden.motion_networks import port
from golden.weights import golden_array
from test_rules import IGNORED, template, tensors
from weight_files import clip_tensors

from rgbd_jax.errors import UserError
from rgbd_jax.models.clip_text import CLIPText, CLIPTextSize
from rgbd_jax.models.inception import InceptionBlock
from rgbd_jax.weights import clip_text
from rgbd_jax.weights.inverse import invert
from rgbd_jax.weights.motion_rgbd import inception_rules
from rgbd_jax.weights.rules import Layout, Rule, convert

RULES = (
    Rule(r"conv\.weight", "params/conv/kernel", Layout(np.transpose, np.transpose)),
    Rule(r"branch\.(0|1)\.bias", "params/bias", piece=r"\1"),
    Rule(r"norm\.(mean|var)", r"batch_stats/norm/\1"),
)


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name], tensor, err_msg=name)
        assert (found[name].shape, found[name].dtype) == (tensor.shape, tensor.dtype), name


def converted():
    variables = convert(tensors(), RULES, IGNORED, template())
    carried = {
        name: tensor.astype(np.float32) for name, tensor in tensors().items() if name != "norm.counter"
    }
    return variables, carried


def test_inverts():
    variables, carried = converted()
    assert_same(invert(variables, RULES), carried)


def test_reports_all_variables_without_tensors():
    variables, _ = converted()
    variables["params"] |= {"text": {"kernel": np.zeros(2)}, "more": np.zeros(3)}
    with pytest.raises(UserError, match="2 problems") as error:
        invert(variables, RULES)
    assert all(f"{path}: the published" in str(error.value) for path in ("params/text/kernel", "params/more"))


def test_pieces_of_other_lengths_and_names_that_nothing_tells():
    rules = (
        Rule(r"(?P<block>\d+)\.a", r"all/\g<block>", piece="0"),
        Rule(r"(?P<block>\d+)\.b", r"all/\g<block>", piece="1", length=r"other/\g<block>"),
        Rule(r"(?P<block>\d+)\.c", r"all/\g<block>", piece="2"),
        Rule(r"(?P<block>\d+)\.other", r"other/\g<block>", Layout(np.transpose, np.transpose)),
        Rule(r"heads\.(?P<kind>[^.]+)", "head"),
        Rule(r"row\.(\d+)", "rows", Layout(lambda row: row[None], lambda row: row[0]), r"\1"),
    )
    given = {
        f"{block}.{name}": golden_array(f"{block}.{name}", shape)
        for block, b in ((0, 3), (1, 5))
        for name, shape in (("a", (2, 4)), ("b", (b, 4)), ("c", (2, 4)), ("other", (b, 6)))
    }
    given |= {"heads.first/x": np.ones(2, np.float32)}
    given |= {f"row.{i}": np.full(3, i, np.float32) for i in range(12)}
    shapes = {
        "all": {0: (7, 4), 1: (9, 4)},
        "other": {0: (6, 3), 1: (6, 5)},
        "head": (2,),
        "rows": (12, 3),
    }
    like = {
        key: {i: np.zeros(s, np.float32) for i, s in shape.items()}
        if isinstance(shape, dict)
        else np.zeros(shape, np.float32)
        for key, shape in shapes.items()
    }
    variables = convert(given, rules, (), like)
    assert_same(invert(variables, rules, {"kind": "first/x"}), given)


@pytest.mark.parametrize("kernel", [(3, 3), (3,)])
def test_inception(kernel):
    """Its units join in a variable of unequal pieces."""
    block = InceptionBlock(10, (4, 6, 8, 3, 5, 7), kernel=kernel, rngs=nnx.Rngs(0))
    _, params, stats = nnx.split(block, nnx.Param, nnx.BatchStat)
    variables = {"params": nnx.to_pure_dict(params), "batch_stats": nnx.to_pure_dict(stats)}
    found = invert(variables, inception_rules("", ""))
    assert [len(found[f"{unit}.conv3d.weight"]) for unit in ("b0", "b1a", "b2a")] == [4, 6, 3]
    assert found["b1b.conv3d.weight"].shape == (8, 6, *((1, 3, 3) if kernel == (3, 3) else (3, 1, 1)))
    back = convert(found, inception_rules("", ""), (), variables)
    assert_same(invert(back, inception_rules("", "")), found)


def test_text_transformer():
    given = clip_tensors(width=64, num_blocks=2, text_width=16, vocabulary=20, context=8)
    size = CLIPTextSize(64, 2, 16, 20, 8)
    network = port(lambda rngs: CLIPText(size, rngs=rngs), given, clip_text.OPENAI, clip_text.IGNORED)
    found = invert(network.variables, clip_text.OPENAI)
    assert_same(
        found, {name: given[name] for name in given if name not in ("visual.class_embedding", "logit_scale")}
    )
    theirs = invert(network.variables, clip_text.HUGGING_FACE)
    name = "text_model.encoder.layers.1.self_attn.k_proj.weight"
    np.testing.assert_array_equal(theirs[name], given["transformer.resblocks.1.attn.in_proj_weight"][64:128])

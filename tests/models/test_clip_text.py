"""CLIP's text transformer against the published one and against Hugging Face's."""

import functools
import json
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from golden.motion_networks import port, relative_error
from golden.weights import golden_array

from rgbd_jax.errors import UserError
from rgbd_jax.models.clip_text import VARIANTS, CLIPText, CLIPTextSize
from rgbd_jax.weights.clip_text import IGNORED, clip_text_rules, clip_text_sizes


def filled(size, state_dict, **options):
    """The transformer under these weights, as a function of the tokens."""
    network = port(
        lambda rngs: CLIPText(size, rngs=rngs, **options), state_dict, clip_text_rules(state_dict), IGNORED
    )
    encode = jax.jit(lambda variables, tokens: network(variables, tokens)[0]["text_vectors"])
    return functools.partial(encode, network.variables)


@pytest.fixture(scope="module")
def case(golden):
    return golden("gap/text.npz")


@pytest.fixture(scope="module")
def state_dict(case):
    shapes = zip(case["clip_names"], case["clip_shapes"], strict=True)
    return {str(name): golden_array(f"cliptext/{name}", json.loads(str(shape))) for name, shape in shapes}


@pytest.fixture(scope="module")
def size(case):
    width, heads, num_blocks, text_width, vocabulary, context = map(int, case["clip_config"])
    assert heads * 64 == width
    return CLIPTextSize(width, num_blocks, text_width, vocabulary, context)


@pytest.fixture(scope="module")
def encode(size, state_dict):
    return filled(size, state_dict)


def test_as_published(case, encode):
    assert relative_error(encode(case["clip_tokens"]), case["clip_out"]) <= 2e-5


def test_the_padding_does_not_matter(case, encode):
    tokens = case["clip_tokens"][:4]
    longest = int(tokens.argmax(1).max()) + 1
    assert longest < tokens.shape[1]
    np.testing.assert_allclose(encode(tokens[:, :longest]), encode(tokens), atol=1e-5, rtol=0)


def test_in_bfloat16(case, size, state_dict):
    vectors = filled(size, state_dict, dtype=jnp.bfloat16)(case["clip_tokens"])
    assert vectors.dtype == jnp.float32
    assert relative_error(vectors, case["clip_out"]) <= 0.05


def renamed(state_dict):
    """The tensors as Hugging Face names and divides them, with those of the rest of CLIP."""
    tensors = {
        "logit_scale": np.zeros(()),
        "visual_projection.weight": np.zeros((48, 3)),
        "vision_model.embeddings.class_embedding": np.zeros(3),
        "text_model.embeddings.position_embedding.weight": state_dict["positional_embedding"],
        "text_model.embeddings.token_embedding.weight": state_dict["token_embedding.weight"],
        "text_projection.weight": state_dict["text_projection"].T,
    }
    layers = {"attn.out_proj": "self_attn.out_proj", "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2"}
    norms = {"ln_1": "layer_norm1", "ln_2": "layer_norm2"}
    for leaf in ("weight", "bias"):
        tensors[f"text_model.final_layer_norm.{leaf}"] = state_dict[f"ln_final.{leaf}"]
        for i in range(3):
            theirs, ours = f"text_model.encoder.layers.{i}", f"transformer.resblocks.{i}"
            for old, new in (layers | norms).items():
                tensors[f"{theirs}.{new}.{leaf}"] = state_dict[f"{ours}.{old}.{leaf}"]
            for name, part in zip("qkv", np.split(state_dict[f"{ours}.attn.in_proj_{leaf}"], 3), strict=True):
                tensors[f"{theirs}.self_attn.{name}_proj.{leaf}"] = part
    return tensors


def test_the_same_weights_as_hugging_face_names_them(case, size, state_dict, encode):
    other = filled(size, renamed(state_dict))
    np.testing.assert_array_equal(other(case["clip_tokens"]), encode(case["clip_tokens"]))


def test_the_weights_tell_the_sizes(size, state_dict):
    for tensors in (state_dict, renamed(state_dict)):
        found = clip_text_sizes(tensors, clip_text_rules(tensors))
        assert CLIPTextSize(**found) == size


@pytest.mark.slow
def test_as_hugging_faces(size):
    """Random weights under Hugging Face's names, in its own transformer and in ours."""
    transformers = pytest.importorskip("transformers", exc_type=ImportError)
    torch = pytest.importorskip("torch", exc_type=ImportError)
    config = transformers.CLIPTextConfig(
        vocab_size=size.vocabulary,
        hidden_size=size.width,
        intermediate_size=4 * size.width,
        projection_dim=size.text_width,
        num_hidden_layers=size.num_blocks,
        num_attention_heads=size.width // 64,
        max_position_embeddings=size.context,
        # Where its value is 2, the end mark is the largest number, as in OpenAI's weights.
        eos_token_id=2,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        theirs = transformers.CLIPTextModelWithProjection(config).eval()
        tokens = np.zeros((3, size.context), np.int32)
        for row, length in zip(tokens, (3, 20, size.context), strict=True):
            row[:length] = np.random.default_rng(length).integers(1, size.vocabulary - 1, length)
            row[length - 1] = size.vocabulary - 1
        with torch.no_grad():
            expected = theirs(torch.from_numpy(tokens.astype(np.int64))).text_embeds.numpy()
        state_dict = {name: tensor.numpy() for name, tensor in theirs.state_dict().items()}
    assert relative_error(filled(size, state_dict)(tokens), expected) <= 2e-5


@pytest.mark.parametrize(
    "name, count", [("ViT-B/32", 63_428_096), pytest.param("ViT-L/14", 123_650_304, marks=pytest.mark.slow)]
)
def test_sizes(name, count):
    """As many parameters as the text transformers of the published weights have."""
    params = nnx.state(CLIPText(VARIANTS[name], rngs=nnx.Rngs(0)), nnx.Param)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == count


def test_weights_of_another_network_are_refused():
    with pytest.raises(UserError, match=r"1 tensors without, the first is fc\.weight"):
        clip_text_rules({"fc.weight": np.zeros(3)})

"""The tables of CLIP's text transformer, as OpenAI and as Hugging Face name it, and its sizes.

Both come with an image transformer, or with scales, that have no place here.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from rgbd_jax.errors import UserError
from rgbd_jax.weights.layer_rules import dense_rules, layer_norm_rules
from rgbd_jax.weights.rules import AS_IT_IS, Layout, Rule

IGNORED = (
    r"visual\..*",
    r"(vision_model|visual_projection)\..*",
    r"logit_scale",
    r"input_resolution|context_length|vocab_size",
    r"text_model\.embeddings\.position_ids",
    r"transformer\.resblocks\.\d+\.attn_mask",
)


# (3 · O, I) there, (3, I, O) here.
_THREE_KERNELS = Layout(
    lambda kernel: kernel.reshape(3, -1, kernel.shape[1]).swapaxes(1, 2),
    lambda kernel: kernel.swapaxes(1, 2).reshape(-1, kernel.shape[1]),
)
# (3 · O) there, (3, O) here.
_THREE_BIASES = Layout(lambda bias: bias.reshape(3, -1), np.ravel)
_TRANSPOSED = Layout(np.transpose, np.transpose)


def _block(torch: str, ours: str, names: Mapping[str, str]) -> list[Rule]:
    """What the two name differently but hold alike; `names` says how."""
    return [
        *dense_rules(torch + names["out"], f"{ours}/attention/out"),
        *layer_norm_rules(torch + names["attention_norm"], f"{ours}/attention_norm"),
        *layer_norm_rules(torch + names["norm"], f"{ours}/norm"),
        *dense_rules(torch + names["expand"], f"{ours}/expand"),
        *dense_rules(torch + names["contract"], f"{ours}/contract"),
    ]


_OPENAI_BLOCK = r"transformer\.resblocks\.(\d+)\."
_HUGGING_FACE_BLOCK = r"text_model\.encoder\.layers\.(\d+)\."
_OURS = r"blocks/\1"

OPENAI = (
    Rule(r"token_embedding\.weight", "params/embedding"),
    Rule(r"positional_embedding", "params/positions"),
    Rule(rf"{_OPENAI_BLOCK}attn\.in_proj_weight", f"params/{_OURS}/attention/kernel", _THREE_KERNELS),
    Rule(rf"{_OPENAI_BLOCK}attn\.in_proj_bias", f"params/{_OURS}/attention/bias", _THREE_BIASES),
    *_block(
        _OPENAI_BLOCK,
        _OURS,
        {
            "out": r"attn\.out_proj",
            "attention_norm": "ln_1",
            "norm": "ln_2",
            "expand": r"mlp\.c_fc",
            "contract": r"mlp\.c_proj",
        },
    ),
    *layer_norm_rules("ln_final", "norm"),
    Rule(r"text_projection", "params/projection"),
)

HUGGING_FACE = (
    Rule(r"text_model\.embeddings\.token_embedding\.weight", "params/embedding"),
    Rule(r"text_model\.embeddings\.position_embedding\.weight", "params/positions"),
    *(
        rule
        for piece, name in enumerate(("q_proj", "k_proj", "v_proj"))
        for rule in (
            Rule(
                rf"{_HUGGING_FACE_BLOCK}self_attn\.{name}\.weight",
                f"params/{_OURS}/attention/kernel",
                _TRANSPOSED.stacked,
                str(piece),
            ),
            Rule(
                rf"{_HUGGING_FACE_BLOCK}self_attn\.{name}\.bias",
                f"params/{_OURS}/attention/bias",
                AS_IT_IS.stacked,
                str(piece),
            ),
        )
    ),
    *_block(
        _HUGGING_FACE_BLOCK,
        _OURS,
        {
            "out": r"self_attn\.out_proj",
            "attention_norm": "layer_norm1",
            "norm": "layer_norm2",
            "expand": r"mlp\.fc1",
            "contract": r"mlp\.fc2",
        },
    ),
    *layer_norm_rules(r"text_model\.final_layer_norm", "norm"),
    Rule(r"text_projection\.weight", "params/projection", _TRANSPOSED),
)


# The variables whose shapes tell the sizes; and what a block is called.
_SIZED = ("params/embedding", "params/positions", "params/projection")
_BLOCK = rf"{_OPENAI_BLOCK}|{_HUGGING_FACE_BLOCK}"

# A tensor by which each is known.
_FIRST = {
    "token_embedding.weight": OPENAI,
    "text_model.embeddings.token_embedding.weight": HUGGING_FACE,
}


def clip_text_rules(state_dict: Mapping[str, np.ndarray]) -> tuple[Rule, ...]:
    """The table for these names.

    Raises:
      UserError: if they are of neither kind.
    """
    for name, rules in _FIRST.items():
        if name in state_dict:
            return rules
    found = next(iter(state_dict), "missing")
    raise UserError(
        f"the weights of CLIP's text transformer have {' (OpenAI) or '.join(_FIRST)} (Hugging Face); found"
        f" are {len(state_dict)} tensors without, the first is {found}"
    )


def clip_text_sizes(state_dict: Mapping[str, np.ndarray], rules: Sequence[Rule]) -> dict[str, int]:
    """The sizes of the transformer that these weights are of: the fields of `models.clip_text.CLIPTextSize`.

    Args:
      rules: the table for their names.

    Raises:
      UserError: if a tensor that tells them is missing or has another number of axes.
    """
    shapes = {
        rule.path: rule.layout.ours(tensor).shape
        for name, tensor in state_dict.items()
        for rule in rules
        if rule.path in _SIZED and np.ndim(tensor) == 2 and re.fullmatch(rule.pattern, name)
    }
    if missing := set(_SIZED) - shapes.keys():
        names = [rule.pattern.replace("\\", "") for rule in rules if rule.path in missing]
        raise UserError(
            f"the weights of CLIP's text transformer have {', '.join(names)}, of two axes; found are"
            f" {len(state_dict)} tensors without"
        )
    blocks = {match.group() for name in state_dict if (match := re.match(_BLOCK, name))}
    (vocabulary, width), (context, _), (_, text_width) = map(shapes.get, _SIZED)
    return dict(
        width=width, num_blocks=len(blocks), text_width=text_width, vocabulary=vocabulary, context=context
    )

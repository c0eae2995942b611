"""CLIP's text transformer, from a file of its weights, as GAP trains it (ICCV 2023)."""

from collections.abc import Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike
from ml_collections import ConfigDict

from rgbd_jax.errors import UserError
from rgbd_jax.models.clip_text import CLIPText, CLIPTextSize
from rgbd_jax.models.text_tower import TextTower
from rgbd_jax.models.transformer import HEAD_WIDTH
from rgbd_jax.tasks.task import compute_dtype
from rgbd_jax.text.prompts import Prompts
from rgbd_jax.text.source import token_table
from rgbd_jax.text.table import TextTable, draw_texts
from rgbd_jax.weights.clip_text import IGNORED, clip_text_rules, clip_text_sizes
from rgbd_jax.weights.rules import convert
from rgbd_jax.weights.tensors import read_tensors

_FILES = {
    "weights": "CLIP's weights, ViT-B-32.pt of its publishers or model.safetensors from Hugging Face",
    "vocabulary": "CLIP's vocabulary, bpe_simple_vocab_16e6.txt.gz of its publishers or merges.txt from"
    " Hugging Face",
}


def make_text_tower(
    config: ConfigDict, prompts: Prompts, class_names: Sequence[str]
) -> tuple[TextTower, TextTable]:
    """The transformer with its weights, and the tokens of the classes that it draws from, as `config.text`
    says.

    Raises:
      UserError: if a file is not named, cannot be read or does not fit, or a class has no prompts.
    """
    text = config.text
    for key, what in _FILES.items():
        if not text[key]:
            raise UserError(
                f"config.text.{key}: a file is needed with config.text.source='clip': {what}; docs/prompts.md"
                " says more"
            )
    table = token_table(prompts, class_names, text.vocabulary)
    transformer = read_clip_text(Path(text.weights), text_width=text.width, dtype=compute_dtype(config))
    tokens = table.rows
    for what, found, needed in (
        ("different tokens", len(transformer.embedding), int(tokens.max()) + 1),
        ("tokens in a text", len(transformer.positions), tokens.shape[1]),
    ):
        if found < needed:
            raise UserError(f"{text.weights}: is for {found} {what}; these prompts need {needed}")
    classes = jnp.arange(len(class_names), dtype=jnp.int32)
    tower = TextTower(transformer, lambda key: draw_texts(table, classes, key), frozen=text.lr_ratio == 0)
    return tower, table


def read_clip_text(path: Path, *, text_width: int, dtype: DTypeLike | None) -> CLIPText:
    """The transformer of a file of weights, of whatever size it is.

    Args:
      text_width: that is expected of it.
      dtype: as for `CLIPText`.

    Raises:
      UserError: if it cannot be read, holds other weights, or is of another width.
    """
    tensors = read_tensors(path)
    try:
        rules = clip_text_rules(tensors)
        size = CLIPTextSize(**clip_text_sizes(tensors, rules))
        if size.width % HEAD_WIDTH:
            raise UserError(f"found a width of {size.width}; a multiple of {HEAD_WIDTH} is needed")
        if size.text_width != text_width:
            raise UserError(
                f"makes vectors that are {size.text_width} wide; found config.text.width={text_width}, set it"
                f" to {size.text_width}"
            )
        structure, params = nnx.split(CLIPText(size, dtype=dtype, rngs=nnx.Rngs(0)), nnx.Param)
        filled = convert(tensors, rules, IGNORED, {"params": nnx.to_pure_dict(params)})
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    return nnx.merge(structure, jax.tree.map(jnp.asarray, filled["params"]))

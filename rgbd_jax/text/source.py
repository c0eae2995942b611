"""From what a config names to what a step needs: prompts, and the table of their vectors or tokens."""

from collections.abc import Sequence
from pathlib import Path

from rgbd_jax.text.features import feature_file, read_features
from rgbd_jax.text.gap_prompts import read_gap_prompts
from rgbd_jax.text.prompts import Prompts, prompt_file, read_prompts
from rgbd_jax.text.table import TextTable, text_table
from rgbd_jax.text.tokenizer import Tokenizer


def find_prompts(source: str, synonyms: str = "") -> Prompts:
    """The prompts of a data set by its name, of a file of prompts, or of GAP's pair of files.

    Args:
      source: a data set that the package has prompts for, or a path.
      synonyms: where `source` is GAP's file of parts, that of the synonyms.

    Raises:
      UserError: see `read_prompts` and `read_gap_prompts`.
    """
    if synonyms:
        return read_gap_prompts(Path(source), Path(synonyms))
    return read_prompts(prompt_file(source))


def feature_table(
    prompts: Prompts,
    class_names: Sequence[str],
    features: str,
    *,
    encoder: str = "",
    width: int | None = None,
) -> TextTable:
    """The table of the classes' vectors, in the order of the labels.

    Args:
      features: a data set that the package has features for, or a path.
      encoder, width: as for `read_features`.

    Raises:
      UserError: if a class has no prompts, or the features do not fit.
    """
    chosen = prompts.select(class_names)
    return text_table(chosen, read_features(feature_file(features), chosen, encoder=encoder, width=width))


def token_table(prompts: Prompts, class_names: Sequence[str], vocabulary: str) -> TextTable:
    """The table of the classes' tokens (N, L) for CLIP, in the order of the labels; L is the longest text's.

    Args:
      vocabulary: the path of CLIP's vocabulary.

    Raises:
      UserError: if a class has no prompts, one is too long, or the vocabulary cannot be read.
    """
    chosen = prompts.select(class_names)
    return text_table(chosen, Tokenizer(Path(vocabulary)).encode(chosen.texts))

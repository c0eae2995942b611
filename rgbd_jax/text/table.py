"""What a training step needs of the texts: the table of all of them, and a draw from it for each sample."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from rgbd_jax.text.prompts import Prompts


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TextTable:
    """All texts of K classes as numbers: a constant of the compiled step.

    Attributes:
      rows: of each of N different texts, its vector (N, D) or its tokens (N, L).
      whole: the texts of the whole, by row, (K, S); a class that has fewer than S has padding.
      counts: how many each class has, (K,).
      parts: the text of each part, by row, (4, K), in the order of `PARTS`.
    """

    rows: jax.Array
    whole: jax.Array
    counts: jax.Array
    parts: jax.Array


def text_table(prompts: Prompts, rows: np.ndarray) -> TextTable:
    """The table of `prompts`; `rows` (N, ...) are those of `prompts.texts`."""
    number = {text: row for row, text in enumerate(prompts.texts)}
    if len(rows) != len(number):
        raise ValueError(f"{len(rows)} rows for {len(number)} texts")
    counts = np.array([len(own.whole) for own in prompts.classes], np.int32)
    whole = np.zeros((len(counts), counts.max()), np.int32)
    for row, own in zip(whole, prompts.classes, strict=True):
        row[: len(own.whole)] = [number[text] for text in own.whole]
    parts = np.array([[number[text] for text in own.parts] for own in prompts.classes], np.int32).T
    return TextTable(jnp.asarray(rows), jnp.asarray(whole), jnp.asarray(counts), jnp.asarray(parts))


def draw_texts(table: TextTable, labels: jax.Array, key: jax.Array) -> jax.Array:
    """Texts of samples: one of the whole, each as likely, chosen anew for each label; and the parts.

    With vectors as rows, these are what the features of a batch are compared with. With tokens, the labels
    0 … K − 1 give the texts of this step, one of the whole for each class: (5, K, L) to be encoded.

    Args:
      labels: int32, (B,) or of another shape.

    Returns:
      Rows (5, B, ...): the whole, then the parts in the order of `PARTS`.
    """
    choice = jax.random.randint(key, labels.shape, 0, table.counts[labels])
    chosen = jnp.concatenate([table.whole[labels, choice][None], table.parts[:, labels]])
    return table.rows[chosen]


def text_labels(table: TextTable, labels: jax.Array) -> jax.Array:
    """Numbers (5, B) that two samples share where the same is written about them.

    Of the whole that is the class, which has texts of its own; of a part it is the text, which may recur in
    other classes.

    Args:
      labels: int32, (B,).
    """
    return jnp.concatenate([labels[None], table.parts[:, labels]])


def class_vectors(table: TextTable) -> jax.Array:
    """What each class is like, for recognising it by its description alone.

    Returns:
      (5, K, D), of length 1: the mean direction of the texts of the whole, then the parts.
    """
    rows = _normalise(table.rows)
    real = jnp.arange(table.whole.shape[1], dtype=jnp.int32)[None] < table.counts[:, None]
    mean = jnp.where(real[..., None], rows[table.whole], jnp.zeros((), rows.dtype)).sum(1)
    return _normalise(jnp.concatenate([mean[None], rows[table.parts]]))


def distinctions(vectors: jax.Array) -> jax.Array:
    """What sets each class apart: the direction from the mean of all classes' vectors to its own.

    Args:
      vectors: (5, K, D), see `class_vectors`.

    Returns:
      (5, K, D), of length 1, or 0 where all classes are told the same.
    """
    apart = vectors - vectors.mean(1, keepdims=True)
    length = jnp.linalg.norm(apart, axis=-1, keepdims=True)
    is_apart = length > 1e-4  # of float16 vectors, less is rounding
    return jnp.where(is_apart, apart / jnp.where(is_apart, length, 1), 0)


def _normalise(vectors: jax.Array) -> jax.Array:
    return vectors / jnp.linalg.norm(vectors, axis=-1, keepdims=True)

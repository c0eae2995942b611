"""Cross entropy with label smoothing, and the figures reported beside it."""

import jax
import jax.numpy as jnp
import optax


def cross_entropy(logits: jax.Array, labels: jax.Array, smoothing: float = 0.0) -> jax.Array:
    """Cross entropy of each sample against its label, softened by `smoothing`.

    The target is (1 - smoothing) of the label's class and smoothing / K of each of the K classes (Szegedy et
    al., CVPR 2016).

    Args:
      logits: (B, K).
      labels: (B,), int32.

    Returns:
      (B,), float32 or wider.
    """
    if logits.dtype.itemsize < 4:
        logits = logits.astype(jnp.float32)
    one_hot = jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    return optax.softmax_cross_entropy(logits, optax.smooth_labels(one_hot, smoothing))


def correct(logits: jax.Array, labels: jax.Array) -> jax.Array:
    """1.0 for each sample whose largest logit is its label's, else 0.0.

    Args:
      logits: (B, K).
      labels: (B,), int32.

    Returns:
      (B,), float32.
    """
    return (jnp.argmax(logits, axis=-1) == labels).astype(jnp.float32)

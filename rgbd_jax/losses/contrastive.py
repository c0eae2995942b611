"""The contrastive loss between features and the texts that describe their classes (GAP, ICCV 2023).

Both are compared with each other over the whole batch: under `jit` the global one, whatever the devices.
"""

import jax
import jax.numpy as jnp

# Of the 0/1 label matrix, before the softmax: other classes keep e⁻¹⁰ of the weight of one's own.
SHARPNESS = 10.0


def contrastive_losses(
    features: jax.Array, texts: jax.Array, scales: jax.Array, labels: jax.Array
) -> jax.Array:
    """How far the similarities of features and texts are from the labels', both ways, for each of T kinds.

    GAP weighs the mean over its five kinds, global, head, hand, hip and foot, against the cross entropy.

    Args:
      features, texts: (T, B, W), of any length.
      scales: (T,), which the cosines are multiplied with; the published scale is learnt and used as it is,
        without an exponential.
      labels: int32, samples of the same label are alike: (B,), or (T, B) for each kind by itself.

    Returns:
      (T,), float32 or wider.
    """
    logits = cosine_logits(features, texts, scales[:, None, None])
    target = label_similarity(jnp.broadcast_to(labels, features.shape[:2])).astype(logits.dtype)
    # Both along an axis of the same matrix: turned around, it would move between the devices.
    return (kl_divergence(logits, target, axis=-1) + kl_divergence(logits, target, axis=-2)) / 2


def cosine_logits(a: jax.Array, b: jax.Array, scale: jax.Array) -> jax.Array:
    """The cosine between each row of `a` and of `b`, times `scale`; no vector may be 0.

    Args:
      a, b: (..., B, W).

    Returns:
      (..., B, B), float32 or wider.
    """
    return scale * jnp.einsum("...iw,...jw->...ij", _normalise(a), _normalise(b))


def label_similarity(labels: jax.Array) -> jax.Array:
    """The matrix (..., B, B), float32, that is 1 where two of the samples (..., B) have one label, else 0."""
    return (labels[..., :, None] == labels[..., None, :]).astype(jnp.float32)


def kl_divergence(logits: jax.Array, similarity: jax.Array, axis: int = -1) -> jax.Array:
    """KL(softmax(10 · similarity) ‖ softmax(logits)) along `axis`, one of the last two, of (..., B, B).

    Returns:
      The mean along the other: (...).
    """
    log_target = jax.nn.log_softmax(SHARPNESS * similarity, axis)
    log_found = jax.nn.log_softmax(logits, axis)
    return (jnp.exp(log_target) * (log_target - log_found)).sum(axis).mean(-1)


def _normalise(vectors: jax.Array) -> jax.Array:
    if vectors.dtype.itemsize < 4:
        vectors = vectors.astype(jnp.float32)
    return vectors / jnp.linalg.norm(vectors, axis=-1, keepdims=True)

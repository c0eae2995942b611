"""Losses that keep features of two modalities apart, yet restorable from one code (MotionRGBD, CVPR 2022).

With the cross entropies of the three classifiers and the distillation, all of weight 1, they make the whole
loss of FusionNet.
"""

import jax
import jax.numpy as jnp

# The least log-probability that counts.
FLOOR = -100.0


def modality_loss(rgb: jax.Array, depth: jax.Array) -> jax.Array:
    """Binary cross entropy of telling RGB (1) and depth (0) apart, the sum of both for each sample.

    Args:
      rgb, depth: logits of being RGB, of the features of each modality, (B,).

    Returns:
      (B,).
    """
    log_p, log_q = jax.nn.log_sigmoid(rgb), jax.nn.log_sigmoid(-depth)
    return -jnp.maximum(log_p, FLOOR) - jnp.maximum(log_q, FLOOR)


def reconstruction_loss(decoded: jax.Array, rgb: jax.Array, depth: jax.Array) -> jax.Array:
    """Mean squared difference of what was decoded from the features of each modality, the sum of both.

    Args:
      decoded, rgb, depth: (B, C). Gradients flow to all three.

    Returns:
      (B,).
    """
    return jnp.square(decoded - rgb).mean(-1) + jnp.square(decoded - depth).mean(-1)

"""What a network says of a clip in the space of text vectors (GAP, ICCV 2023)."""

import math

import jax
import jax.numpy as jnp
from flax import nnx

from rgbd_jax.models.dense import NormDense
from rgbd_jax.skeleton_layouts import PARTS

# What each text feature is of: the whole body, then its parts. Terms of the loss follow this order.
TEXT_FEATURES = ("global", *PARTS)
# CLIP's initial temperature. The published loss multiplies with it as it is, without the exponential.
INITIAL_SCALE = math.log(1 / 0.07)


class TextHeads(nnx.Module):
    """Describes the whole body and its parts where no joints tell the parts apart, as in video: each has a
    linear map of the same features."""

    def __init__(self, in_features: int, text_width: int, *, rngs: nnx.Rngs):
        self.projection = NormDense(in_features, len(TEXT_FEATURES) * text_width, rngs=rngs)
        self.logit_scale = nnx.Param(jnp.full(len(TEXT_FEATURES), INITIAL_SCALE, jnp.float32))

    def __call__(self, x: jax.Array) -> dict[str, jax.Array]:
        """(B, C) to text_features (5, B, W) and logit_scale (5,), in the order of `TEXT_FEATURES`."""
        described = self.projection(x).reshape(x.shape[0], len(TEXT_FEATURES), -1)
        return {"text_features": described.swapaxes(0, 1), "logit_scale": self.logit_scale[...]}

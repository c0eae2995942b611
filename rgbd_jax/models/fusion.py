"""FusionNet: RGB and depth together, each told what the other found (Zhou et al., MotionRGBD, CVPR 2022)."""

import jax
import jax.numpy as jnp
from flax import nnx

from rgbd_jax.models.dense import Dense, NormDense
from rgbd_jax.models.i3dwtrans import PICTURES, Trunk
from rgbd_jax.models.layers import BatchNorm
from rgbd_jax.models.temporal_network import join_branches

MODALITIES = ("rgb", "depth")


class FusionNet(nnx.Module):
    """Two trunks that exchange features after each frame and after each clip, then an autoencoder of both."""

    def __init__(
        self,
        *,
        num_classes: int,
        interaction_drop_out: float = 0.4,
        modality_drop_out: float = 0.5,
        rngs: nnx.Rngs,
        **options,
    ):
        """
        Args:
          interaction_drop_out: of what the modalities give each other.
          modality_drop_out: before the classifier that tells the modalities apart.
          options: of both trunks, see `Trunk`.
        """
        self.trunks = nnx.Dict({name: Trunk(rngs=rngs, **options) for name in MODALITIES})
        width = self.trunks["rgb"].width
        self.frame_interaction = Interaction(width, drop_out=interaction_drop_out, rngs=rngs)
        self.clip_interaction = Interaction(width, drop_out=interaction_drop_out, rngs=rngs)
        self.heads = nnx.Dict({name: NormDense(width, num_classes, rngs=rngs) for name in MODALITIES})
        self.autoencoder = Autoencoder(width, num_classes=num_classes, rngs=rngs)
        self.modality_drop_out = nnx.Dropout(modality_drop_out)
        self.modality = Dense(width, 1, bias=False, rngs=rngs)

    def __call__(
        self, inputs: dict[str, dict[str, jax.Array]], *, train: bool, rngs: nnx.Rngs | None = None
    ) -> dict[str, jax.Array]:
        """Classify pairs of clips.

        Args:
          inputs: rgb and depth, each with clip (B, T, H, W, 3) and heat (B, T, H, W, 1) as for `I3DWTrans`.
          train: use and record the batch's own statistics, drop out, draw the frames of the branches.
          rngs: with the stream `dropout`; without it training takes the frames that evaluation does.

        Returns:
          fused, rgb, depth: logits (B, K). For the losses: distillation, the sum of both trunks' (B,);
          rgb_features, depth_features and decoded, what the autoencoder makes of both (B, 512); rgb_modality
          and depth_modality, how much each is taken for RGB, as logits (B,); attention_gap (B,), the smaller
          of both trunks. For pictures, with rgb_ and
          depth_ before the name: attention_small, _media, _large and enhancement of `TemporalNetwork`,
          mixed_4b and mixed_5c of `SpatialNetwork`. All at least in float32.

        Raises:
          ValueError: if the clip does not have clip_length frames or the heat map does not fit.
        """
        frames = {name: self.trunks[name].describe_frames(inputs[name], train=train) for name in MODALITIES}
        projected = {name: frames[name].pop("projected") for name in MODALITIES}
        shared = self._exchange_frames(projected["rgb"], projected["depth"], train=train, rngs=rngs)
        clips, features, out = {}, {}, {}
        for name in MODALITIES:
            temporal = self.trunks[name].temporal
            clips[name] = temporal(projected[name] + shared, train=train, rngs=rngs)
            features[name] = join_branches(clips[name])
            out[name] = self.heads[name](features[name])
        both = unit_length(jnp.concatenate([features["rgb"], features["depth"]], axis=-1))
        shared = self.clip_interaction(both, train=train, rngs=rngs)
        for name in MODALITIES:
            features[name] = out[f"{name}_features"] = features[name] + shared
            dropped = self.modality_drop_out(features[name], deterministic=not train, rngs=rngs)
            out[f"{name}_modality"] = self.modality(dropped)[:, 0]
        out["fused"], out["decoded"] = self.autoencoder(features["rgb"], features["depth"], train=train)
        out["distillation"] = clips["rgb"]["distillation"] + clips["depth"]["distillation"]
        out["attention_gap"] = jnp.minimum(clips["rgb"]["attention_gap"], clips["depth"]["attention_gap"])
        for name in MODALITIES:
            pictures = frames[name] | clips[name]
            out |= {f"{name}_{key}": pictures[key] for key in pictures.keys() & set(PICTURES)}
        return out

    def _exchange_frames(self, rgb, depth, *, train, rngs):
        """(B, T, 512) of each modality to what is added to both."""
        both = unit_length(jnp.concatenate([rgb, depth], axis=-1))
        batch, frames, width = both.shape
        # The published network takes the memory of (T, C) for (C, T), and back in the end. Its weights fit no
        # other order.
        columns = both.reshape(batch, width, frames).swapaxes(1, 2)
        shared = self.frame_interaction(columns, train=train, rngs=rngs)
        return shared.swapaxes(1, 2).reshape(rgb.shape)


class DenseUnit(nnx.Module):
    """Dense layer without bias, batch norm, ReLU."""

    def __init__(self, in_features: int, out_features: int, *, rngs: nnx.Rngs):
        self.dense = Dense(in_features, out_features, bias=False, rngs=rngs)
        self.norm = BatchNorm(out_features, axis=-1, rngs=rngs)

    def __call__(self, x: jax.Array, *, train: bool) -> jax.Array:
        """(..., I) to (..., O)."""
        return nnx.relu(self.norm(self.dense(x), train=train))


class Interaction(nnx.Module):
    """What both modalities together have to tell each of them."""

    def __init__(self, width: int, *, drop_out: float, rngs: nnx.Rngs):
        self.entry = DenseUnit(2 * width, width, rngs=rngs)
        self.out = Dense(width, width, bias=False, rngs=rngs)
        self.drop_out = nnx.Dropout(drop_out)

    def __call__(self, x: jax.Array, *, train: bool, rngs: nnx.Rngs | None = None) -> jax.Array:
        """(..., 2 × width) to (..., width)."""
        y = self.out(self.entry(x, train=train))
        return self.drop_out(y, deterministic=not train, rngs=rngs)


class Autoencoder(nnx.Module):
    """A code of both modalities, which is classified, and what can be restored of the features from it."""

    def __init__(self, width: int, *, num_classes: int, rngs: nnx.Rngs):
        code = width // 2
        self.encoder = nnx.List(
            [
                DenseUnit(2 * width, 2 * width, rngs=rngs),
                DenseUnit(2 * width, width, rngs=rngs),
                DenseUnit(width, code, rngs=rngs),
            ]
        )
        self.code = Dense(code, code, bias=False, rngs=rngs)
        self.classifier = Dense(code, num_classes, bias=False, rngs=rngs)
        self.decoder = nnx.List([DenseUnit(code, code, rngs=rngs), DenseUnit(code, width, rngs=rngs)])

    def __call__(self, rgb: jax.Array, depth: jax.Array, *, train: bool) -> tuple[jax.Array, jax.Array]:
        """Features of both (B, 512) to logits (B, K) and one vector that should be like both, (B, 512)."""
        x = jnp.concatenate([rgb, depth], axis=-1)
        for unit in self.encoder:
            x = unit(x, train=train)
        code = decoded = self.code(x)
        for unit in self.decoder:
            decoded = unit(decoded, train=train)
        return self.classifier(code), decoded


def unit_length(x: jax.Array) -> jax.Array:
    """x over its Euclidean length along the last axis."""
    wide = x if x.dtype.itemsize >= 4 else x.astype(jnp.float32)
    square = jnp.square(wide).sum(-1, keepdims=True)
    return (wide * jax.lax.rsqrt(jnp.maximum(square, 1e-24))).astype(x.dtype)

"""I3DWTrans: decoupled and recoupled space and time for one modality (Zhou et al., MotionRGBD, CVPR 2022)."""

import itertools

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jax.typing import DTypeLike

from rgbd_jax.models.dense import NormDense
from rgbd_jax.models.inception import SpatialNetwork
from rgbd_jax.models.temporal_network import BRANCHES, TemporalNetwork, join_branches
from rgbd_jax.models.text_heads import TextHeads
from rgbd_jax.models.text_tower import TextTower

WIDTH = 512
# What each trunk shows in pictures.
PICTURES = ("mixed_4b", "mixed_5c", "enhancement", *(f"attention_{name}" for name in BRANCHES))


class Trunk(nnx.Module):
    """All but the classifiers: what `I3DWTrans` is and `FusionNet` has two of."""

    def __init__(
        self,
        *,
        width: float = 1.0,
        num_blocks: int = 6,
        frames: tuple[int, int, int] = (16, 32, 48),
        clip_length: int = 64,
        knn_ratio: float = 0.7,
        recoupling: bool = True,
        recoupling_heads: int = 1,
        recoupling_drop_out: float = 0.4,
        frp: bool = True,
        temper: float = 0.5,
        drop_out: float = 0.1,
        eval_draws: int = 0,
        remat: bool = False,
        dtype: DTypeLike | None = None,
        rngs: nnx.Rngs,
    ):
        """
        Args:
          width: factor of all channels, with which 64 divides 512 × width.
          num_blocks: encoder layers of each temporal branch.
          frames: how many of a clip's frames the branches small, media and large see.
          clip_length: frames of a clip.
          knn_ratio: the share of the keys that each query of the attention sees; 0 shows all.
          recoupling: weigh the frames and features of a clip before the branches, and distil what they find
            into these weights.
          recoupling_heads: of the attention between features.
          recoupling_drop_out: where these are merged, if they are several.
          frp: modulate the spatial features by heat maps.
          temper: temperature of the distillation.
          drop_out: in the encoder layers.
          eval_draws: over how many random draws of its frames the features of each branch are averaged in
            evaluation; 0: they are those of the middle frames.
          remat: compute the spatial network's intermediate features twice instead of keeping them.
          dtype: of the computation; None is that of the parameters. Statistics, softmax, the recoupling's
            weights and what is returned keep that of the parameters.
        """
        self.dtype = dtype
        self.width = round(WIDTH * width)
        self.spatial = SpatialNetwork(width=width, frp=frp, remat=remat, dtype=dtype, rngs=rngs)
        self.projection = NormDense(self.spatial.out_channels, self.width, rngs=rngs)
        self.temporal = TemporalNetwork(
            self.width,
            num_blocks=num_blocks,
            frames=frames,
            clip_length=clip_length,
            knn_ratio=knn_ratio,
            recoupling=recoupling,
            recoupling_heads=recoupling_heads,
            recoupling_drop_out=recoupling_drop_out,
            temper=temper,
            drop_out=drop_out,
            eval_draws=eval_draws,
            rngs=rngs,
        )

    def describe_frames(self, inputs: dict[str, jax.Array], *, train: bool) -> dict[str, jax.Array]:
        """See each frame by itself.

        Args:
          inputs: clip (B, T, H, W, 3) and, for frame rank pooling, heat (B, T, H, W, 1).

        Returns:
          What `SpatialNetwork` returns, and projected (B, T, 512) in the dtype of the computation.
        """
        out = self.spatial(inputs["clip"], inputs.get("heat"), train=train)
        features = out["features"]
        return out | {"projected": self.projection(features.astype(self.dtype or features.dtype))}


class I3DWTrans(Trunk):
    """The network for one modality, RGB or depth."""

    def __init__(
        self,
        *,
        num_classes: int,
        text_width: int = 0,
        text_tower: TextTower | None = None,
        rngs: nnx.Rngs,
        **options,
    ):
        """
        Args:
          text_width: of the text vectors that the features are compared with in training; 0: none are.
          text_tower: makes those vectors; None: they come from elsewhere.
          options: see `Trunk`.
        """
        super().__init__(rngs=rngs, **options)
        self.heads = nnx.Dict({name: NormDense(self.width, num_classes, rngs=rngs) for name in BRANCHES})
        self.text_heads = TextHeads(self.width, text_width, rngs=rngs) if text_width else None
        self.text_tower = text_tower

    def __call__(
        self, inputs: dict[str, jax.Array], *, train: bool, rngs: nnx.Rngs | None = None
    ) -> dict[str, jax.Array]:
        """Classify clips, by each branch. `fuse` makes scores of it.

        Args:
          inputs: clip (B, T, H, W, 3), about −1 to 1; and with frame rank pooling heat (B, T, H, W, 1), 0 to
            2, H and W multiples of 32.
          train: use and record the batch's own statistics, drop out, draw the frames of the branches.
          rngs: with the stream `dropout`; without it training takes the frames that evaluation does. A text
            tower needs the stream `texts`.

        Returns:
          small, media, large: the branches' logits (B, K); distillation: the loss of each sample (B,); and
          what pictures show: attention_small, _media, _large and enhancement of `TemporalNetwork`, features,
          mixed_4b and mixed_5c of `SpatialNetwork`; attention_gap (B,) of `TemporalNetwork`. With a text
          width, what `TextHeads` makes of the mean of the branches' features; with a text tower, in training,
          class_texts (5, K, W). All at least in float32.

        Raises:
          ValueError: if the clip does not have clip_length frames or the heat map does not fit.
        """
        frames = self.describe_frames(inputs, train=train)
        out = self.temporal(frames.pop("projected"), train=train, rngs=rngs)
        if self.text_heads is not None:
            out |= self.text_heads(sum(out[name] for name in BRANCHES) / len(BRANCHES))
        if train and self.text_tower is not None:
            out["class_texts"] = self.text_tower(rngs.texts())
        return frames | out | {name: self.heads[name](out[name]) for name in BRANCHES}


def fuse(outputs: dict[str, jax.Array], temperature: jax.Array | float) -> dict[str, jax.Array]:
    """Sharpen the branches' logits by a temperature and join them.

    Args:
      outputs: of `I3DWTrans`.
      temperature: a scalar.

    Returns:
      fused, the largest of the three for each class, and small, media, large: (B, K).
    """
    sharp = {name: outputs[name] / temperature for name in BRANCHES}
    return {"fused": join_branches(sharp)} | sharp


def branch_similarity(outputs: dict[str, jax.Array]) -> jax.Array:
    """How much the branches say the same: the sum of the cosines between the logits of each two of them.

    Args:
      outputs: of `I3DWTrans`.

    Returns:
      (B,), −3 to 3.
    """
    pairs = itertools.combinations((outputs[name] for name in BRANCHES), 2)
    return sum(optax.losses.cosine_similarity(a, b, epsilon=1e-12) for a, b in pairs)


def sharpness_temperature(
    epoch: jax.Array | int,
    num_epochs: int,
    *,
    first: float = 0.04,
    last: float = 0.07,
    rising_epochs: int = 30,
) -> jax.Array:
    """The temperature for `fuse` in an epoch, from 0: in a line from `first` to `last`, where it stays.

    Args:
      num_epochs: of the whole training; where it is less than `rising_epochs`, the rise is as short.

    Returns:
      A scalar, float32.
    """
    steps = max(min(rising_epochs, num_epochs) - 1, 1)
    share = jnp.minimum(jnp.asarray(epoch, jnp.float32) / steps, 1)
    return first + (last - first) * share

"""GAP: CTR-GCN whose features of body parts are supervised by descriptions (Xiang et al., ICCV 2023)."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from rgbd_jax.models.ctrgcn import CTRGCN
from rgbd_jax.models.graph_network import STAGES
from rgbd_jax.models.initializers import kaiming_normal, uniform
from rgbd_jax.models.skeleton_graph import bone_transform, part_means
from rgbd_jax.models.text_heads import INITIAL_SCALE, TEXT_FEATURES
from rgbd_jax.models.text_tower import TextTower
from rgbd_jax.skeleton_layouts import PARTS


class GAP(CTRGCN):
    """The four-part network. Only training looks at text: the logits are CTR-GCN's and all that inference
    needs."""

    def __init__(
        self,
        *,
        num_classes: int,
        layout: str,
        num_persons: int,
        k: int = 0,
        text_width: int = 512,
        text_tower: TextTower | None = None,
        in_channels: int = 3,
        base_width: int = 64,
        stages: Sequence[int] = STAGES,
        adaptive: bool = True,
        drop_out: float = 0.0,
        remat: bool = False,
        dtype: DTypeLike | None = None,
        rngs: nnx.Rngs,
    ):
        """
        Args:
          k: of the transform I − B^k of the input (`bone_transform`): 0 sees joints, 1 bones.
          text_width: width of the text vectors that the features are compared with.
          text_tower: makes those vectors in training; None: they come from elsewhere.
          layout, num_persons, in_channels, base_width, stages, adaptive, drop_out, remat, dtype: see
            `CTRGCN`.
        """
        super().__init__(
            num_classes=num_classes,
            layout=layout,
            num_persons=num_persons,
            in_channels=in_channels,
            base_width=base_width,
            stages=stages,
            adaptive=adaptive,
            drop_out=drop_out,
            remat=remat,
            dtype=dtype,
            rngs=rngs,
        )
        self.k = k
        width = self.classifier.in_features
        self.global_head = nnx.Linear(width, text_width, kernel_init=kaiming_normal(text_width), rngs=rngs)
        bound = uniform(width**-0.5)
        self.part_heads = nnx.Dict(
            {
                part: nnx.Linear(width, text_width, kernel_init=bound, bias_init=bound, rngs=rngs)
                for part in PARTS
            }
        )
        self.logit_scale = nnx.Param(jnp.full(len(TEXT_FEATURES), INITIAL_SCALE, jnp.float32))
        self.text_tower = text_tower

    def __call__(self, x: jax.Array, *, train: bool, rngs: nnx.Rngs | None = None) -> dict[str, jax.Array]:
        """Classify clips, and describe them in the space of the text vectors.

        Args:
          x, train: as for `GraphNetwork`.
          rngs: likewise; in training a text tower needs the stream `texts`.

        Returns:
          What `GraphNetwork` returns, and text_features (5, B, W) and logit_scale (5,), in the order of
          `TEXT_FEATURES`; with a text tower, in training, class_texts (5, K, W).
        """
        dtype = self.logit_scale.dtype
        transform = jnp.asarray(bone_transform(self.layout, self.k), dtype)
        x = jnp.einsum("uv,btmvc->btmuc", transform, x.astype(dtype))
        out = super().__call__(x, train=train, rngs=rngs)

        # The means commute: first over time and persons, then over the joints of each part.
        joints = out["features"].astype(dtype).mean((2, 3))
        means = jnp.asarray(part_means(self.layout, bones=self.k == 1), dtype)
        parts = jnp.einsum("pv,cbv->pbc", means, joints)
        heads = [self.part_heads[part](pooled) for part, pooled in zip(PARTS, parts, strict=True)]
        text_features = jnp.stack([self.global_head(out["pooled"]), *heads])
        out |= {"text_features": text_features, "logit_scale": self.logit_scale[...]}
        if train and self.text_tower is not None:
            out["class_texts"] = self.text_tower(rngs.texts())
        return out

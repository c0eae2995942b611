"""What the tasks on video share: data, network options, the distillation, the figures of a batch."""

import abc
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import nnx
from ml_collections import ConfigDict

from rgbd_jax.config import parity
from rgbd_jax.errors import UserError
from rgbd_jax.losses.classification import correct
from rgbd_jax.models.video_layers import set_norm_momentum
from rgbd_jax.tasks.task import Batch, Outputs, compute_dtype
from rgbd_jax.tasks.video_input import VideoInput


class VideoTask(abc.ABC):
    """Base class of the tasks on colour and depth.

    Attributes:
      modalities: the ways in which a data set may be read.
      branches: those whose accuracy is reported beside that of the fused scores.
      warm_up: of the published program, see `optimizer.learning_rate`.
    """

    modalities: ClassVar[tuple[tuple[str, ...], ...]]
    branches: ClassVar[tuple[str, ...]]
    warm_up: ClassVar[str]
    trunks: ClassVar[Mapping[str, str]] = {}
    streams = ()

    def __init__(self, config: ConfigDict, data: Any):
        """
        Args:
          data: has `num_classes` and `modalities`.

        Raises:
          UserError: if a key of `config.task` has a value that is not allowed, or one that does not fit the
            data.
        """
        if data.modalities not in self.modalities:
            ways = " or ".join(f"({', '.join(map(repr, way))})" for way in self.modalities)
            raise UserError(
                f"config.data.modalities={data.modalities}: the task {config.task.name} needs {ways}"
            )
        self._config = config
        self._num_classes = data.num_classes
        self._input = VideoInput(config.task)

    @property
    def reported(self) -> tuple[str, ...]:
        return ("loss", "top1", *(f"top1_{name}" for name in self.branches), "distillation")

    @property
    def published_warm_up(self) -> str | None:
        return self.warm_up if "rgbd_warm_up" in parity(self._config) else None

    def network(self, rngs: nnx.Rngs) -> nnx.Module:
        network = self._network(rngs)
        set_norm_momentum(network, self._config.model.norm_momentum)
        return network

    @abc.abstractmethod
    def _network(self, rngs: nnx.Rngs) -> nnx.Module:
        """Build the network."""

    def _trunk_options(self) -> dict[str, Any]:
        """What the config says about the network of each modality, see `models.i3dwtrans.Trunk`."""
        config, model = self._config, self._config.model
        return dict(
            width=model.width,
            num_blocks=model.num_blocks,
            frames=tuple(model.frames),
            clip_length=config.data.num_frames,
            knn_ratio=model.knn_ratio,
            recoupling=model.recoupling,
            recoupling_heads=model.recoupling_heads,
            frp=config.task.rank_pooling > 0,
            temper=model.temper,
            drop_out=model.drop_out,
            eval_draws=model.eval_draws,
            remat=model.remat,
            dtype=compute_dtype(config),
        )

    def _whole_loss(
        self,
        losses: jax.Array,
        outputs: Outputs,
        logits: dict[str, jax.Array],
        batch: Batch,
        epoch: jax.Array,
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """What `loss` returns, from the losses of the samples (B,) without the distillation."""
        labels, distillation = batch["label"], outputs["distillation"]
        losses = losses + distillation_weight(self._config, epoch) * distillation
        sums = {"loss": losses.sum(), "top1": correct(logits["fused"], labels).sum()}
        sums |= {f"top1_{name}": correct(logits[name], labels).sum() for name in self.branches}
        return losses.mean(), sums | {"distillation": distillation.sum()}


def distillation_weight(config: ConfigDict, epoch: jax.Array) -> jax.Array:
    """The weight of each sample's distillation in the mean loss of a batch; 0 before it sets in.

    The published loss takes the sum over a batch; stated for its size, it does not depend on ours.
    """
    task = config.task
    first = round(task.distillation_from * config.num_epochs)
    return jnp.where(epoch >= first, task.distillation * task.distillation_batch, 0.0).astype(jnp.float32)

"""What a task is."""

from collections.abc import Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike
from matplotlib.figure import Figure
from ml_collections import ConfigDict

Batch = dict[str, jax.Array]
Outputs = dict[str, jax.Array]


class Task(Protocol):
    """The questions that the training loop and the evaluation ask; neither knows more of the modality.

    Attributes:
      reported: names of the sums that `loss` returns.
      view: what of the data the network sees, a word for the score file; for example the stream.
      published: sums of logits, each a tuple of names of `logits`, the best of which is the published figure;
        empty where the first of the logits is.
      published_warm_up: how the learning rate begins where it does so as in the published program, see
        `optimizer.learning_rate`; None where it does as ours.
      trunks: names, with a slash behind them, of the parts of the network that are networks for one modality,
        by that modality; empty where there are none.
      streams: those of `logits` that come from networks of their own, each with score files of its own, by
        what of the data it sees; the whole is their published sum. Empty where there is but one network.
      pictured: names of the outputs that the pictures are drawn from; those that a network lacks are passed
        over. Outputs within outputs have a slash in their names. The samples are their first axis.
    """

    reported: tuple[str, ...]
    view: str
    published: tuple[tuple[str, ...], ...]
    published_warm_up: str | None
    trunks: Mapping[str, str]
    streams: tuple[str, ...]
    pictured: tuple[str, ...]

    def network(self, rngs: nnx.Rngs) -> nnx.Module:
        """Build the network."""

    def prepare(self, batch: Batch, key: jax.Array, *, train: bool) -> Any:
        """Turn a raw batch into the network's input, on the device; with augmentation if `train`."""

    def loss(
        self, outputs: Outputs, batch: Batch, epoch: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """The scalar to minimise in epoch `epoch` (from 0), and the sums over the samples of `reported`.

        Args:
          key: of what the loss draws at random.
        """

    def logits(self, outputs: Outputs, epoch: jax.Array) -> dict[str, jax.Array]:
        """The class scores of each sample, (B, K), float32, by the name of the branch that gives them.

        The first are the scores of the whole, see `whole_logits`; others are reported beside them.
        """

    def pictures(self, inputs: Any, outputs: dict[str, np.ndarray], sample: int) -> dict[str, Figure]:
        """Draw what the network read and found in one sample of a batch, by the name of the picture's file.

        Args:
          inputs: what `prepare` made of the batch, on the host.
          outputs: of the network, those that are `pictured`.
          sample: its place in the batch.
        """

    def common_pictures(self, outputs: dict[str, np.ndarray]) -> dict[str, Figure]:
        """Draw what all samples of `outputs` show together, by the name of the picture's file."""


def whole_logits(logits: dict[str, jax.Array]) -> jax.Array:
    """The scores of the whole, (B, K), of what `Task.logits` returned.

    To be taken before a compiled function returns them: it gives dicts back in the order of the alphabet.
    """
    return next(iter(logits.values()))


def compute_dtype(config: ConfigDict) -> DTypeLike | None:
    """What a network computes in; None is the dtype of its parameters."""
    return None if config.dtype == "float32" else jnp.bfloat16

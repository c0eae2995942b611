"""What a task is."""

from typing import Any, Protocol

import jax
from flax import nnx

Batch = dict[str, jax.Array]
Outputs = dict[str, jax.Array]


class Task(Protocol):
    """The questions that the training loop and the evaluation ask; neither knows more of the modality.

    Attributes:
      reported: names of the sums that `loss` returns.
    """

    reported: tuple[str, ...]

    def network(self, rngs: nnx.Rngs) -> nnx.Module:
        """Build the network."""

    def prepare(self, batch: Batch, key: jax.Array, *, train: bool) -> Any:
        """Turn a raw batch into the network's input, on the device; with augmentation if `train`."""

    def loss(self, outputs: Outputs, batch: Batch) -> tuple[jax.Array, dict[str, jax.Array]]:
        """The scalar to minimise, and the sums over the samples of the figures to report."""

    def logits(self, outputs: Outputs) -> jax.Array:
        """The class scores of each sample, (B, K), float32."""

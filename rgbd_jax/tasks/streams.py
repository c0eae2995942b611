"""The four streams of a skeleton in one run: one loader, one augmentation, a network for each stream."""

from typing import Any, ClassVar

import jax
import numpy as np
from flax import nnx
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from rgbd_jax.losses.classification import correct
from rgbd_jax.models.side_by_side import SideBySide
from rgbd_jax.report.ensemble import published_weights
from rgbd_jax.streams import STREAMS, of_stream
from rgbd_jax.tasks.skeleton import SkeletonTask
from rgbd_jax.tasks.task import Batch, Outputs, whole_logits

ENSEMBLE = "ensemble"


class StreamsTask:
    """Classifies clips of joints, (B, T, M, V, C), by their four streams and by the sum of these.

    The networks learn what they would learn in four runs: each is initialised by the same seed, sees the same
    augmented clips, drops out and draws texts by the same keys, and has a gradient of its own, as the loss is
    the sum of theirs.
    """

    published = ()
    published_warm_up = None
    trunks: ClassVar = {}
    streams = STREAMS
    view = "+".join(STREAMS)

    def __init__(self, config: ConfigDict, data: Any, *, training: bool):
        """
        Args:
          config: that of a stream's run, but for `task.stream`.
          data, training: see `SkeletonTask`.

        Raises:
          UserError: see `SkeletonTask`.
        """
        self._tasks = {
            stream: SkeletonTask(of_stream(config, stream), data, training=training) for stream in STREAMS
        }
        self._weights = published_weights(config.data.name, STREAMS)
        self.pictured = tuple(
            f"{stream}/{name}" for stream, task in self._tasks.items() for name in task.pictured
        )

    @property
    def _any(self) -> SkeletonTask:
        """A stream's task, for what is the same in all of them."""
        return self._tasks[STREAMS[0]]

    @property
    def reported(self) -> tuple[str, ...]:
        return (*self._any.reported, *(f"top1_{stream}" for stream in STREAMS))

    def network(self, rngs: nnx.Rngs) -> nnx.Module:
        """All draw their weights from copies of the same numbers, as runs with one seed do."""
        return SideBySide({stream: task.network(nnx.clone(rngs)) for stream, task in self._tasks.items()})

    def prepare(self, batch: Batch, key: jax.Array, *, train: bool) -> dict[str, jax.Array]:
        """Each clip is cut and augmented once; see `SkeletonTask.prepare` for the shapes."""
        clips = self._any.clips(batch, key, train=train)
        return {stream: task.derive(clips) for stream, task in self._tasks.items()}

    def loss(
        self, outputs: dict[str, Outputs], batch: Batch, epoch: jax.Array, key: jax.Array
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """The sum of the streams' losses, so that no gradient knows of the others; reported is their mean,
        and as top1 that of the ensemble."""
        losses, sums = {}, {}
        for stream, task in self._tasks.items():
            losses[stream], sums[stream] = task.loss(outputs[stream], batch, epoch, key)
        reported = {
            name: sum(sums[stream][name] for stream in STREAMS) / len(STREAMS) for name in self._any.reported
        }
        reported |= {f"top1_{stream}": sums[stream]["top1"] for stream in STREAMS}
        reported["top1"] = correct(self.logits(outputs, epoch)[ENSEMBLE], batch["label"]).sum()
        return sum(losses.values()), reported

    def logits(self, outputs: dict[str, Outputs], epoch: jax.Array) -> dict[str, jax.Array]:
        found = {
            stream: whole_logits(task.logits(outputs[stream], epoch)) for stream, task in self._tasks.items()
        }
        weighted = zip(self._weights, found.values(), strict=True)
        return {ENSEMBLE: sum(weight * logits for weight, logits in weighted)} | found

    def pictures(
        self, inputs: dict[str, np.ndarray], outputs: dict[str, np.ndarray], sample: int
    ) -> dict[str, Figure]:
        """Those of each stream, in a folder of its name."""
        return {
            f"{stream}/{name}": figure
            for stream, task in self._tasks.items()
            for name, figure in task.pictures(inputs[stream], outputs_of(outputs, stream), sample).items()
        }

    def common_pictures(self, outputs: dict[str, np.ndarray]) -> dict[str, Figure]:
        return self._any.common_pictures(outputs)


def outputs_of(outputs: dict[str, np.ndarray], stream: str) -> dict[str, np.ndarray]:
    """What the network of one stream returned, under its own names."""
    start = f"{stream}/"
    return {name.removeprefix(start): found for name, found in outputs.items() if name.startswith(start)}

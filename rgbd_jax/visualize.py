"""The pictures of an evaluation: of the run, of its classes, and of some samples of the split.

    records -> raw batch -> [ normalise -> network ] -> what the task draws of each sample

What stands in brackets is one compiled step.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh
from matplotlib.figure import Figure
from ml_collections import ConfigDict
from tqdm import tqdm

from rgbd_jax.data.clip_errors import ClipErrors
from rgbd_jax.data.loader import Split, evaluation_batches
from rgbd_jax.experiment import compiled_evaluation
from rgbd_jax.files import safe_name
from rgbd_jax.report.logs import Row
from rgbd_jax.report.metrics import NO_CLASS, confusion_matrix
from rgbd_jax.report.pictures import accuracy_precision_picture, curves_picture, save, verbatim
from rgbd_jax.report.scores import Scores
from rgbd_jax.tasks.task import Outputs, Task, whole_logits
from rgbd_jax.training import sharding
from rgbd_jax.training.state import Arrays, Network, named_leaves


class ViewedBatch(NamedTuple):
    """A batch as the network saw it, on the host.

    Attributes:
      samples: the places of the samples to draw.
      ids, labels: (B,).
      probabilities: (B, K).
      inputs: what the network read.
      outputs: what the task's pictures need of what it returned.
    """

    samples: np.ndarray
    ids: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray
    inputs: Any
    outputs: dict[str, np.ndarray]


Viewer = Callable[[Arrays, Arrays, int], Iterator[ViewedBatch]]


def make_viewer(
    config: ConfigDict,
    task: Task,
    network: Network,
    split: Split,
    mesh: Mesh,
    errors: ClipErrors,
    count: int,
) -> Viewer:
    """A function of (parameters, batch statistics, epoch) that shows the first `count` samples.

    The other arguments are those of `evaluate.make_scorer`. Batches are no larger than they need be: here the
    inputs come back to the host.
    """
    wanted = min(count, len(split))
    batch_size = sharding.round_up(min(config.eval_batch_size, wanted), mesh)

    def seen(inputs: Any, outputs: Outputs, epoch: jax.Array) -> tuple:
        named = named_leaves(outputs)
        pictured = {name: named[name] for name in task.pictured if name in named}
        return jax.nn.softmax(whole_logits(task.logits(outputs, epoch))), inputs, pictured

    view_step = compiled_evaluation(config, task, network, mesh, seen)

    def view(params: Arrays, batch_stats: Arrays, epoch: int) -> Iterator[ViewedBatch]:
        left = wanted
        batches = evaluation_batches(
            split,
            batch_size=batch_size,
            num_workers=config.data.num_workers,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
            errors=errors,
        )
        for batch in batches:
            samples = np.flatnonzero(batch["mask"])[:left]
            left -= len(samples)
            found = view_step(params, batch_stats, sharding.put_batch(batch, mesh), epoch)
            yield ViewedBatch(samples, batch["id"], batch["label"], *sharding.to_host(found))
            if not left:
                return

    return view


def write_run_pictures(folder: Path, scores: Scores, rows: Sequence[Row]) -> None:
    """Write `accuracy_precision.png`, and `curves.png` if there are rows of the training's log."""
    confusion = confusion_matrix(scores)
    save(accuracy_precision_picture(confusion, scores.class_names), folder / "accuracy_precision.png")
    if rows:
        save(curves_picture(rows), folder / "curves.png")


def write_sample_pictures(
    folder: Path, task: Task, split: Split, batches: Iterator[ViewedBatch], total: int
) -> list[str]:
    """Write the pictures of each sample into a folder of its own, `<number>_<id>`, and those of all here.

    Args:
      total: how many samples there will be at most.

    Returns:
      The ids of the samples; they are numbered from 1.
    """
    kept, ids = [], []
    with tqdm(
        desc=f"drawing {split.name}", total=total, unit="sample", disable=None, leave=False
    ) as progress:
        for batch in batches:
            kept.append({name: found[batch.samples] for name, found in batch.outputs.items()})
            for sample in batch.samples:
                ids.append(str(batch.ids[sample]))
                own = folder / file_name(len(ids), ids[-1])
                title = _title(batch, sample, split.class_names)
                _save(own, task.pictures(batch.inputs, batch.outputs, sample), title)
                progress.update()
    if ids:
        outputs = {name: np.concatenate([part[name] for part in kept]) for name in kept[0]}
        _save(folder, task.common_pictures(outputs))
    return ids


def file_name(number: int, sample_id: str) -> str:
    """A name that every file system takes: the number tells apart what becomes alike in it."""
    return f"{number:03d}_{safe_name(sample_id)}"


def _title(batch: ViewedBatch, sample: int, class_names: list[str] | tuple[str, ...]) -> str:
    label, probabilities = batch.labels[sample], batch.probabilities[sample]
    if not np.isfinite(probabilities).all():
        return f"{batch.ids[sample]}\n{class_names[label]}, scores {NO_CLASS}"
    predicted = probabilities.argmax()
    found = "recognised" if predicted == label else f"taken for {class_names[predicted]}"
    return f"{batch.ids[sample]}\n{class_names[label]}, {found} with {100 * probabilities[predicted]:.1f} %"


def _save(folder: Path, pictures: dict[str, Figure], title: str = "") -> None:
    for name, figure in pictures.items():
        if title:
            figure.suptitle(title, fontsize=9, **verbatim())
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        save(figure, path)

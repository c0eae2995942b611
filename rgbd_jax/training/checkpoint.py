"""Checkpoints: the only place that knows Orbax.

A run keeps its newest checkpoint and its best one (by a metric of the validation). Each holds the training
state, the position of the loader and, as JSON, all that evaluation needs: the config and the class names. A
checkpoint appears under its name only when it is complete.
"""

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from orbax.checkpoint import v1 as ocp

from rgbd_jax.config import from_dict
from rgbd_jax.errors import OutsideError, UserError
from rgbd_jax.training.state import TEXT_TOWER, Arrays, TrainState, is_part, named_leaves

FORMAT = 1

_STATE, _LOADER = "state", "loader"
_COMPLETE = "_CHECKPOINT_METADATA"
_policies = ocp.training.preservation_policies


@dataclasses.dataclass(frozen=True)
class Description:
    """What stands beside the arrays of a checkpoint.

    Attributes:
      config: the full config, as nested dicts.
      class_names: in the order of the labels.
      loader: what the loader's position belongs to: the workers, the processes, the data set.
      step: number of training steps done.
      epoch: the epoch, from 0, of the last of them; temperatures may depend on it.
      channels: of video, those of the frames of each modality of the training, see
        `data.video_split.FrameFormat`; empty where that is not known.
      published: of weights that were converted, what else their file said, see `weights.published.Progress`.
    """

    config: dict[str, Any]
    class_names: tuple[str, ...]
    loader: dict[str, Any]
    step: int
    epoch: int
    channels: dict[str, int] = dataclasses.field(default_factory=dict)
    published: dict[str, Any] = dataclasses.field(default_factory=dict)


# The types of what describes a checkpoint; lists are of text. Older checkpoints lack what came later.
_LATER = {"channels": dict, "published": dict}
_KINDS = {"config": dict, "class_names": list, "loader": dict, "step": int, "epoch": int, **_LATER}


class Checkpoints:
    """The checkpoints of a run, in `folder`; a context manager that waits for the last one to be written."""

    def __init__(self, folder: Path, *, best_metric: str):
        self._folder, self._best_metric = folder, best_metric
        best = _policies.BestN(
            get_metric_fn=lambda metrics: metrics[best_metric], n=1, keep_checkpoints_without_metrics=False
        )
        self._checkpointer = ocp.training.Checkpointer(
            folder.absolute(),
            preservation_policy=_policies.AnyPreservationPolicy([_policies.LatestN(1), best]),
            cleanup_tmp_directories=True,
        )

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, kind, *_) -> None:
        try:
            self._checkpointer.close()
        except Exception as error:
            if kind is None:  # else what ended the run is the better message
                raise self._not_written(error) from error

    @property
    def newest(self) -> int | None:
        """Step of the newest checkpoint, None if there is none."""
        newest = self._checkpointer.latest
        return None if newest is None else newest.step

    def save(
        self, state: TrainState, loader: Any, description: Description, metrics: Mapping[str, float] | None
    ) -> None:
        """Begin to write a checkpoint; it is complete some time later, at the latest with the next one.

        Args:
          loader: the loader's iterator; its position at the time of the call is saved.
          metrics: of the validation at this step; without them the checkpoint can be the newest, not the
            best.

        Raises:
          OutsideError: if this checkpoint or the one before could not be written.
        """
        try:
            self._checkpointer.save_checkpointables_async(
                description.step,
                {_STATE: state, _LOADER: loader},
                force=True,
                metrics=None if metrics is None else {self._best_metric: float(metrics[self._best_metric])},
                custom_metadata={"format": FORMAT, **dataclasses.asdict(description)},
            )
        except Exception as error:
            raise self._not_written(error) from error

    def _not_written(self, error: Exception) -> OutsideError:
        complete = max(_complete_in(self._folder), default=None)
        saved = (
            "nothing was saved" if complete is None else f"the last one that was saved is of step {complete}"
        )
        return OutsideError(
            f"{self._folder}: a checkpoint could not be written ({_first_line(error)}); {saved}"
        )

    def restore(
        self, step: int, like: TrainState, loader: Any, loader_identity: dict[str, Any]
    ) -> TrainState:
        """The state of a checkpoint, placed as `like` is; `loader` is set to its position.

        Args:
          like: a state of the same shapes.
          loader_identity: what the position of `loader` belongs to.

        Raises:
          UserError: if the position was saved with other workers, processes or data, where it would mean
            another order, or if the files are damaged.
        """
        folder = self._folder / str(step)
        saved = describe(folder).loader
        for name, now in loader_identity.items():
            if saved.get(name) != now:
                raise UserError(
                    f"{folder}: was saved with {name} {saved.get(name)}; found {now}, use the same"
                )
        shapes = jax.tree.map(lambda leaf: _shape(leaf, leaf.sharding), like)
        with _reading(folder):
            found = self._checkpointer.load_checkpointables(step, {_STATE: shapes, _LOADER: loader})
        return found[_STATE]


def resolve(path: Path, which: str = "newest") -> Path:
    """The folder of one checkpoint, from a run, its `checkpoints` folder or the checkpoint itself.

    Args:
      which: of a run, `newest` or `best`.

    Raises:
      UserError: if there is no checkpoint.
    """
    path = Path(os.path.realpath(path))  # which, unlike Path's, takes links that lead to themselves
    if not os.path.isdir(path):
        raise UserError(f"{path}: there is no such folder; give a run or one of its checkpoints")
    if (path / _COMPLETE).is_file():
        return path
    folder = path / "checkpoints" if (path / "checkpoints").is_dir() else path
    found = _complete_in(folder)
    if not found:
        raise UserError(
            f"{path}: holds no complete checkpoint; give a run that has saved one, or one of its checkpoints"
        )
    if which == "newest":
        return found[max(found)]
    with ocp.training.Checkpointer(folder.absolute()) as checkpointer:
        scored = [
            (*saved.metrics.values(), saved.step) for saved in checkpointer.checkpoints if saved.metrics
        ]
    if not scored:
        raise UserError(f"{path}: no checkpoint has been validated yet; --which=newest takes the newest")
    return found[max(scored)[-1]]


def run_of(checkpoint: Path) -> Path:
    """The run that a checkpoint belongs to; a checkpoint that stands alone is its own run."""
    return checkpoint.parent.parent if checkpoint.parent.name == "checkpoints" else checkpoint


def describe(checkpoint: Path) -> Description:
    """Read what stands beside the arrays.

    Raises:
      UserError: if it is no checkpoint of this program, is damaged, or of a version that is not understood.
    """
    with _reading(checkpoint):
        metadata = ocp.metadata(checkpoint.absolute(), _STATE).custom_metadata or {}
    if metadata.get("format") != FORMAT:
        found = metadata.get("format")
        raise UserError(f"{checkpoint}: is of format {found!r}; this version reads format {FORMAT}")
    names = {field.name for field in dataclasses.fields(Description)}
    found = {name: value for name, value in metadata.items() if name in names}
    for name, kind in _KINDS.items():
        value = found.get(name, {} if name in _LATER else None)
        if not isinstance(value, kind) or (kind is list and not all(isinstance(text, str) for text in value)):
            raise UserError(f"{checkpoint}: is damaged: its {name} is {str(value)[:60]!r}")
    try:
        from_dict(found["config"])
    except ValueError as error:
        raise UserError(f"{checkpoint}: is damaged: {error}") from error
    return Description(**found | {"class_names": tuple(found["class_names"])})


def save_weights(folder: Path, params: Arrays, batch_stats: Arrays, description: Description) -> None:
    """Write weights that were not trained here as a checkpoint that stands alone, to be evaluated.

    Args:
      folder: is made, or replaced.

    Raises:
      OutsideError: if it could not be written.
    """
    state = {"params": params, "batch_stats": batch_stats, "ema_params": {}}
    try:
        ocp.save_checkpointables(
            folder.absolute(),
            {_STATE: jax.tree.map(jnp.asarray, state)},
            overwrite=True,
            custom_metadata={"format": FORMAT, **dataclasses.asdict(description)},
        )
    except Exception as error:
        raise OutsideError(
            f"{folder}: the checkpoint could not be written ({_first_line(error)}); nothing was saved"
        ) from error


def load_weights(
    checkpoint: Path, params: Arrays, batch_stats: Arrays, placement: jax.sharding.Sharding
) -> tuple[Arrays, Arrays]:
    """The parameters to evaluate with (the moving average where there is one) and the batch statistics.

    Args:
      params, batch_stats: of the network that is to receive them; their shapes are what counts. What of a
        network only training needs may be left out.

    Raises:
      UserError: if the checkpoint is of another network.
    """
    saved_params, saved_stats = saved_shapes(checkpoint)
    problems = _mismatches(saved_params, params) + _mismatches(saved_stats, batch_stats)
    if problems:
        shown = "; ".join(problems[:3]) + (f"; and {len(problems) - 3} more" if len(problems) > 3 else "")
        raise UserError(f"{checkpoint}: is a checkpoint of another network: {shown}")
    source = _params_to_use(checkpoint)
    want = {source: params, "batch_stats": batch_stats}
    want = jax.tree.map(lambda leaf: _shape(leaf, placement), want)
    context = ocp.Context()
    context.pytree.loading.partial_load = True
    with context, _reading(checkpoint):
        found = ocp.load_checkpointables(checkpoint.absolute(), {_STATE: want})[_STATE]
    return found[source], found["batch_stats"]


def saved_shapes(checkpoint: Path) -> tuple[Arrays, Arrays]:
    """Shapes (`jax.ShapeDtypeStruct` leaves) of the parameters and batch statistics in a checkpoint.

    Positions in lists are text here.
    """
    with _reading(checkpoint):
        saved = ocp.metadata(checkpoint.absolute(), _STATE).metadata
        return jax.tree.map(_shape, (saved[_params_to_use(checkpoint)], saved["batch_stats"]))


def _params_to_use(checkpoint: Path) -> str:
    saved = ocp.metadata(checkpoint.absolute(), _STATE).metadata
    return "ema_params" if saved.get("ema_params") else "params"


@contextlib.contextmanager
def _reading(checkpoint: Path) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"{checkpoint}: cannot be read as a checkpoint ({_first_line(error)})") from error


def _complete_in(folder: Path) -> dict[int, Path]:
    """The complete checkpoints of a run by their step."""
    return {int(p.name): p for p in folder.iterdir() if p.name.isdigit() and (p / _COMPLETE).is_file()}


def _shape(leaf: Any, placement: jax.sharding.Sharding | None = None) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=placement)


def _mismatches(saved: Any, want: Any) -> list[str]:
    """One line for each array that one side has and the other has not, or in another shape."""
    found, needed = (
        {name: tuple(leaf.shape) for name, leaf in named_leaves(tree).items()} for tree in (saved, want)
    )
    return [
        f"{name} is {found.get(name, 'absent')}, needed is {needed.get(name, 'none')}"
        for name in sorted(found.keys() | needed.keys())
        if found.get(name) != needed.get(name) and (name in needed or not is_part(name, (TEXT_TOWER,)))
    ]


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]

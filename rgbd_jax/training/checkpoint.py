"""Checkpoints: the only place that knows Orbax.

A run keeps its newest two checkpoints and its best one (by the validation). Each holds the training state,
the position of the loader and, as JSON, all that evaluation needs: the config and the class names. A
checkpoint appears under its name only when it is complete, with the checksums of its files in it. It is
written before its epoch is validated; what the validation found is added to it. Which one of a run is chosen,
`checkpoint_folders.py` says.
"""

import asyncio
import contextlib
import dataclasses
import json
import logging
from collections.abc import Awaitable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from orbax.checkpoint import v1 as ocp

from rgbd_jax.config import from_dict
from rgbd_jax.errors import OutsideError, UserError, first_line
from rgbd_jax.files import replacing, to_json
from rgbd_jax.json_lines import parse_json
from rgbd_jax.training.checkpoint_folders import (
    BEST_METRIC,
    CRC32,
    FORMAT,
    VALIDATION,
    add_checksums,
    best_in,
    complete_in,
    format_of,
)
from rgbd_jax.training.integrity import checksum_of
from rgbd_jax.training.state import TEXT_TOWER, Arrays, TrainState, is_part, named_leaves

_STATE, _LOADER = "state", "loader"
_policies = ocp.training.preservation_policies


def _is_no_echo(record: logging.LogRecord) -> bool:
    return not (record.exc_info and "/orbax/" in record.pathname)


# Each of Orbax's threads logs, with a traceback, why it could not save. It raises that too, and one line of
# ours says it, which these would drown or even follow.
logging.getLogger("absl").addFilter(_is_no_echo)


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
      log_rows: rows of the run's log at that moment.
      published: of weights that were converted, what else their file said, see `weights.published.Progress`.
    """

    config: dict[str, Any]
    class_names: tuple[str, ...]
    loader: dict[str, Any]
    step: int
    epoch: int
    channels: dict[str, int] = dataclasses.field(default_factory=dict)
    log_rows: int = 0
    published: dict[str, Any] = dataclasses.field(default_factory=dict)


# The types of what describes a checkpoint; lists are of text. Older checkpoints lack what came later.
_LATER = {"channels": dict, "log_rows": int, "published": dict}
_KINDS = {"config": dict, "class_names": list, "loader": dict, "step": int, "epoch": int, **_LATER}


class Checkpoints:
    """The checkpoints of a run, in `folder`; a context manager that waits for the last one to be written."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._saving: Any = None  # Orbax's answer to the last save
        self._unfinished: Path | None = None  # where the one that is being written lies until it is complete
        context = ocp.Context()
        # Called last of all before a checkpoint gets its name. Orbax copies its options deeply: a method
        # would come with a copy of this object, a function does not.
        context.asynchronous.post_finalization_callback = lambda: add_checksums(self._unfinished)
        self._checkpointer = ocp.training.Checkpointer(
            folder.absolute(),
            context=context,
            preservation_policy=_policies.AnyPreservationPolicy([_policies.LatestN(2), _KeepBest(folder)]),
            cleanup_tmp_directories=True,
        )

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, kind, error, _) -> None:
        try:
            self._checkpointer.close()
        except Exception as unwritten:
            if kind is None:  # else what ended the run is the better message
                raise self.telling_what_was_saved(self._not_written(unwritten)) from unwritten
        if isinstance(error, OutsideError):
            raise self.telling_what_was_saved(error) from error

    def telling_what_was_saved(self, error: OutsideError) -> OutsideError:
        """An error that also says from where there is to go on, as one does that leaves the block."""
        newest = self.newest
        saved = "nothing was saved" if newest is None else f"the last checkpoint is of step {newest}"
        return OutsideError(f"{error}; {saved}")

    @property
    def newest(self) -> int | None:
        """Step of the newest checkpoint that is complete, None if there is none."""
        return max(complete_in(self._folder), default=None)

    def save(self, state: TrainState, position: dict[str, Any], description: Description) -> None:
        """Begin to write a checkpoint; it is complete some time later, at the latest with the next one.

        Args:
          position: of the loader's iterator, its `get_state`.

        Raises:
          OutsideError: if this checkpoint or the one before could not be written.
        """
        self.wait()
        try:
            self._saving = self._checkpointer.save_checkpointables_async(
                description.step,
                {_STATE: state, _LOADER: _Position(position, self._begin)},
                force=True,
                custom_metadata=_stored(description),
            )
        except Exception as error:
            raise self._not_written(error) from error

    def wait(self) -> None:
        """Wait until what was begun is complete. OutsideError if it could not be written."""
        saving, self._saving = self._saving, None
        try:
            if saving is not None:
                saving.result()  # each answer has a thread of its own, which ends when it is asked
            self._checkpointer.wait()
        except Exception as error:
            raise self._not_written(error) from error

    def add_validation(self, step: int, figure: float) -> None:
        """Add what the validation at this step found: `BEST_METRIC`, by which the best is chosen.

        Raises:
          OutsideError: if the checkpoint of this step, or this, could not be written.
        """
        self.wait()
        if jax.process_index() == 0:
            with replacing(self._folder / str(step) / VALIDATION) as temporary:
                temporary.write_text(to_json({BEST_METRIC: figure}), encoding="utf-8")

    def _begin(self, folder: Path) -> None:
        self._unfinished = folder

    def _not_written(self, error: Exception) -> OutsideError:
        return OutsideError(f"{self._folder}: a checkpoint could not be written ({first_line(error)})")

    def restore(
        self, step: int, like: TrainState, loader: Any, loader_identity: dict[str, Any]
    ) -> TrainState:
        """The state of a checkpoint, placed as `like` is; `loader` is set to its position.

        Args:
          like: a state of the same shapes.
          loader_identity: what the position of `loader` belongs to.

        Raises:
          UserError: if the position was saved with other workers, processes or data, where it would mean
            another order, if the checkpoint is of an earlier version, or if the files are damaged.
        """
        folder = self._folder / str(step)
        if format_of(folder) == 1:
            raise UserError(
                f"{folder}: is of format 1, of an earlier version; it can be evaluated, but not gone on with"
            )
        saved = describe(folder).loader
        for name, now in loader_identity.items():
            if saved.get(name) != now:
                raise UserError(
                    f"{folder}: was saved with {name} {saved.get(name)}; found {now}, use the same"
                )
        shapes = jax.tree.map(lambda leaf: _shape(leaf, leaf.sharding), like)
        position = _Position()
        with _reading(folder):
            found = self._checkpointer.load_checkpointables(step, {_STATE: shapes, _LOADER: position})
            loader.set_state(position.state)
        return found[_STATE]


class _Position:
    """The position of each process's loader, as Orbax's `StatefulCheckpointable`."""

    def __init__(self, state: dict[str, Any] | None = None, begin=lambda folder: None):
        """
        Args:
          state: what to save; what was loaded, later.
          begin: is told the folder of the whole checkpoint when it is made.
        """
        self.state, self._begin = state, begin

    async def save(self, directory: Any) -> Awaitable[None]:
        text = json.dumps(self.state)

        async def write() -> None:
            folder = Path(await directory.await_creation())
            self._begin(folder.parent)
            await asyncio.to_thread(self._file(folder).write_text, text)

        return write()

    async def load(self, directory: Any) -> Awaitable[None]:
        async def read() -> None:
            self.state = parse_json(await asyncio.to_thread(self._file(Path(directory)).read_text))

        return read()

    @staticmethod
    def _file(folder: Path) -> Path:
        return folder / f"process_{jax.process_index()}-of-{jax.process_count()}.json"


@dataclasses.dataclass
class _KeepBest(_policies.PreservationPolicy):
    """Preserves the checkpoint in `folder` whose validation was the best."""

    folder: Path

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> Sequence[bool]:
        del context
        best = best_in(self.folder)
        return [checkpoint.step == best for checkpoint in checkpoints]


def describe(checkpoint: Path) -> Description:
    """Read what stands beside the arrays.

    Raises:
      UserError: if it is no checkpoint of this program, is damaged, or of a version that is not understood.
    """
    with _reading(checkpoint):
        metadata = ocp.metadata(checkpoint.absolute(), _STATE).custom_metadata or {}
    if metadata.get("format") not in (1, FORMAT):
        found = metadata.get("format")
        raise UserError(f"{checkpoint}: is of format {found!r}; this version reads format {FORMAT}")
    names = {field.name for field in dataclasses.fields(Description)}
    found = {name: value for name, value in metadata.items() if name in names}
    for name, kind in _KINDS.items():
        value = found.get(name, kind() if name in _LATER else None)
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
            custom_metadata=_stored(description),
        )
        add_checksums(folder)
    except Exception as error:
        raise OutsideError(
            f"{folder}: the checkpoint could not be written ({first_line(error)}); nothing was saved"
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
        raise UserError(f"{checkpoint}: cannot be read as a checkpoint ({first_line(error)})") from error


def _stored(description: Description) -> dict[str, Any]:
    metadata = {"format": FORMAT, **dataclasses.asdict(description)}
    return metadata | {CRC32: checksum_of(metadata)}


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

"""The training loop, read from top to bottom.

    records -> raw batch -> [ augment -> network -> loss -> gradient -> Optax ] -> new state

What stands in brackets is one compiled step (`experiment.py`). The loop knows no modality: a task (`tasks/`)
joins network, input and loss.
"""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from rgbd_jax import config as configs
from rgbd_jax.data.allocator import give_back_freed_memory
from rgbd_jax.data.clip_errors import ClipErrors
from rgbd_jax.data.loader import (
    open_configured_split,
    open_training_split,
    steps_per_epoch,
    training_batches,
)
from rgbd_jax.errors import OutsideError, Preempted, UserError
from rgbd_jax.evaluate import make_scorer
from rgbd_jax.experiment import Experiment, Figures
from rgbd_jax.files import replacing
from rgbd_jax.provenance import record_session
from rgbd_jax.report.logs import ProgressLine, RunLog
from rgbd_jax.report.metrics import summary
from rgbd_jax.training import sharding
from rgbd_jax.training.checkpoint import Checkpoints, Description, resolve
from rgbd_jax.training.memory import MeasuredStep, explaining_exhaustion
from rgbd_jax.training.preemption import StopRequest
from rgbd_jax.training.throughput import Throughput
from rgbd_jax.training.transfer import find_start, start_from

BEST_METRIC = "top1"
GIVE_UP_AFTER = 10  # steps in a row that are not finite


def train(config: ConfigDict, workdir: Path) -> None:
    """Train as `config` says, in `workdir`; go on from its newest checkpoint if it holds the same experiment.

    Raises:
      UserError: before anything is written, if the config, the data or the folder do not fit.
      Preempted: after SIGTERM, when the state is saved.
    """
    # ------------------------------------------------------------------ devices and data
    mesh = sharding.make_mesh()
    sharding.check_batch_size("batch_size", config.batch_size, mesh, config.accumulate)
    data = config.data
    training = open_training_split(data)
    validation = open_configured_split(data, data.eval_split)
    epoch_steps = steps_per_epoch(training, batch_size=config.batch_size, repeat=data.repeat)
    unreadable, unreadable_in_validation = (
        ClipErrors(data.on_error, workdir / "data_errors.jsonl", split, max_share=data.max_unreadable)
        for split in (data.train_split, data.eval_split)
    )
    batches = training_batches(
        training,
        batch_size=config.batch_size,
        seed=config.seed,
        num_workers=data.num_workers,
        repeat=data.repeat,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
        errors=unreadable,
    )
    loader = {"num_workers": data.num_workers, "processes": jax.process_count(), **training.identity}

    # ------------------------------------------------------------------ network and steps
    experiment = Experiment.build(config, training, epoch_steps, mesh)
    task, plateau = experiment.task, experiment.plateau
    train_step = MeasuredStep(experiment.compiled_step(), config, mesh)
    score = make_scorer(config, task, experiment.network, validation, mesh, unreadable_in_validation)
    state = experiment.initial_state()

    # ------------------------------------------------------------------ a new run, or where to go on
    if not has_checkpoint(workdir):
        starts = find_start(config, task.trunks)
        if starts:
            state = start_from(starts, state, training.class_names)
    claim_workdir(workdir, config)
    with StopRequest() as stop, Checkpoints(workdir / "checkpoints", best_metric=BEST_METRIC) as checkpoints:
        if checkpoints.newest is not None:
            state = checkpoints.restore(checkpoints.newest, state, batches, loader)
        store_config(workdir, config)
        first_step, last_step = (
            int(state.step),
            epoch_steps * min(config.stop_epoch or config.num_epochs, config.num_epochs),
        )
        if first_step >= last_step:
            print(f"{workdir}: was trained to the end already, step {first_step}", file=sys.stderr)
            return
        record_session(workdir, first_step)

        def save(step: int, metrics: dict[str, float] | None = None) -> None:
            description = Description(
                config=config.to_dict(),
                class_names=training.class_names,
                loader=loader,
                step=step,
                epoch=(step - 1) // epoch_steps,
                channels=training.channels,
            )
            checkpoints.save(state, batches, description, metrics)

        # -------------------------------------------------------------- the loop
        with (
            RunLog(workdir, resume_step=first_step) as log,
            ProgressLine(first_step, last_step) as progress,
            explaining_lack_of_memory(train_step, checkpoints),
        ):
            throughput = Throughput(config.batch_size)
            figures = earlier = None
            unseen = []  # steps of this epoch whose figures have not been looked at
            for step in range(first_step + 1, last_step + 1):
                epoch = (step - 1) // epoch_steps
                with saying_what_was_saved(checkpoints):
                    clips = throughput.fetch(batches)
                batch = sharding.put_batch(clips, mesh)
                # One step may wait behind the running one, so that the device is never idle; not more, so
                # that a request to stop is answered soon.
                jax.block_until_ready(earlier)
                earlier = figures
                if step == first_step + 1:
                    for line in train_step.compile(state, batch):
                        progress.note(line)
                state, figures = train_step(state, batch)
                unseen.append(Step(step, clips["id"], figures["skipped"]))
                throughput.running(figures["loss"])
                if step == first_step + 1:
                    throughput.restart()  # compilation is over
                stopping, epoch_ends = stop.received, step % epoch_steps == 0
                logs = step % config.log_every == 0
                saves = epoch_ends or stopping or step % config.checkpoint_every == 0

                if logs or saves:
                    name_skipped(unseen, epoch, log)
                    unseen.clear()
                if logs:
                    row = floats(figures) | throughput.since("step")
                    log.write("step", "train", step, epoch, **row)
                    progress.show(step, epoch, row)
                if epoch_ends:
                    sums = floats(state.sums)
                    row = {name: sums[name] / max(sums["count"], 1) for name in task.reported}
                    row |= {"skipped": sums["skipped"], "data_errors": len(unreadable.ids)}
                    row |= {"lr": float(figures["lr"])} | throughput.since("epoch")
                    log.write("epoch", "train", step, epoch, **row)
                    with saying_what_was_saved(checkpoints):
                        validated = summary(score(state.eval_params, state.batch_stats, epoch))
                    validated |= {"data_errors": len(unreadable_in_validation.ids)}
                    log.write("epoch", "valid", step, epoch, **validated)
                    progress.epoch(step, epoch, row, validated)
                    give_back_freed_memory()
                    throughput.restart()
                    if plateau:
                        moved = plateau.update(sharding.to_host(state.plateau), epoch, validated[BEST_METRIC])
                        state = state.replace(plateau=jax.device_put(moved, sharding.replicated(mesh)))
                    save(step, validated)
                elif saves:
                    save(step)
                if logs or epoch_ends:
                    give_up_if_stuck(int(state.skipped_in_row), step, checkpoints)
                if stopping:
                    raise Preempted(
                        f"SIGTERM: stopped and saved after step {step} of {last_step} in {workdir}"
                    )


class Step(NamedTuple):
    """A step that was given to the device: its number, the samples that this process gave it, and whether it
    was not finite, which is known when it is over."""

    number: int
    ids: np.ndarray
    skipped: jax.Array


def name_skipped(steps: Sequence[Step], epoch: int, log: RunLog) -> None:
    """Wait for some steps of an epoch, and log the samples of those that were not finite."""
    for step in steps:
        if step.skipped:
            log.write("skipped", "train", step.number, epoch, ids=step.ids.tolist())


def has_checkpoint(workdir: Path) -> bool:
    """Whether there is a run to go on with."""
    try:
        resolve(workdir)
    except UserError:
        return False
    return True


def claim_workdir(workdir: Path, config: ConfigDict) -> None:
    """Make `workdir` the folder of this experiment, or see that it is already.

    Raises:
      UserError: if it holds another experiment or anything else.
    """
    stored = workdir / "config.json"
    if stored.is_file():
        try:
            config_of_run = configs.from_json(stored.read_text())
        except (ValueError, TypeError, AttributeError) as error:
            raise UserError(
                f"{stored}: is not the config of a run ({error}); choose another --workdir"
            ) from error
        if changed := "; ".join(configs.differences(config_of_run, config)):
            raise UserError(f"{stored}: the run is another experiment ({changed}); choose another --workdir")
    elif workdir.exists() and (not workdir.is_dir() or any(workdir.iterdir())):
        raise UserError(f"{workdir}: is no run and not empty; choose another --workdir")
    else:
        store_config(workdir, config)


def store_config(workdir: Path, config: ConfigDict) -> None:
    """Write the full config to the run's folder."""
    with replacing(workdir / "config.json") as temporary:
        temporary.write_text(configs.to_json(config))


def floats(figures: Figures) -> dict[str, float]:
    """The figures on the host."""
    return {name: float(value) for name, value in figures.items()}


def give_up_if_stuck(skipped_in_row: int, step: int, checkpoints: Checkpoints) -> None:
    """Raise an OutsideError when `GIVE_UP_AFTER` steps or more, one after the other, were not finite."""
    if skipped_in_row >= GIVE_UP_AFTER:
        with saying_what_was_saved(checkpoints):
            raise OutsideError(
                f"loss or gradient were not finite in {skipped_in_row} steps up to step {step}"
            )


@contextlib.contextmanager
def saying_what_was_saved(checkpoints: Checkpoints) -> Iterator[None]:
    """Add to an OutsideError from within which checkpoint there is to go on from."""
    try:
        yield
    except OutsideError as error:
        newest = checkpoints.newest
        saved = "nothing was saved" if newest is None else f"the last checkpoint is of step {newest}"
        raise OutsideError(f"{error}; {saved}") from error


@contextlib.contextmanager
def explaining_lack_of_memory(train_step: MeasuredStep, checkpoints: Checkpoints) -> Iterator[None]:
    """Raise an OutsideError, with what makes the step need less, where a device's memory does not suffice."""
    try:
        yield
    except jax.errors.JaxRuntimeError:
        with saying_what_was_saved(checkpoints), explaining_exhaustion(train_step.advice):
            raise

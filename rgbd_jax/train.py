"""The training loop, read from top to bottom.

    records -> raw batch -> [ augment -> network -> loss -> gradient -> Optax ] -> new state

What stands in brackets is one compiled step (`experiment.py`). The loop knows no modality: a task (`tasks/`)
joins network, input and loss.
"""

import itertools
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from ml_collections import ConfigDict

from rgbd_jax.data.allocator import give_back_freed_memory
from rgbd_jax.data.clip_errors import ClipErrors
from rgbd_jax.data.loader import (
    open_configured_split,
    open_training_split,
    steps_per_epoch,
    training_batches,
)
from rgbd_jax.errors import OutsideError, Preempted
from rgbd_jax.evaluate import make_scorer, share_faults
from rgbd_jax.experiment import Experiment, Figures
from rgbd_jax.leaving import say
from rgbd_jax.provenance import record_session
from rgbd_jax.report.logs import NoLog, ProgressLine, RunLog
from rgbd_jax.report.metrics import summary
from rgbd_jax.run_folder import claim_workdir, store_config
from rgbd_jax.training import sharding, together
from rgbd_jax.training.checkpoint import Checkpoints, Description, describe
from rgbd_jax.training.checkpoint_folders import BEST_METRIC, newest_intact, set_aside_newer, validation_of
from rgbd_jax.training.memory import MeasuredStep
from rgbd_jax.training.preemption import SharedStopRequest, StopRequest
from rgbd_jax.training.state import TrainState
from rgbd_jax.training.throughput import Throughput
from rgbd_jax.training.transfer import find_start, start_from


def train(config: ConfigDict, workdir: Path) -> None:
    """Train as `config` says, in `workdir`; go on from its newest checkpoint if it holds the same experiment.

    Raises:
      UserError: before anything is written, if the config, the data or the folder do not fit.
      Preempted: after SIGTERM, when the state is saved.
    """
    # ------------------------------------------------------------------ devices and data
    mesh = sharding.make_mesh(fsdp=config.fsdp)
    sharding.check_batch_size("batch_size", config.batch_size, mesh, config.accumulate)
    data = config.data
    training = open_training_split(data)
    validation = open_configured_split(data, data.eval_split)
    epoch_steps = steps_per_epoch(training, batch_size=config.batch_size, repeat=data.repeat)
    faulty, faulty_in_validation = (
        ClipErrors(
            data.on_error,
            workdir / "data_errors.jsonl",
            split,
            max_share=data.max_unreadable,
            writes=together.is_first(),
        )
        for split in (data.train_split, data.eval_split)
    )
    if data.eval_split == data.train_split:
        faulty_in_validation = faulty  # each clip is named once
    batches = training_batches(
        training,
        batch_size=config.batch_size,
        seed=config.seed,
        num_workers=data.num_workers,
        repeat=data.repeat,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
        errors=faulty,
    )
    loader = {"num_workers": data.num_workers, "processes": jax.process_count(), **training.identity}

    # ------------------------------------------------------------------ network and steps
    experiment = Experiment.build(config, training, epoch_steps, mesh)
    task, plateau = experiment.task, experiment.plateau
    train_step = MeasuredStep(experiment.compiled_step(), config, mesh)
    score = make_scorer(config, task, experiment.network, validation, mesh, faulty_in_validation)
    state = experiment.initial_state()

    # ------------------------------------------------------------------ a new run, or where to go on
    found = together.by_the_first(lambda: name_of(newest_intact(workdir / "checkpoints")))
    newest = None if found is None else workdir / "checkpoints" / found
    if newest is None:
        starts = find_start(config, task.trunks)
        if starts:
            state = start_from(starts, state, training.class_names)
    together.by_the_first(partial(take_over, workdir, config, newest))
    before_the_first_step = (
        f"SIGTERM: stopped before the first step; there is nothing new to save in {workdir}"
    )
    with (
        (
            StopRequest(lambda: before_the_first_step) if jax.process_count() == 1 else SharedStopRequest()
        ) as stop,
        Checkpoints(workdir / "checkpoints") as checkpoints,
    ):
        if newest is not None:
            state = checkpoints.restore(int(newest.name), state, batches, loader)
        first_step, last_step = (
            int(state.step),
            epoch_steps * min(config.stop_epoch or config.num_epochs, config.num_epochs),
        )
        # A checkpoint is written before its epoch is validated, and so before the plateau is told.
        epoch_is_over = newest is not None and first_step % epoch_steps == 0
        figure = validation_of(newest) if epoch_is_over else None
        to_validate = epoch_is_over and figure is None
        log_rows = None if newest is None else describe(newest).log_rows + (figure is not None)
        if first_step >= last_step and not to_validate:
            if together.is_first():
                say(f"{workdir}: was trained to the end already, step {first_step}")
            return
        if together.is_first():
            store_config(workdir, config)
            record_session(workdir, first_step)
            log = RunLog(workdir, first_step, validated=not to_validate, num_rows=log_rows)
            progress = ProgressLine(first_step, last_step)
        else:
            log = progress = NoLog()

        def save(step: int, position: dict[str, Any]) -> None:
            description = Description(
                config=config.to_dict(),
                class_names=training.class_names,
                loader=loader,
                step=step,
                epoch=(step - 1) // epoch_steps,
                channels=training.channels,
                log_rows=log.num_rows,
            )
            checkpoints.save(state, position, description)

        def last_words(step: int, position: dict[str, Any]) -> str:
            """Save the state after `step`, if it is not saved yet, and say so."""
            try:
                checkpoints.wait()
                if step > first_step and checkpoints.newest != step:
                    name_skipped(unseen, (step - 1) // epoch_steps, log)
                    save(step, position)
                    checkpoints.wait()
                log.flush()
            except OutsideError as error:
                raise checkpoints.telling_what_was_saved(error) from error
            if checkpoints.newest is None:
                return before_the_first_step
            return f"SIGTERM: stopped and saved after step {step} of {last_step} in {workdir}"

        def validate(step: int) -> dict[str, float]:
            epoch = (step - 1) // epoch_steps
            with stop.at_once(partial(last_words, step, batches.get_state())):
                validated = summary(score(state.eval_params, state.batch_stats, epoch))
            validated |= {"data_errors": faulty_in_validation.count()}
            log.write("epoch", "valid", step, epoch, **validated)
            checkpoints.add_validation(step, validated[BEST_METRIC])
            return validated

        def told_plateau(epoch: int, figure: float) -> TrainState:
            if not plateau:
                return state
            moved = plateau.update(sharding.to_host(state.plateau), epoch, figure)
            return state.replace(plateau=sharding.place(moved, sharding.state_shardings(moved, mesh)))

        # -------------------------------------------------------------- the loop
        with log, progress, train_step.explaining_exhaustion():
            throughput = Throughput(config.batch_size)
            figures = earlier = None
            unseen = []  # steps of this epoch whose figures have not been looked at
            faulty.step = faulty_in_validation.step = first_step
            if epoch_is_over:
                epoch = first_step // epoch_steps - 1
                if to_validate:
                    validated = validate(first_step)
                    progress.epoch(first_step, epoch, {}, validated)
                    figure = validated[BEST_METRIC]
                state = told_plateau(epoch, figure)
            for step in range(first_step + 1, last_step + 1):
                epoch = (step - 1) // epoch_steps
                faulty.step = faulty_in_validation.step = step
                with stop.at_once(partial(last_words, step - 1, batches.get_state())):
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
                    stop.wait_for_steps()
                stopping, epoch_ends = stop.received, step % epoch_steps == 0
                logs = step % config.log_every == 0
                saves = epoch_ends or stopping or step % config.checkpoint_every == 0

                if logs or saves:
                    name_skipped(unseen, epoch, log)
                    unseen.clear()
                if saves:
                    share_faults(faulty, len(training))
                if logs:
                    row = floats(figures) | throughput.since("step")
                    log.write("step", "train", step, epoch, **row)
                    progress.show(step, epoch, row)
                if epoch_ends:
                    sums = floats(state.sums)
                    # Where no step was finite there is no mean.
                    row = {name: sums[name] / (sums["count"] or math.nan) for name in task.reported}
                    row |= {"skipped": sums["skipped"], "data_errors": faulty.count()}
                    row |= {"lr": float(figures["lr"])} | throughput.since("epoch")
                    log.write("epoch", "train", step, epoch, **row)
                if saves:
                    save(step, batches.get_state())
                if stopping:
                    checkpoints.wait()
                    raise Preempted(
                        f"SIGTERM: stopped and saved after step {step} of {last_step} in {workdir}"
                    )
                if epoch_ends:
                    validated = validate(step)
                    progress.epoch(step, epoch, row, validated)
                    give_back_freed_memory()
                    throughput.restart()
                    state = told_plateau(epoch, validated[BEST_METRIC])
                if logs or epoch_ends:
                    give_up_if_stuck(int(state.skipped_in_row), config.max_skipped_steps, step)


class Step(NamedTuple):
    """A step that was given to the device: its number, the samples that this process gave it, and whether it
    was not finite, which is known when it is over."""

    number: int
    ids: np.ndarray
    skipped: jax.Array


def name_skipped(steps: Sequence[Step], epoch: int, log: RunLog | NoLog) -> None:
    """Wait for some steps of an epoch, and log the samples of those that were not finite."""
    for step in steps:
        if step.skipped:
            ids = itertools.chain(*together.text_of_all(step.ids.tolist()))
            log.write("skipped", "train", step.number, epoch, ids=list(ids))


def take_over(workdir: Path, config: ConfigDict, newest: Path | None) -> None:
    """Make a folder ready for a run that goes on from its checkpoint `newest`, or for a new one."""
    claim_workdir(workdir, config)
    set_aside_newer(workdir / "checkpoints", newest)


def name_of(path: Path | None) -> str | None:
    return None if path is None else path.name


def floats(figures: Figures) -> dict[str, float]:
    """The figures on the host."""
    return {name: float(value) for name, value in figures.items()}


def give_up_if_stuck(skipped_in_row: int, allowed: int, step: int) -> None:
    """Raise an OutsideError when so many steps or more, one after the other, were not finite."""
    if skipped_in_row >= allowed:
        raise OutsideError(
            f"loss or gradient were not finite in {skipped_in_row} steps up to step {step};"
            f" config.max_skipped_steps={allowed} ends a run then"
        )

"""The training loop, read from top to bottom.

    records -> raw batch -> [ augment -> network -> loss -> gradient -> Optax ] -> new state

What stands in brackets is one compiled step (`experiment.py`). The loop knows no modality: a task (`tasks/`)
joins network, input and loss. How a run is kept, `run_record.py` says; when, this file.
"""

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import jax
from ml_collections import ConfigDict

from rgbd_jax.allocator import give_back_freed_memory
from rgbd_jax.data.clip_errors import ClipErrors
from rgbd_jax.data.loader import (
    open_configured_split,
    open_training_split,
    steps_per_epoch,
    training_batches,
)
from rgbd_jax.errors import Preempted
from rgbd_jax.evaluate import make_scorer, share_faults
from rgbd_jax.experiment import Experiment, Figures
from rgbd_jax.leaving import say
from rgbd_jax.provenance import record_session
from rgbd_jax.report.logs import NoLog, ProgressLine, RunLog
from rgbd_jax.report.metrics import summary
from rgbd_jax.run_folder import claim_workdir, store_config
from rgbd_jax.run_record import RunRecord, stopped_before_the_first_step
from rgbd_jax.to_devices import to_devices
from rgbd_jax.training import sharding, together
from rgbd_jax.training.checkpoint import Checkpoints, Description, describe
from rgbd_jax.training.checkpoint_folders import BEST_METRIC, newest_intact, set_aside_newer, validation_of
from rgbd_jax.training.memory import MeasuredStep
from rgbd_jax.training.preemption import SharedStopRequest, StopRequest
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

    # ------------------------------------------------------------------ network and steps
    experiment = Experiment.build(config, training, epoch_steps, mesh)
    task = experiment.task
    train_step = MeasuredStep(experiment.compiled_step(), config, mesh)
    state = experiment.initial_state()

    # ------------------------------------------------------------------ a new run, or where to go on
    found = together.by_the_first(lambda: name_of(newest_intact(workdir / "checkpoints")))
    newest = None if found is None else workdir / "checkpoints" / found
    if newest is None:
        starts = find_start(config, task.trunks)
        if starts:
            state = start_from(starts, state, training.class_names)
    together.by_the_first(partial(take_over, workdir, config, newest))

    # ------------------------------------------------------------------ batches and scores
    source, put_batch = to_devices(training, data, mesh)
    batches = training_batches(
        source,
        batch_size=config.batch_size,
        seed=config.seed,
        num_workers=data.num_workers,
        repeat=data.repeat,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
        errors=faulty,
    )
    loader = {"num_workers": data.num_workers, "processes": jax.process_count(), **training.identity}
    score = make_scorer(config, task, experiment.network, validation, mesh, faulty_in_validation)

    with stop_request(workdir) as stop, Checkpoints(workdir / "checkpoints") as checkpoints:
        if newest is not None:
            state = checkpoints.restore(int(newest.name), state, batches, loader)
        first_step = int(state.step)
        last_step = epoch_steps * min(config.stop_epoch or config.num_epochs, config.num_epochs)
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

        description = partial(
            Description,
            config=config.to_dict(),
            class_names=training.class_names,
            loader=loader,
            channels=training.channels,
        )
        record = RunRecord(
            workdir,
            checkpoints,
            log,
            description,
            epoch_steps,
            last_step,
            max_skipped_steps=config.max_skipped_steps,
            skipped_in_row=int(state.skipped_in_row),
        )

        # -------------------------------------------------------------- the loop
        with log, progress, train_step.explaining_exhaustion():
            throughput = Throughput(config.batch_size)
            figures = earlier = None
            faulty.step = faulty_in_validation.step = first_step
            epoch = record.epoch_of(first_step)
            if to_validate:  # what the session before did not come to
                with stop.at_once(partial(record.last_words, state, first_step, batches.get_state())):
                    validated = summary(score(state.eval_params, state.batch_stats, epoch))
                record.add_validation(first_step, validated, faulty_in_validation.count())
                progress.epoch(first_step, epoch, {}, validated)
                figure = validated[BEST_METRIC]
            if figure is not None:
                state = experiment.tell_plateau(state, epoch, figure)

            for step in range(first_step + 1, last_step + 1):
                epoch = record.epoch_of(step)
                faulty.step = faulty_in_validation.step = step
                with stop.at_once(partial(record.last_words, state, step - 1, batches.get_state())):
                    rows = throughput.fetch(batches)
                batch = put_batch(rows)
                # One step may wait behind the running one, so that the device is never idle; not more, so
                # that a request to stop is answered soon.
                jax.block_until_ready(earlier)
                earlier = figures
                if step == first_step + 1:
                    for line in train_step.compile(state, batch):
                        progress.note(line)
                state, figures = train_step(state, batch)
                record.note_step(step, rows["id"], figures["skipped"])
                throughput.running(figures["loss"])
                if step == first_step + 1:
                    throughput.restart()  # compilation is over
                    stop.wait_for_steps()
                stopping, epoch_ends = stop.received, step % epoch_steps == 0
                logs = step % config.log_every == 0
                saves = epoch_ends or stopping or step % config.checkpoint_every == 0

                if logs or saves:
                    record.name_skipped()
                if saves:
                    share_faults(faulty, len(training))
                if logs:
                    row = floats(figures) | throughput.since("step")
                    log.write("step", "train", step, epoch, **row)
                    progress.show(step, epoch, row)
                if epoch_ends:
                    row = means(floats(state.sums), task.reported) | {"data_errors": faulty.count()}
                    row |= {"lr": float(figures["lr"])} | throughput.since("epoch")
                    log.write("epoch", "train", step, epoch, **row)
                if saves:
                    record.save(state, step, batches.get_state())
                if stopping:
                    checkpoints.wait()
                    raise Preempted(record.stopped(step))
                if epoch_ends:
                    with stop.at_once(partial(record.last_words, state, step, batches.get_state())):
                        validated = summary(score(state.eval_params, state.batch_stats, epoch))
                    record.add_validation(step, validated, faulty_in_validation.count())
                    progress.epoch(step, epoch, row, validated)
                    give_back_freed_memory()
                    throughput.restart()
                    state = experiment.tell_plateau(state, epoch, validated[BEST_METRIC])


def take_over(workdir: Path, config: ConfigDict, newest: Path | None) -> None:
    """Make a folder ready for a run that goes on from its checkpoint `newest`, or for a new one."""
    claim_workdir(workdir, config)
    set_aside_newer(workdir / "checkpoints", newest)


def name_of(path: Path | None) -> str | None:
    return None if path is None else path.name


def stop_request(workdir: Path) -> StopRequest | SharedStopRequest:
    """How SIGTERM is answered: by this process, or by all of its job together."""
    if jax.process_count() > 1:
        return SharedStopRequest()
    return StopRequest(partial(stopped_before_the_first_step, workdir))


def floats(figures: Figures) -> dict[str, float]:
    """The figures on the host."""
    return {name: float(value) for name, value in figures.items()}


def means(sums: dict[str, float], names: Sequence[str]) -> dict[str, float]:
    """Of an epoch's sums, those of the names as means over its samples, and how many steps were skipped."""
    count = sums["count"] or math.nan  # where no step was finite there is no mean
    return {name: sums[name] / count for name in names} | {"skipped": sums["skipped"]}

"""From a checkpoint to scores, metrics, pictures and the report.

    records -> raw batch -> [ normalise -> network -> logits ] -> scores by sample id -> files

What stands in brackets is one compiled step, the same that the training loop validates with.
"""

import itertools
import json
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict
from tqdm import tqdm

from rgbd_jax.config import ConfigArguments, from_dict, leaves
from rgbd_jax.data.clip_errors import ClipErrors
from rgbd_jax.data.images import KINDS
from rgbd_jax.data.loader import Split, evaluation_batches, open_configured_split
from rgbd_jax.errors import OutsideError, UserError
from rgbd_jax.experiment import compiled_evaluation, trained_network
from rgbd_jax.files import new_folder, remove, remove_folder
from rgbd_jax.provenance import read_sessions, surroundings
from rgbd_jax.report.choice import telling_samples
from rgbd_jax.report.ensemble import combine_streams
from rgbd_jax.report.evaluation import write_evaluation
from rgbd_jax.report.logs import Row, read_rows
from rgbd_jax.report.page import DrawnSample, Origin, write_page
from rgbd_jax.report.scores import Scores
from rgbd_jax.tasks.task import Outputs, Task, whole_logits
from rgbd_jax.to_devices import to_devices
from rgbd_jax.training import sharding, together
from rgbd_jax.training.checkpoint import Description, describe
from rgbd_jax.training.checkpoint_folders import run_of
from rgbd_jax.training.memory import explaining_exhaustion
from rgbd_jax.training.state import Arrays, Network, num_parameters
from rgbd_jax.visualize import file_name, make_viewer, write_run_pictures, write_sample_pictures

Scorer = Callable[[Arrays, Arrays, int], Scores]

REPORT = "report.html"
REPORTED_SAMPLES = 4  # drawn for a report if the config asks for none


def evaluate(
    checkpoint: Path,
    config_arguments: ConfigArguments,
    split_name: str | None = None,
    *,
    report: bool = False,
) -> tuple[Path, dict[str, Any]] | None:
    """Evaluate one checkpoint. Its config and class names stand in it: its path is enough.

    Args:
      checkpoint: the folder of one checkpoint (`training.checkpoint_folders.resolve`).
      config_arguments: overrides of the checkpoint's config, or another config file.
      split_name: of the data set; the config's `data.eval_split` if None.
      report: also write `report.html`, with pictures of the samples that say most.

    Returns:
      The folder of the results, and the metrics; of several processes that evaluate together, the first one
      writes, and the others return None.

    Raises:
      UserError: if checkpoint, config and data do not belong together, or several processes are to draw.
    """
    run, description = run_of(checkpoint), describe(checkpoint)
    config = config_arguments.load(default=from_dict(description.config))
    num_drawn = config.visualize or (REPORTED_SAMPLES if report else 0)
    if num_drawn and jax.process_count() > 1:
        raise UserError("--report and config.visualize: one process draws; evaluate without --processes")
    mesh = sharding.make_mesh()
    errors = ClipErrors(config.data.on_error, max_share=config.data.max_unreadable)
    split = _open_split(config, split_name, checkpoint, description)
    task, network, weights = trained_network(config, split, checkpoint, mesh)
    # What is told of the training is read before the work begins: a broken line must not cost it.
    rows = _read_log(run) if num_drawn else []
    origin = _origin(run, description, config, network) if report else None
    try:
        score = make_scorer(config, task, network, split, mesh, errors)
        scores = score(*weights, description.epoch)
    except OutsideError as error:
        raise OutsideError(f"{error}; nothing was saved") from error

    if not together.is_first():
        return None
    folder = run / "eval"
    remove(folder / REPORT)  # of an earlier evaluation, as are these
    remove_folder(folder / "pictures")
    extra = {"checkpoint_step": description.step, "skipped": len(errors.ids), "skipped_ids": list(errors.ids)}
    metrics = write_evaluation(folder, scores, extra)
    if not num_drawn:
        return folder, metrics

    # Which record a score belongs to is only known where none was left out.
    chosen = split.take(telling_samples(scores, num_drawn)) if report and not errors.ids else split
    with new_folder(folder / "pictures") as pictures:
        write_run_pictures(pictures, scores, rows)
        view = make_viewer(config, task, network, chosen, mesh, errors, num_drawn)
        viewed = view(*weights, description.epoch)
        drawn = write_sample_pictures(pictures, task, chosen, viewed, min(num_drawn, len(chosen)))
    if origin:
        samples = [
            DrawnSample(name, folder / "pictures" / file_name(number, name))
            for number, name in enumerate(drawn, start=1)
        ]
        write_page(folder / REPORT, scores, metrics, rows, samples, origin)
    return folder, metrics


def make_scorer(
    config: ConfigDict, task: Task, network: Network, split: Split, mesh: Mesh, errors: ClipErrors
) -> Scorer:
    """A function of (parameters, batch statistics, epoch) that scores every sample of `split` once.

    Samples come in batches of `config.eval_batch_size`, or of the next number that the devices share equally.
    The last one is padded; what is padded counts nothing. The epoch (from 0) is the one that the parameters
    come from. Clips that cannot be read are left out, if `errors` allows that.
    """
    batch_size = sharding.round_up(config.eval_batch_size, mesh)
    split, put_batch = to_devices(split, config.data, mesh)

    def logits_of(inputs: Any, outputs: Outputs, epoch: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        del inputs
        found = task.logits(outputs, epoch)
        return whole_logits(found), found

    eval_step = compiled_evaluation(config, task, network, mesh, logits_of)

    @explaining_exhaustion("evaluation needs less with a smaller eval_batch_size, or with dtype=bfloat16")
    def score(params: Arrays, batch_stats: Arrays, epoch: int) -> Scores:
        read, logits, by_branch = defaultdict(list), [], defaultdict(list)
        batches = evaluation_batches(
            split,
            batch_size=batch_size,
            num_workers=config.data.num_workers,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
            errors=errors,
        )
        num_batches = math.ceil(len(split) / batch_size)
        for batch in tqdm(
            batches,
            desc=f"evaluating {split.name}",
            total=num_batches,
            unit="batch",
            disable=None if together.is_first() else True,
            leave=False,
        ):
            for name in {"id", "label", "mask", "length"} & batch.keys():
                read[name].append(batch[name])
            whole, outputs = eval_step(params, batch_stats, put_batch(batch), epoch)
            logits.append(np.asarray(whole))
            for name, found in outputs.items():
                by_branch[name].append(np.asarray(found))
        share_faults(errors, len(split))
        rows = {name: together.global_rows(read[name]) for name in sorted(read)}
        real = rows["mask"]
        branches = {name: np.concatenate(found)[real] for name, found in by_branch.items()}
        scores = Scores(
            ids=rows["id"][real],
            logits=np.concatenate(logits)[real],
            labels=rows["label"][real],
            class_names=tuple(split.class_names),
            branches=branches if len(branches) > 1 and not task.streams else {},
            published=task.published,
            lengths=rows["length"][real] if "length" in rows else None,
            data_set=split.name,
            split=split.split,
            stream=task.view,
            held_out=tuple(name for name in split.class_names if name in config.data.held_out),
        )
        if not task.streams:
            return scores
        # The sum is taken anew, by what the command `ensemble` takes it by: their figures agree to the digit.
        return combine_streams([replace(scores, logits=branches[name], stream=name) for name in task.streams])

    return score


def share_faults(errors: ClipErrors, num_clips: int) -> None:
    """Let every process know of the faulty clips, of a split of so many, that another has met.

    Raises:
      OutsideError: see `ClipErrors.learn`.
    """
    told = together.text_of_all([json.dumps(fault) for fault in errors.news()])
    for clip, reason, step in map(json.loads, itertools.chain(*told)):
        errors.learn(clip, reason, step, of=num_clips)


def _read_log(run: Path) -> list[Row]:
    """The rows of a run's log; none of weights that come from elsewhere."""
    path = run / "metrics.jsonl"
    return read_rows(path) if path.is_file() else []


def _open_split(
    config: ConfigDict, split_name: str | None, checkpoint: Path, description: Description
) -> Split:
    """The samples to evaluate. UserError if they are not what the checkpoint was trained for."""
    data = config.data
    held_out = description.config["data"].get("held_out", ())  # absent: stored before there was the key
    if set(data.held_out) != set(held_out):
        raise UserError(
            f"config.data.held_out={data.held_out!r}: {checkpoint} was trained with {tuple(held_out)!r},"
            " which evaluation must keep"
        )
    split = open_configured_split(data, split_name or data.eval_split)
    if tuple(split.class_names) != description.class_names:
        trained, found = _some(description.class_names), _some(split.class_names)
        raise UserError(f"{checkpoint}: was trained on {trained}; the data set {split.name} has {found}")
    for modality, channels in description.channels.items():
        if split.channels.get(modality, channels) != channels:
            raise UserError(
                f"{checkpoint}: was trained on {modality} {KINDS[channels]}; that of the data set"
                f" {split.name} is {KINDS[split.channels[modality]]}"
            )
    return split


def _origin(run: Path, description: Description, config: ConfigDict, network: Network) -> Origin:
    """How the network came about, and how this evaluation differs from that."""
    of_run = leaves(from_dict(description.config))
    return Origin(
        run=run.name,
        config=of_run,
        changed={
            key: value for key, value in leaves(config).items() if key not in of_run or of_run[key] != value
        },
        step=description.step,
        epoch=description.epoch,
        num_parameters=num_parameters(network.params),
        sessions=read_sessions(run),
        evaluated=surroundings(),
    )


def _some(names: Sequence[str]) -> str:
    return f"{len(names)} classes ({', '.join(names[:3])}{' …' if len(names) > 3 else ''})"

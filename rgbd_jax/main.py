"""Train or evaluate.

python -m rgbd_jax.main --config=configs/X.py[:variant] --workdir=DIR [--config.key=value ...]
python -m rgbd_jax.main --mode=eval (--workdir=DIR | --checkpoint=DIR) [--which=newest|best] [--split=NAME]
[--report] [--config.key=value ...]

One of several processes that work as one, on machines that see the same folders: the same command on each
with --coordinator=HOST:PORT --processes=N --process=I. With --processes=N alone, all are started here.
"""

import contextlib
from pathlib import Path

from ml_collections import ConfigDict

from rgbd_jax.command import ArgumentParser, keep_compiled, run_command
from rgbd_jax.config import ConfigArguments
from rgbd_jax.errors import UserError
from rgbd_jax.files import check_folder
from rgbd_jax.processes import Job, is_worker, joined, watch


def parser() -> ArgumentParser:
    arguments = ArgumentParser(prog="rgbd_jax.main", description=__doc__)
    arguments.add_argument("--mode", choices=("train", "eval"), default="train")
    arguments.add_argument("--workdir", type=Path, help="folder of the run")
    arguments.add_argument(
        "--checkpoint", type=Path, help="eval: a run, RUN/checkpoints/<step>, or a converted folder"
    )
    arguments.add_argument(
        "--which", choices=("newest", "best"), help="eval: which checkpoint of a run; newest if not given"
    )
    arguments.add_argument(
        "--split", help="eval: split of the data set; the config's data.eval_split if not given"
    )
    arguments.add_argument(
        "--report", action="store_true", default=None, help="eval: also write eval/report.html, a page of all"
    )
    arguments.add_argument("--coordinator", help="HOST:PORT of process 0, where all processes meet")
    arguments.add_argument("--processes", type=int, help="how many processes work as one")
    arguments.add_argument("--process", type=int, help="which of them this is, from 0")
    return arguments


def main(argv: list[str]) -> None:
    config_arguments, rest = ConfigArguments.split_from(argv)
    given = parser().parse_args(rest)
    trains = given.mode == "train"
    # Who forgets --mode=eval must not start to train.
    for name in ("checkpoint", "which", "split", "report"):
        value = getattr(given, name)
        if trains and value is not None:
            flag = f"--{name}" if value is True else f"--{name}={value}"
            raise UserError(f"{flag}: allowed only with --mode=eval")
    config = training_config(config_arguments, given.workdir) if trains else None

    job = Job.asked_for(given.coordinator, given.processes, given.process)
    if job and not is_worker():
        watch(job, argv, given.workdir if trains else None)
        return
    keep_compiled()
    with joined(job, given.workdir if trains else None) if job else contextlib.nullcontext():
        if trains:
            from rgbd_jax.train import train

            train(config, given.workdir)
        else:
            run_evaluation(
                config_arguments,
                given.workdir,
                given.checkpoint,
                given.which,
                given.split,
                bool(given.report),
            )


def training_config(config_arguments: ConfigArguments, workdir: Path | None) -> ConfigDict:
    """The config to train with; mistakes in it, and in the folder's name, are found before all else."""
    config = config_arguments.load()
    if workdir is None:
        raise UserError("--workdir is missing: name the folder of the run, for example --workdir=runs/first")
    check_folder(workdir, "--workdir")
    return config


def run_evaluation(
    config_arguments: ConfigArguments,
    workdir: Path | None,
    checkpoint: Path | None,
    which: str | None,
    split: str | None,
    report: bool,
) -> None:
    if (workdir is None) == (checkpoint is None):
        raise UserError("--mode=eval needs one of --workdir and --checkpoint")
    from rgbd_jax.evaluate import REPORT, evaluate
    from rgbd_jax.report.metrics import samples_line, zero_shot_line
    from rgbd_jax.training.checkpoint_folders import resolve
    from rgbd_jax.training.together import by_the_first

    found = by_the_first(lambda: str(resolve(workdir or checkpoint, which or "newest")))
    written = evaluate(Path(found), config_arguments, split, report=report)
    if written is None:
        return
    folder, metrics = written
    print(
        f"top-1 {100 * metrics['top1']:.2f} %, top-5 {100 * metrics['top5']:.2f} %"
        f" of {samples_line(metrics)}; see {folder}"
    )
    if "top1_unseen" in metrics:
        print(zero_shot_line(metrics))
    if report:
        print(f"report: {folder / REPORT}")


if __name__ == "__main__":
    run_command(main)

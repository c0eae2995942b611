"""Train or evaluate.

python -m rgbd_jax.main --config=configs/X.py[:variant] --workdir=DIR [--config.key=value ...]
python -m rgbd_jax.main --mode=eval (--workdir=DIR | --checkpoint=DIR) [--which=newest|best] [--split=NAME]
[--report] [--config.key=value ...]
"""

from pathlib import Path

from rgbd_jax.command import ArgumentParser, keep_compiled, run_command
from rgbd_jax.config import ConfigArguments
from rgbd_jax.errors import UserError
from rgbd_jax.files import check_folder


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
    return arguments


def main(argv: list[str]) -> None:
    config_arguments, rest = ConfigArguments.split_from(argv)
    given = parser().parse_args(rest)
    if given.mode == "eval":
        run_evaluation(
            config_arguments, given.workdir, given.checkpoint, given.which, given.split, bool(given.report)
        )
        return
    # Who forgets --mode=eval must not start to train.
    for name in ("checkpoint", "which", "split", "report"):
        value = getattr(given, name)
        if value is not None:
            flag = f"--{name}" if value is True else f"--{name}={value}"
            raise UserError(f"{flag}: allowed only with --mode=eval")
    run_training(config_arguments, given.workdir)


def run_training(config_arguments: ConfigArguments, workdir: Path | None) -> None:
    config = config_arguments.load()
    if workdir is None:
        raise UserError("--workdir is missing: name the folder of the run, for example --workdir=runs/first")
    check_folder(workdir, "--workdir")
    keep_compiled()
    from rgbd_jax.train import train

    train(config, workdir)


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
    keep_compiled()
    from rgbd_jax.evaluate import REPORT, evaluate
    from rgbd_jax.report.metrics import samples_line, zero_shot_line
    from rgbd_jax.training.checkpoint import resolve

    folder, metrics = evaluate(
        resolve(workdir or checkpoint, which or "newest"), config_arguments, split, report=report
    )
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

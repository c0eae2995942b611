"""Carry weights from and to the published PyTorch programs; neither they nor PyTorch are needed.

    python -m rgbd_jax.convert to_orbax --config=configs/X.py[:variant] SRC DST [--config.key=value ...]
    python -m rgbd_jax.convert to_torch SRC DST [--which=newest|best] [--config.key=value ...]

to_orbax makes a checkpoint, the folder DST, of the file SRC; to_torch the file DST of a checkpoint or a run.
docs/from_pytorch.md says which files.
"""

from pathlib import Path

from rgbd_jax.command import ArgumentParser, run_command
from rgbd_jax.config import ConfigArguments
from rgbd_jax.errors import UserError


def parser() -> ArgumentParser:
    arguments = ArgumentParser(prog="rgbd_jax.convert", description=__doc__)
    arguments.add_argument(
        "direction", metavar="DIRECTION", choices=("to_orbax", "to_torch"), help="to_orbax or to_torch"
    )
    arguments.add_argument("source", metavar="SRC", type=Path, help="what to read")
    arguments.add_argument("target", metavar="DST", type=Path, help="what to write; it must not exist")
    arguments.add_argument(
        "--which", choices=("newest", "best"), help="to_torch: which checkpoint of a run; newest if not given"
    )
    return arguments


def main(argv: list[str]) -> None:
    config_arguments, rest = ConfigArguments.split_from(argv)
    given = parser().parse_args(rest)
    if given.direction == "to_orbax" and given.which is not None:
        raise UserError(f"--which={given.which}: allowed only with to_torch")
    # Not before the arguments are understood: the import takes seconds.
    from rgbd_jax.conversion import to_orbax, to_torch
    from rgbd_jax.training.checkpoint_folders import resolve

    if given.direction == "to_orbax":
        print(to_orbax(config_arguments.load(), given.source, given.target).text)
        print(f"{given.target}: to be evaluated with --mode=eval --checkpoint={given.target}")
    else:
        checkpoint = resolve(given.source, given.which or "newest")
        print(to_torch(config_arguments, checkpoint, given.target).text)
        print(f"{given.target}: to be loaded by the program of the publication")


if __name__ == "__main__":
    run_command(main)

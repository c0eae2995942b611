"""Join the scores of several networks by sample id: streams of skeletons, colour, depth.

    python -m rgbd_jax.ensemble SCORES... [--weights=1,1] [--common] [--output=FILE]
    python -m rgbd_jax.ensemble SCORES... --search --search_on=SCORES... [--common]

Each of SCORES is a score file, the folder of a run that was evaluated, or a score pickle of the published
program (.pkl), which needs --labels or a score file with the same ids. Prints top-1 and top-5 in percent.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rgbd_jax.command import ArgumentParser, output_file, run_command
from rgbd_jax.errors import UserError
from rgbd_jax.report.ensemble import check_classes, combine, default_weights, join, search_weights
from rgbd_jax.report.metrics import top_k, zero_shot_figures, zero_shot_line
from rgbd_jax.report.published_scores import Labels, labelled, labels_of, read_labels, read_score_pickle
from rgbd_jax.report.scores import Scores, read_scores, write_scores
from rgbd_jax.streams import STREAMS

PUBLISHED_NAME = "epoch1_test_score.pkl"


def parser() -> ArgumentParser:
    arguments = ArgumentParser(prog="rgbd_jax.ensemble", description=__doc__)
    arguments.add_argument("scores", metavar="SCORES", nargs="+", type=Path, help="at least one")
    arguments.add_argument("--weights", help="numbers with commas, in the order of the files")
    arguments.add_argument("--common", action="store_true", help="join the samples that all files have")
    arguments.add_argument("--search", action="store_true", help="find the weights, on other samples")
    arguments.add_argument(
        "--search_on",
        nargs="+",
        action="extend",
        help="the same networks' scores of another split, in the same order",
    )
    arguments.add_argument("--labels", type=Path, help="what labels score pickles: .npz or .pkl")
    arguments.add_argument("--output", type=output_file, help="also write the joint scores there, .npz")
    return arguments


def main(argv: list[str]) -> None:
    given = parser().parse_args(_spread(argv))
    if given.search != (given.search_on is not None):
        raise UserError("--search and --search_on=SCORES... need each other")
    if given.search and given.weights is not None:
        raise UserError(f"--weights={given.weights}: not allowed with --search, which finds them")
    if given.output is not None and given.output.suffix != ".npz":
        raise UserError(f"--output={given.output}: the name must end in .npz")
    labels = None if given.labels is None else read_labels(given.labels)

    names, joined = read_joined(given.scores, labels, common=given.common)
    if given.weights is not None:
        weights = _parse_weights(given.weights, len(names))
    elif given.search:
        paths = [Path(name) for word in given.search_on for name in word.split(",")]
        weights = search(names, joined, *read_joined(paths, labels, common=given.common))
    else:
        weights = default_weights(joined)
    joint = combine(joined, weights)
    for name, scores, weight in zip(names, joined, weights, strict=True):
        print(f"{name}: {accuracy(scores)}, weight {weight:g}")
    print(f"ensemble: {accuracy(joint)} of {len(joint.ids)} samples")
    if joint.held_out:
        print(zero_shot_line(zero_shot_figures(joint)))
    if given.output is not None:
        write_scores(given.output, joint)


def read_joined(
    paths: Sequence[Path], labels: Labels | None, *, common: bool
) -> tuple[list[str], list[Scores]]:
    """Read and join files and runs; if `common`, print how many samples each file lost.

    Args:
      labels: of score pickles; the first score file's if None.

    Returns:
      The names of the files, and what `join` gives.
    """
    files = [file for path in paths for file in score_files(path)]
    names = list(map(str, files))
    found = [read_score_pickle(file) if file.suffix == ".pkl" else read_scores(file) for file in files]
    complete = {name: scores for name, scores in zip(names, found, strict=True) if isinstance(scores, Scores)}
    if labels is None and complete:
        labels = labels_of(*next(iter(complete.items())))
    if labels is None:
        raise UserError(
            f"{names[0]}: score pickles have no labels; name the file of the labels with --labels, "
            "or join a score file with the same ids"
        )
    class_names = labels.class_names or next((scores.class_names for scores in complete.values()), ())
    joined = join(
        names,
        [
            scores
            if isinstance(scores, Scores)
            else labelled(name, scores, labels, class_names, common=common)
            for name, scores in zip(names, found, strict=True)
        ],
        common=common,
    )
    if common:
        for name, scores in zip(names, found, strict=True):
            total = len(scores.ids)
            print(f"{name}: {total - len(joined[0].ids)} of {total} samples left out")
    return names, joined


def score_files(path: Path) -> list[Path]:
    """The score files that a path means: itself, or those of a run, its streams in their usual order."""
    if not path.is_dir():
        return [path]
    streams = {file.parent.name: file for file in (path / "eval").glob("*/scores.npz")}
    if streams:
        places = {stream: place for place, stream in enumerate(STREAMS)}
        return [streams[name] for name in sorted(streams, key=lambda name: (places.get(name, 99), name))]
    for file in (path / "eval" / "scores.npz", path / PUBLISHED_NAME):
        if file.is_file():
            return [file]
    raise UserError(
        f"{path}: holds no scores (eval/scores.npz, eval/STREAM/scores.npz or {PUBLISHED_NAME}); "
        f"evaluate the run first: python -m rgbd_jax.main --mode=eval --workdir={path}"
    )


def search(
    names: Sequence[str], reported: Sequence[Scores], tuning_names: Sequence[str], tuning: Sequence[Scores]
) -> tuple[float, ...]:
    """Weights for `reported`, found on the scores that the same networks give to other samples.

    Raises:
      UserError: if the files do not correspond, or any of the samples is also reported.
    """
    if len(tuning) != len(reported):
        raise UserError(f"--search_on: found {len(tuning)} files; one for each of {len(reported)} is needed")
    check_classes(tuning_names[0], tuning[0], names[0], reported[0])
    for name, other, tuning_name, tuned in zip(names, reported, tuning_names, tuning, strict=True):
        if other.stream and tuned.stream and other.stream != tuned.stream:
            raise UserError(
                f"--search_on: {tuning_name} has the stream {tuned.stream}, its counterpart {name} has "
                f"{other.stream}; the same order is needed"
            )
        if other.split and (other.data_set, other.split) == (tuned.data_set, tuned.split):
            raise UserError(
                f"--search_on: {tuning_name} is of the split {tuned.split} that is reported; "
                "weights must be found on another"
            )
    shared = np.intersect1d(reported[0].ids, tuning[0].ids)
    if shared.size:
        raise UserError(
            f"--search_on: {shared.size} of {len(tuning[0].ids)} samples are among those that are reported, "
            f"the first is {shared[0]}; weights must be found on another split"
        )
    start = default_weights(reported)
    weights = search_weights(tuning, start)
    print(
        f"searched on {len(tuning[0].ids)} samples: {accuracy(combine(tuning, weights))} there; "
        f"with the default weights {accuracy(combine(tuning, start))}"
    )
    return weights


def accuracy(scores: Scores) -> str:
    return f"top-1 {100 * top_k(scores, 1):.4f} %, top-5 {100 * top_k(scores, 5):.4f} %"


def _spread(argv: Sequence[str]) -> list[str]:
    """The words with `--search_on=A B` as `--search_on A B`: argparse would give B to the positionals."""
    option = "--search_on="
    return [
        part
        for word in argv
        for part in (
            word.split("=", 1) if word.startswith(option) and "," not in word else [word]  # A,B is complete
        )
    ]


def _parse_weights(text: str, num_files: int) -> tuple[float, ...]:
    try:
        weights = tuple(map(float, text.split(",")))
    except ValueError:
        weights = (math.nan,)
    if not all(0 <= weight < math.inf for weight in weights) or not any(weights):
        raise UserError(f"--weights={text}: numbers with commas are needed, none below 0, not all 0")
    if len(weights) != num_files:
        raise UserError(f"--weights={text}: found {len(weights)} weights; one for each of {num_files} files")
    return weights


if __name__ == "__main__":
    run_command(main)

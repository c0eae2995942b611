"""Recognise what is done in recordings of one's own.

python -m rgbd_jax.predict --checkpoint=DIR INPUT... [--which=newest|best] [--top=5] [--format=table|json|csv]
[--output=FILE] [--timeline] [--window=N] [--stride=N] [--smoothing=N] [--fps=N] [--render=FILE.mp4]
python -m rgbd_jax.predict --checkpoint=DIR --camera=0 [--window=N] [--stride=N] [--smoothing=N] [--fps=N]

An INPUT is a video, a folder of frames, COLOUR,DEPTH, a .skeleton of NTU RGB+D, a .json of NW-UCLA, or an
.npz of joints; with :FROM:TO behind it, its frames FROM to TO - 1.
"""

import argparse
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rgbd_jax.command import ArgumentParser, keep_compiled, output_file, run_command
from rgbd_jax.config import ConfigArguments
from rgbd_jax.errors import OutsideError, UserError
from rgbd_jax.files import replacing
from rgbd_jax.report.predictions import FORMATS, Result

if TYPE_CHECKING:
    from rgbd_jax.predictor import Predictor
    from rgbd_jax.recordings import Given

# What lasts longer, in seconds, is no single clip but a recording in which more may be done.
LONG = 20.0

TOP = 5

_SLIDING = ("window", "stride", "smoothing")
_OF_RECORDINGS = ("top", "format", "output", "timeline", "render")


def parser() -> ArgumentParser:
    arguments = ArgumentParser(prog="rgbd_jax.predict", description=__doc__)
    arguments.add_argument("inputs", metavar="INPUT", nargs="*", help="what to recognise, see above")
    arguments.add_argument(
        "--checkpoint", type=Path, help="a run, RUN/checkpoints/<step>, or a converted folder"
    )
    arguments.add_argument(
        "--which", choices=("newest", "best"), default="newest", help="which checkpoint of a run"
    )
    arguments.add_argument(
        "--top",
        type=int,
        help=f"how many classes to name of a clip, {TOP} if not given; of a segment it is one",
    )
    arguments.add_argument(
        "--format", choices=tuple(FORMATS), help="table if neither this nor the file says other"
    )
    arguments.add_argument("--output", type=output_file, help="write there instead of printing")
    arguments.add_argument(
        "--timeline", action="store_true", help=f"what is done when, also in recordings below {LONG:.0f} s"
    )
    arguments.add_argument("--window", type=int, help="frames of a window of a timeline")
    arguments.add_argument("--stride", type=int, help="frames from one window to the next")
    arguments.add_argument("--smoothing", type=int, help="windows to average, an odd number")
    arguments.add_argument(
        "--fps", type=float, help="frames a second, where the file is wrong or does not say"
    )
    arguments.add_argument(
        "--render", type=output_file, help="write the recording there with what was found, .mp4"
    )
    arguments.add_argument("--camera", type=int, help="number of a camera to watch in place of INPUT")
    return arguments


def main(argv: list[str]) -> None:
    config_arguments, rest = ConfigArguments.split_from(argv)
    given = parser().parse_args(rest)
    if given.checkpoint is None:
        raise UserError("--checkpoint is missing: give a run, or one of its checkpoints")
    if (given.camera is None) == (not given.inputs):
        raise UserError("one of INPUT and --camera is needed")
    if given.camera is not None:
        for name in _OF_RECORDINGS:
            if getattr(given, name) not in (None, False):
                raise UserError(f"--{name}: is for recordings; found --camera={given.camera}")
    if given.top is not None and given.top < 1:
        raise UserError(f"--top={given.top}: must be 1 or more")
    if given.render and (given.render.suffix.lower() != ".mp4" or len(given.inputs) != 1):
        raise UserError(f"--render={given.render}: one INPUT and a name that ends in .mp4 are needed")
    keep_compiled()
    from rgbd_jax.predictor import Predictor
    from rgbd_jax.recordings import parse_given

    inputs = list(map(parse_given, given.inputs))
    check_outputs({"output": given.output, "render": given.render}, inputs)
    predictor = Predictor(given.checkpoint, given.which, config_arguments)
    sliding = {name: value for name in _SLIDING if (value := getattr(given, name)) is not None}
    if given.camera is not None:
        watch(predictor, given.camera, sliding | ({} if given.fps is None else {"fps": given.fps}))
        return
    results = []
    try:
        for result in recognised(predictor, inputs, given, sliding):
            results.append(result)
    except (UserError, OutsideError) as error:
        if not results:
            raise
        write(results, given.format, given.output)
        raise type(error)(
            f"{error}; what was found in {len(results)} of {len(inputs)} recordings is written"
        ) from error
    write(results, given.format, given.output)


def check_outputs(outputs: Mapping[str, Path | None], inputs: Sequence["Given"]) -> None:
    """See that what is to be written, by the name of the argument, leaves the inputs and the rest alone.

    Raises:
      UserError: it is an input, lies in a folder of frames that is one, or is to be written twice.
    """
    read = {os.path.realpath(path): path for clip in inputs for path in clip.paths}
    written = {}
    for name, path in outputs.items():
        if path is None:
            continue
        place = os.path.realpath(path)
        for known in (place, os.path.dirname(place)):
            if known in read:
                where = "is" if known == place else "lies in"
                raise UserError(f"--{name}={path}: {where} the input {read[known]}; give another name")
        if place in written:
            raise UserError(f"--{name}={path}: is what --{written[place]} names; give another name")
        written[place] = name


def recognised(
    predictor: "Predictor", inputs: Sequence["Given"], given: argparse.Namespace, sliding: Mapping[str, int]
) -> Iterator[Result]:
    """What is found in one recording after the other; they are drawn where that is asked for."""
    from rgbd_jax.render import render

    for clip in inputs:
        recording = predictor.read(clip, fps=given.fps)
        is_long = given.timeline or sliding or recording.seconds > LONG
        if is_long:
            found = {"segments": predictor.timeline(recording, **sliding)}
        else:
            found = {"top": predictor.predict(recording).top(given.top or TOP)}
        result = Result(recording.name, recording.num_frames, recording.seconds, **found)
        yield result
        if given.render:
            render(given.render, predictor.reader, recording, result)


def write(results: Sequence[Result], chosen: str | None, output: Path | None) -> None:
    """Print the results, or write them to a file whose ending says how, if nothing else does."""
    ending = output.suffix.lower().removeprefix(".") if output else ""
    text = FORMATS[chosen or (ending if ending in FORMATS else "table")](results)
    if output is None:
        print(text, end="")
        return
    with replacing(output) as temporary:
        temporary.write_text(text, encoding="utf-8")


def watch(predictor: "Predictor", index: int, sliding: Mapping[str, float]) -> None:
    """Print what is done in front of a camera, a line for each window; ends with Ctrl-C."""
    from rgbd_jax.data.formats.camera import camera_frames

    begun = time.monotonic()
    try:
        for found in predictor.stream(camera_frames(index), **sliding):
            ((name, probability),) = found.top(1)
            print(f"{time.monotonic() - begun:8.1f} s  {name}  {100 * probability:.1f} %", flush=True)
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    run_command(main)

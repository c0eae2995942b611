"""Write a checkpoint as one file that recognises without this program: StableHLO, for JAX on any device.

python -m rgbd_jax.export --checkpoint=DIR OUT.zip [--which=newest|best] [--frame_size=WxH[,WxH]]
[--max_frames=N] [--config.key=value ...]

    raw clips -> [ normalise -> network -> logits ] -> file

What stands in brackets is in the file, with all parameters. Before the file appears under its name it is
read back and compared with the network that it was made from.
"""

import argparse
import importlib.metadata
import re
import types
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

import rgbd_jax
from rgbd_jax.command import ArgumentParser, run_command
from rgbd_jax.config import ConfigArguments, from_dict
from rgbd_jax.data.images import DEPTH
from rgbd_jax.data.loader import Batch
from rgbd_jax.data.random_clips import Shape, VideoShape, random_batch
from rgbd_jax.data.raw_clips import raw_inputs, raw_shape, reshaped
from rgbd_jax.errors import OutsideError, UserError
from rgbd_jax.experiment import compiled_evaluation, trained_network
from rgbd_jax.files import replacing
from rgbd_jax.stablehlo import compile_for_any_batch, describe_program, read_archive, write_archive
from rgbd_jax.tasks.task import Task, whole_logits
from rgbd_jax.training import sharding
from rgbd_jax.training.checkpoint import Description, describe
from rgbd_jax.training.checkpoint_folders import resolve
from rgbd_jax.training.state import Arrays, Network

# How far the file's logits may be from the network's, as a share of the largest of them. A bfloat16 has eight
# bits, so that rounding in another order shows in the seventh.
TOLERANCE = {"float32": 1e-5, "bfloat16": 2**-6}
# Attention to the nearest keys may take others where the scores of two are as near as this.
NEAR_TIE = {"float32": 1e-5, "bfloat16": 2**-6}
# How many clips are compared in one batch, how many each in a batch of its own, and how often at most.
TOGETHER, ALONE = 8, 2
MOST_ROUNDS = 3

Live = Callable[[Batch], tuple[np.ndarray, np.ndarray]]


def parser() -> ArgumentParser:
    arguments = ArgumentParser(prog="rgbd_jax.export", description=__doc__)
    arguments.add_argument("out", metavar="OUT", type=Path, help="the file to write, .zip")
    arguments.add_argument(
        "--checkpoint", type=Path, required=True, help="a run, RUN/checkpoints/<step>, or a converted folder"
    )
    arguments.add_argument(
        "--which", choices=("newest", "best"), default="newest", help="which checkpoint of a run"
    )
    arguments.add_argument(
        "--frame_size",
        type=_frame_sizes,
        help="of video: width and height of the raw frames, such as 320x240, or of rgb and depth,"
        " 640x480,320x240; those of the data set if not given",
    )
    arguments.add_argument(
        "--max_frames",
        type=int,
        help="of skeletons: to how many frames clips are padded; as in the data set if not given",
    )
    return arguments


def main(argv: list[str]) -> None:
    config_arguments, rest = ConfigArguments.split_from(argv)
    given = parser().parse_args(rest)
    if given.out.suffix != ".zip":
        raise UserError(f"{given.out}: the name of the file to write must end in .zip")
    if given.out.is_dir():
        raise UserError(f"{given.out}: is a folder; name the file to write")
    checkpoint = resolve(given.checkpoint, given.which)
    description, found = export_checkpoint(
        checkpoint, config_arguments, given.out, given.frame_size, given.max_frames
    )
    takes = ", ".join(
        f"{name} {array['dtype']} ({', '.join(map(str, array['shape']))})"
        for name, array in description["inputs"].items()
    )
    print(
        f"{given.out}: takes {takes}; its logits and those of {checkpoint} on {len(found)} random clips"
        f" differ by {found.max():.1e} of the largest"
    )


def export_checkpoint(
    checkpoint: Path,
    config_arguments: ConfigArguments,
    out: Path,
    frame_sizes: Sequence[tuple[int, int]] | None = None,
    max_frames: int | None = None,
) -> tuple[dict[str, Any], np.ndarray]:
    """Write the network of one checkpoint. The data set is only asked for its shape, if it is prepared.

    Args:
      checkpoint: the folder of one checkpoint (`training.checkpoint_folders.resolve`).
      config_arguments: overrides of the checkpoint's config.
      out: the file to write.
      frame_sizes: of video, width and height of the raw frames, one for all modalities or one for each; None
        for those of the data set.
      max_frames: of skeletons, how many frames a clip has with its padding; None for those of the data set.

    Returns:
      The file's description; and of each clip that was compared how far the logits are apart, as a share of
      the largest.

    Raises:
      UserError: if checkpoint, config and options do not belong together, or the shape of the data is not
        known.
      OutsideError: if the file cannot be written, or does not compute what the network does.
    """
    description = describe(checkpoint)
    config = config_arguments.load(default=from_dict(description.config))
    shape = reshaped(raw_shape(config.data), config.data.name, frame_sizes, max_frames)
    known = _known_of_data(shape, description.class_names)
    mesh = sharding.make_mesh([_cpu()])
    task, network, weights = trained_network(config, known, checkpoint, mesh)
    function = deployed(config, task, network, sharding.to_host(weights), description.epoch, shape)
    inputs = raw_inputs(shape)
    program = compile_for_any_batch(function, inputs)
    described = describe_export(config, description, task, describe_program(program))
    with replacing(out) as temporary:
        write_archive(temporary, program, described)
        live = live_network(config, task, network, weights, description.epoch, mesh)
        found = verify(out, read_archive(temporary)[0], live, shape, inputs, config.dtype)
    return described, found


def deployed(
    config: ConfigDict,
    task: Task,
    network: Network,
    weights: tuple[Arrays, Arrays],
    epoch: int,
    shape: Shape,
) -> Callable[[dict[str, jax.Array]], jax.Array]:
    """The function of `raw_inputs` of `shape`, with a batch axis B, to logits (B, K), float32.

    Args:
      weights: parameters and batch statistics, which become a part of it.
      epoch: from 0, the one that they come from.
    """
    formats = shape.formats if isinstance(shape, VideoShape) else {}

    def logits_of(inputs: dict[str, jax.Array]) -> jax.Array:
        num_samples = next(iter(inputs.values())).shape[0]  # not len(): it may be a symbol
        batch = inputs | {"seed": jnp.zeros(num_samples, jnp.uint32)}
        for modality, (height, width, _) in formats.items():
            size = jnp.array([height, width], jnp.int32)
            batch[f"{modality}_size"] = jnp.broadcast_to(size, (num_samples, shape.num_frames, 2))
        prepared = task.prepare(batch, jax.random.key(config.seed), train=False)
        outputs, _ = network.apply(*weights, prepared, train=False)
        return whole_logits(task.logits(outputs, jnp.int32(epoch))).astype(jnp.float32)

    return logits_of


def live_network(
    config: ConfigDict, task: Task, network: Network, weights: tuple[Arrays, Arrays], epoch: int, mesh: Mesh
) -> Live:
    """What evaluation computes of a raw batch: logits (B, K), and the smallest gap in the attention of each
    clip (B,), see `models.transformer.smallest_gap`; infinite where the network has no such attention."""

    def logits_and_gaps(inputs: Any, outputs: dict[str, jax.Array], epoch: jax.Array) -> tuple:
        del inputs
        logits = whole_logits(task.logits(outputs, epoch))
        gaps = outputs.get("attention_gap", jnp.full(logits.shape[:1], jnp.inf, jnp.float32))
        return logits.astype(jnp.float32), gaps

    step = compiled_evaluation(config, task, network, mesh, logits_and_gaps)
    return lambda batch: sharding.to_host(step(*weights, sharding.put_batch(batch, mesh), epoch))


def differences(
    program: Callable[[dict[str, np.ndarray]], jax.Array], live: Live, clips: Batch, names: Iterable[str]
) -> tuple[np.ndarray, np.ndarray]:
    """How far apart the logits of a program and of the live network are.

    Args:
      program: of the arrays of a batch that are called `names`.
      clips: a raw batch, of which the program gets the first clips together and each of the last alone.

    Returns:
      For each clip the largest difference, over the largest logit of all clips; and the gap in its attention.
    """

    def run(first: int, end: int) -> np.ndarray:
        return np.asarray(program({name: jax.device_put(clips[name][first:end], _cpu()) for name in names}))

    # Two batches of one size, for which the live network is compiled once.
    halves = [
        live({name: rows[part] for name, rows in clips.items()}) for part in (np.s_[:-ALONE], np.s_[ALONE:])
    ]
    expected, gaps = (np.concatenate([first, last[-ALONE:]]) for first, last in zip(*halves, strict=True))
    alone = [run(clip, clip + 1) for clip in range(TOGETHER, TOGETHER + ALONE)]
    found = np.concatenate([run(0, TOGETHER), *alone])
    return np.abs(found - expected).max(axis=1) / np.abs(expected).max(), gaps


def verify(
    out: Path,
    program: Callable[[dict[str, np.ndarray]], jax.Array],
    live: Live,
    shape: Shape,
    names: Iterable[str],
    dtype: str,
) -> np.ndarray:
    """See that a program computes what the network does, on ten random clips or more.

    Returns:
      Of each clip that was compared the `differences`.

    Raises:
      OutsideError: if it does not, or too few clips can be compared.
    """
    wanted, found = TOGETHER + ALONE, np.empty(0)
    for seed in range(MOST_ROUNDS):
        errors, gaps = differences(program, live, random_batch(shape, wanted, seed), names)
        found = np.append(found, telling(out, errors, gaps, dtype))
        if len(found) >= wanted:
            return found
    raise OutsideError(
        f"{out}: was not written: read back, it gives the network's logits of {len(found)} out of"
        f" {MOST_ROUNDS * wanted} random clips, and in the others rounding may decide which keys are nearest;"
        f" {wanted} are needed, try --config.dtype=float32"
    )


def telling(out: Path, errors: np.ndarray, gaps: np.ndarray, dtype: str) -> np.ndarray:
    """The differences that tell something: near a tie, where rounding may show attention another key, those
    of the clips that agree nevertheless.

    Raises:
      OutsideError: if a clip differs that is not near a tie.
    """
    agrees = errors <= TOLERANCE[dtype]
    if not np.all(agrees | (np.isfinite(errors) & (gaps <= NEAR_TIE[dtype]))):
        raise OutsideError(
            f"{out}: was not written: read back, it gives logits that differ from the network's by"
            f" {errors.max():.1e} of the largest; allowed is {TOLERANCE[dtype]:.1e}"
        )
    return errors[agrees]


def describe_export(
    config: ConfigDict, description: Description, task: Task, program: dict[str, Any]
) -> dict[str, Any]:
    """What stands in the file beside the program, of which `describe_program` says its part."""
    inputs = {
        name: array | {"meaning": _meaning(name, array["shape"][-1])}
        for name, array in program["inputs"].items()
    }
    output = program["output"] | {"meaning": "logits of the classes; their softmax are probabilities"}
    return {
        "class_names": list(description.class_names),
        **program,
        "inputs": inputs,
        "output": output,
        "data_set": config.data.name,
        "stream": task.view,
        "checkpoint_step": description.step,
        "versions": {
            "rgbd_jax": rgbd_jax.__version__,
            **{name: importlib.metadata.version(name) for name in ("jax", "jaxlib")},
        },
    }


def _meaning(name: str, channels: int) -> str:
    if name == "joints":
        return "batch, frames, persons, joints, x y z, as the data set has them; zeros after the clip's end"
    if name == "num_frames":
        return "frames of the clip before those zeros"
    frames = "batch, frames sampled evenly from the recording, height, width"
    if channels == DEPTH:
        return f"{frames}, millimetres, 0 where nothing was measured"
    return f"{frames}, red green blue{' that the depth is painted with' if name == 'depth' else ''}"


def _known_of_data(shape: Shape, class_names: tuple[str, ...]) -> types.SimpleNamespace:
    """What a task must know of the data: of the checkpoint's classes, not of a published data set's."""
    names = ("modalities", "num_bodies", "num_joints")
    known = {name: getattr(shape, name) for name in names if hasattr(shape, name)}
    return types.SimpleNamespace(class_names=class_names, num_classes=len(class_names), **known)


def _cpu() -> jax.Device:
    """Where file and network are compared: other devices round products in their own ways."""
    try:
        return jax.devices("cpu")[0]
    except RuntimeError as error:
        raise UserError(
            f"JAX_PLATFORMS={jax.config.jax_platforms}: the CPU is needed to check the file; add cpu"
        ) from error


def _frame_sizes(text: str) -> list[tuple[int, int]]:
    sizes = [re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", part) for part in text.split(",")]
    if not all(sizes):
        raise argparse.ArgumentTypeError(f"{text!r}: sizes are such as 320x240, or 640x480,320x240")
    return [(int(size[1]), int(size[2])) for size in sizes]


if __name__ == "__main__":
    run_command(main)

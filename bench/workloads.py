"""What bench/check.py times: two measures of the machine, and small pieces of our own work.

Each is a function that prepares and compiles everything and returns what is timed. All data are generated.
"""

from collections.abc import Callable

import cv2
import jax
import jax.numpy as jnp
import numpy as np

from rgbd_jax.config import load_file, override
from rgbd_jax.data import images
from rgbd_jax.data.random_clips import configured_shape, random_batch
from rgbd_jax.data.synthetic.performance import draw_performance, perform
from rgbd_jax.data.synthetic.rendering import film
from rgbd_jax.experiment import Experiment, prepare_sharded
from rgbd_jax.training import sharding

Step = Callable[[], None]

FRAME_SIZE = (320, 240)  # width and height of the frames to decode, as of NTU RGB+D


def matrix_product() -> Step:
    """A large product, which the speed of arithmetic decides."""
    matrix = jax.random.normal(jax.random.key(0), (1024, 1024))
    product = jax.jit(lambda matrix: matrix @ matrix)
    return lambda: jax.block_until_ready(product(matrix))


def memory_copy() -> Step:
    """A copy of 64 MiB, which the speed of memory decides; into the same place, so that none is asked for."""
    array = jnp.ones(2**24)
    # A mere copy would be left out.
    copy = jax.jit(lambda array: -array, donate_argnums=0)

    def step() -> None:
        nonlocal array
        array = jax.block_until_ready(copy(array))

    return step


def ctrgcn_step() -> Step:
    return training_step("configs/demo.py")


def gap_step() -> Step:
    return training_step("configs/gap/zero_shot.py:march_push,debug")


def i3dwtrans_prediction() -> Step:
    """Its training step would take longer to compile than all else together."""
    experiment, batch = experiment_and_batch("configs/demo_rgbd.py:depth,debug")
    state, predict = experiment.initial_state(), experiment.compiled_prediction()
    return lambda: jax.block_until_ready(predict(state.params, state.batch_stats, batch))


def video_preparation() -> Step:
    """The device's part of the input: crop, turn, heat maps."""
    experiment, batch = experiment_and_batch(
        "configs/rgbd/ntu_cs.py:rgb", "batch_size=1", "data.num_frames=8"
    )
    prepare = jax.jit(
        lambda batch: prepare_sharded(experiment.task, batch, jax.random.key(0), experiment.mesh, train=True)
    )
    return lambda: jax.block_until_ready(prepare(batch))


def jpeg_decoding() -> Step:
    colour, _ = synthetic_clip()
    return decoding([images.encode_jpeg(frame) for frame in colour], images.COLOUR)


def png_decoding() -> Step:
    _, depth = synthetic_clip()
    return decoding([images.encode_png(frame) for frame in depth], images.DEPTH)


REFERENCES = (matrix_product, memory_copy)
WORKLOADS = (ctrgcn_step, gap_step, i3dwtrans_prediction, video_preparation, jpeg_decoding, png_decoding)


def training_step(file: str) -> Step:
    experiment, batch = experiment_and_batch(file)
    state, train_step = experiment.initial_state(), experiment.compiled_step()

    def step() -> None:
        nonlocal state
        state, _ = jax.block_until_ready(train_step(state, batch))

    return step


def decoding(frames: list[bytes], channels: int) -> Step:
    place = images.decode(frames[0], channels)

    def step() -> None:
        for frame in frames:
            images.decode(frame, channels, place)

    return step


def experiment_and_batch(file: str, *changes: str) -> tuple[Experiment, dict[str, jax.Array]]:
    config = override(load_file(file), [f"--config.{change}" for change in changes])
    shape, mesh = configured_shape(config.data), sharding.make_mesh()
    experiment = Experiment.build(config, shape, 1, mesh)
    return experiment, sharding.put_batch(random_batch(shape, config.batch_size), mesh)


def synthetic_clip() -> tuple[np.ndarray, np.ndarray]:
    """Colour and depth of 16 frames of a synthetic action, as large as real ones."""
    rng = np.random.default_rng(0)
    colour, depth = film(perform(draw_performance("kick", rng))[:16], rng)
    return tuple(
        np.stack([cv2.resize(frame, FRAME_SIZE, interpolation=cv2.INTER_NEAREST) for frame in frames])
        for frames in (colour, depth)
    )

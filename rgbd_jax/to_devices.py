"""How the clips of a split get to the devices: batch by batch, or all at once and for good."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from ml_collections import ConfigDict

from rgbd_jax.data.numbered_split import PackedClips, read_clips
from rgbd_jax.data.split import Split
from rgbd_jax.leaving import say
from rgbd_jax.training import sharding, together
from rgbd_jax.training.memory import explaining_exhaustion

PutBatch = Callable[[dict[str, np.ndarray]], dict[str, jax.Array]]

MEBIBYTE = 2**20


def to_devices(split: Split, data: ConfigDict, mesh: Mesh) -> tuple[Split, PutBatch]:
    """The split to make batches of, and what puts such a batch on the devices: the same one either way.

    Args:
      data: `config.data`; with `resident`, every device holds all clips, and is only told their numbers.
    """
    if not data.get("resident"):  # which configs of video do not have
        return split, lambda batch: sharding.put_batch(batch, mesh)
    numbered, clips = read_clips(split, progress=together.is_first())
    if together.is_first():
        size = f"{sum(array.nbytes for array in clips) / MEBIBYTE:.1f} MiB"
        say(f"{split.name}, split {split.split}: {len(split)} clips stay on each device, {size}")
    return numbered, _putting_clips(clips, numbered.max_frames, mesh)


def _putting_clips(clips: PackedClips, max_frames: int, mesh: Mesh) -> PutBatch:
    whole, rows = sharding.replicated(mesh), sharding.over_samples(mesh)
    with explaining_exhaustion("data.resident=False needs less"):
        clips = jax.block_until_ready(sharding.place(clips, PackedClips(whole, whole, whole)))

    def look_up(clips: PackedClips, number: jax.Array) -> dict[str, jax.Array]:
        num_frames = clips.num_frames[number]
        joints = jax.lax.dynamic_slice_in_dim(clips.joints, clips.first[number], max_frames)
        is_frame = jnp.arange(max_frames, dtype=jnp.int32) < num_frames
        joints = jnp.where(is_frame[:, None, None, None], joints, 0)
        return {"joints": joints, "num_frames": num_frames}

    look_up_all = jax.jit(jax.vmap(look_up, in_axes=(None, 0)), out_shardings=rows)

    def put(batch: dict[str, np.ndarray]) -> dict[str, jax.Array]:
        placed = sharding.put_batch(batch, mesh)
        return placed | look_up_all(clips, placed.pop("clip"))

    return put

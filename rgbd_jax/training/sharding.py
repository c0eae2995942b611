"""One mesh over all devices, batches split over its axis `data`, everything else on every device.

Under `jit` a mean over such a batch is a mean over the global batch: batch norm is cross-replica without
another word.
"""

from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from rgbd_jax.errors import UserError


def make_mesh(devices: list[jax.Device] | None = None) -> Mesh:
    """A mesh of all devices (of all processes), or of those given, along the axis `data`."""
    devices = jax.devices() if devices is None else devices
    return jax.make_mesh((len(devices),), ("data",), axis_types=(AxisType.Auto,), devices=devices)


def replicated(mesh: Mesh) -> NamedSharding:
    """Every device holds the whole array."""
    return NamedSharding(mesh, PartitionSpec())


def over_data(mesh: Mesh) -> NamedSharding:
    """The first axis is split over the devices."""
    return NamedSharding(mesh, PartitionSpec("data"))


def check_batch_size(key: str, batch_size: int, mesh: Mesh, parts: int = 1) -> None:
    """Raise a UserError unless every device gets equally many samples of each of the `parts` of a batch."""
    devices = mesh.shape["data"]
    if batch_size < 1 or batch_size % (devices * parts):
        raise UserError(
            f"config.{key}={batch_size}: must be a positive multiple of {devices * parts}"
            f" ({devices} devices, batches in {parts} parts)"
        )


def round_up(batch_size: int, mesh: Mesh) -> int:
    """The next larger batch of which every device gets equally many samples."""
    devices = mesh.shape["data"]
    return -(-batch_size // devices) * devices


def put_batch(batch: dict[str, np.ndarray], mesh: Mesh) -> dict[str, jax.Array]:
    """The global batch as arrays on the devices, from the rows that this process has read.

    Text (the sample ids) stays behind: devices hold numbers only.
    """
    sharding = over_data(mesh)
    return {
        name: jax.make_array_from_process_local_data(sharding, rows)
        for name, rows in batch.items()
        if rows.dtype.kind != "U"
    }


def to_host(tree: Any) -> Any:
    """Replicated arrays as NumPy arrays."""
    return jax.tree.map(np.asarray, tree)

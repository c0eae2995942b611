"""How arrays lie on the devices: one mesh over all of them, of all processes, with two axes.

Batches are split over both axes. Parameters, and what the optimizer keeps of each, are split over `model`, as
one table says: fully sharded data parallelism (FSDP), of which no split at all is the case of one device.
Under `jit` a mean over such a batch is a mean over the global batch: batch norm is cross-replica without
another word.
"""

import re
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from rgbd_jax.errors import UserError
from rgbd_jax.training.state import named_leaves

DATA, MODEL = "data", "model"
# The samples of a batch.
SAMPLES = PartitionSpec((DATA, MODEL))

# Which axis of an array of the training state is split over `model`: by the end of its path, the first of
# these axes that divides. All others (biases, norms, statistics, numbers) are small, and whole everywhere.
SPLIT_AXES = (
    (r"kernel", (-1, -2)),  # the outputs or inputs of a dense layer or convolution
    (r"embedding", (-1,)),
)


def make_mesh(devices: list[jax.Device] | None = None, fsdp: int = 1) -> Mesh:
    """A mesh of all devices (of all processes), or of those given.

    Args:
      fsdp: how many of them, neighbours, share one copy of the parameters: the length of the axis `model`.

    Raises:
      UserError: if the devices cannot be grouped so.
    """
    devices = jax.devices() if devices is None else devices
    if len(devices) % fsdp:
        raise UserError(f"config.fsdp={fsdp}: does not divide the {len(devices)} devices")
    # The rows of a global batch are the processes' rows one after another.
    devices = sorted(devices, key=lambda device: (device.process_index, device.id))
    grouped = np.asarray(devices).reshape(-1, fsdp)
    return Mesh(grouped, (DATA, MODEL), axis_types=(AxisType.Auto, AxisType.Auto))


def replicated(mesh: Mesh) -> NamedSharding:
    """Every device holds the whole array."""
    return NamedSharding(mesh, PartitionSpec())


def over_samples(mesh: Mesh) -> NamedSharding:
    """The first axis is split over the devices."""
    return NamedSharding(mesh, SAMPLES)


def state_shardings(state: Any, mesh: Mesh) -> Any:
    """Where the arrays of a training state, or of a part of it, belong; they may be abstract."""
    shardings = [
        NamedSharding(mesh, _spec(name, leaf.shape, mesh.shape[MODEL]))
        for name, leaf in named_leaves(state).items()
    ]
    return jax.tree.unflatten(jax.tree.structure(state), shardings)


def gather(params: Any, mesh: Mesh) -> Any:
    """Within a compiled function: parameters whole on every device, as the network needs them."""
    return jax.lax.with_sharding_constraint(params, replicated(mesh))


def split(params: Any, mesh: Mesh) -> Any:
    """Within a compiled function: parameters, or arrays like them, where the state has them."""
    return jax.lax.with_sharding_constraint(params, state_shardings(params, mesh))


def _spec(name: str, shape: tuple[int, ...], parts: int) -> PartitionSpec:
    candidates = next((axes for pattern, axes in SPLIT_AXES if re.search(pattern + "$", name)), ())
    for axis in candidates:
        if parts > 1 and len(shape) >= -axis and shape[axis] % parts == 0:
            return PartitionSpec(*([None] * (len(shape) + axis)), MODEL)
    return PartitionSpec()


def check_batch_size(key: str, batch_size: int, mesh: Mesh, parts: int = 1) -> None:
    """Raise a UserError unless every device gets equally many samples of each of the `parts` of a batch."""
    devices = mesh.size
    if batch_size < 1 or batch_size % (devices * parts):
        raise UserError(
            f"config.{key}={batch_size}: must be a positive multiple of {devices * parts}"
            f" ({devices} devices, batches in {parts} parts)"
        )


def round_up(batch_size: int, mesh: Mesh) -> int:
    """The next larger batch of which every device gets equally many samples."""
    return -(-batch_size // mesh.size) * mesh.size


def put_batch(batch: dict[str, np.ndarray], mesh: Mesh) -> dict[str, jax.Array]:
    """The global batch as arrays on the devices, from the rows that this process has read.

    Text (the sample ids) stays behind: devices hold numbers only.
    """
    sharding = over_samples(mesh)
    return {
        name: jax.make_array_from_process_local_data(sharding, rows)
        for name, rows in batch.items()
        if rows.dtype.kind != "U"
    }


def place(tree: Any, shardings: Any) -> Any:
    """Arrays that every process holds whole, as arrays on the devices.

    Args:
      shardings: one for each array.
    """

    def put(leaf: Any, sharding: NamedSharding) -> jax.Array:
        whole = np.asarray(leaf)
        # Devices of the CPU would share the memory, which a step may take over: they get copies.
        parts = [
            jax.device_put(np.array(whole[index], copy=device.platform == "cpu"), device)
            for device, index in sharding.addressable_devices_indices_map(whole.shape).items()
        ]
        return jax.make_array_from_single_device_arrays(whole.shape, sharding, parts)

    return jax.tree.map(put, tree, shardings)


def to_host(tree: Any) -> Any:
    """Replicated arrays as NumPy arrays."""
    return jax.tree.map(np.asarray, tree)

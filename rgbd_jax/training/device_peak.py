"""How many floating-point operations a second devices can do at most: as published, or as measured here."""

import dataclasses
import time

import jax
from jax.sharding import Mesh

from rgbd_jax.training import sharding

# Of one device in TFLOP/s, by the name that JAX gives it: NVIDIA's data sheets, and for GeForce the white
# papers of the architectures. All are of dense products on tensor cores that add up in float32; data sheets
# that state twice as much mean matrices of which half is zeros. Products of float32 run as TF32 there unless
# JAX is told otherwise (https://docs.jax.dev/en/latest/201/precision.html). A part of a GPU (MIG) has another
# name, and is measured.
PUBLISHED = {
    "NVIDIA H200": {"bfloat16": 989.4, "float32": 494.7},
    "NVIDIA H100 80GB HBM3": {"bfloat16": 989.4, "float32": 494.7},
    "NVIDIA H100 PCIe": {"bfloat16": 756, "float32": 378},
    "NVIDIA A100-SXM4-40GB": {"bfloat16": 312, "float32": 156},
    "NVIDIA A100-SXM4-80GB": {"bfloat16": 312, "float32": 156},
    "NVIDIA A100-PCIE-40GB": {"bfloat16": 312, "float32": 156},
    "NVIDIA A100 80GB PCIe": {"bfloat16": 312, "float32": 156},
    "NVIDIA L40S": {"bfloat16": 362, "float32": 183},
    "NVIDIA L4": {"bfloat16": 121, "float32": 60},
    "NVIDIA A10": {"bfloat16": 125, "float32": 62.5},
    "NVIDIA GeForce RTX 4090": {"bfloat16": 165.2, "float32": 82.6},
    "NVIDIA GeForce RTX 3090": {"bfloat16": 71, "float32": 35.6},
}
TERA = 1e12

# A product is measured in ever larger sizes until it takes so long that its start does not count.
SMALLEST_SIDE = 1024
LONG_ENOUGH = 0.02  # seconds
REPEATS = 5


@dataclasses.dataclass(frozen=True)
class Peak:
    """Of all devices together.

    Attributes:
      flops_per_s: operations a second.
      source: `published` or `measured`.
    """

    flops_per_s: float
    source: str


def peak_of(mesh: Mesh, dtype: str) -> Peak:
    """The peak of the devices of a mesh, which are alike, for products of `float32` or `bfloat16`."""
    published = PUBLISHED.get(mesh.devices.flat[0].device_kind)
    if published:
        return Peak(mesh.size * published[dtype] * TERA, "published")
    return Peak(measured_flops_per_s(mesh, dtype), "measured")


def measured_flops_per_s(mesh: Mesh, dtype: str) -> float:
    """The best rate of large products of square matrices, one on each device at the same time."""
    side, best = SMALLEST_SIDE, 0.0
    while True:
        seconds = min(_product_seconds(mesh, side, dtype))
        best = max(best, mesh.size * 2 * side**3 / seconds)
        if seconds >= LONG_ENOUGH:
            return best
        side *= 2


def _product_seconds(mesh: Mesh, side: int, dtype: str) -> list[float]:
    rows, whole = sharding.over_samples(mesh), sharding.replicated(mesh)

    def matrix(height: int, place: jax.sharding.Sharding) -> jax.Array:
        draw = jax.jit(lambda key: jax.random.normal(key, (height, side), dtype), out_shardings=place)
        return draw(jax.random.key(0))

    left, right = matrix(mesh.size * side, rows), matrix(side, whole)
    product = jax.jit(lambda left, right: left @ right, out_shardings=rows)
    jax.block_until_ready(product(left, right))  # compiles
    seconds = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        jax.block_until_ready(product(left, right))
        seconds.append(time.perf_counter() - begun)
    return seconds

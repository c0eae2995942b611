"""State dicts of the published networks, made by the rule under which the reference numbers were computed."""

import json
from pathlib import Path

import numpy as np
from golden.weights import golden_array

from rgbd_jax.models.skeleton_graph import spatial_adjacency
from rgbd_jax.skeleton_layouts import SkeletonLayout

Shapes = dict[str, tuple[int, ...]]


def manifest(variant: str) -> dict:
    """What a published network holds: `entries` is a list of [name, shape, dtype]."""
    return json.loads((Path(__file__).parent / "spec" / f"gap_{variant}_manifest.json").read_text())


def network_weights(variant: str, layout: SkeletonLayout) -> dict[str, np.ndarray]:
    """All tensors of a whole published network."""
    shapes = {name: tuple(shape) for name, shape, _ in manifest(variant)["entries"]}
    return weights(shapes, layout, baseline="baseline" in variant)


def weights(
    shapes: Shapes, layout: SkeletonLayout, *, prefix: str = "", baseline: bool = False
) -> dict[str, np.ndarray]:
    """Tensors by name: golden values of prefix + name, with the changes that keep the activations sane."""
    topology = np.stack([np.eye(layout.num_joints)] * 3) if baseline else spatial_adjacency(layout)
    tensors = {}
    for name, shape in shapes.items():
        value = golden_array(prefix + name, shape)
        if len(shape) == 4:
            value = np.float32(0.35) * value
        elif name.endswith("PA"):
            value = topology.astype(np.float32) + np.float32(0.25) * value
        elif name == "logit_scale":
            value = np.float32(np.log(1 / 0.07)) + value
        tensors[name] = value
    return tensors


def conv_shapes(name: str, in_channels: int, out_channels: int, width: int = 1) -> Shapes:
    """A convolution of PyTorch with kernel (width, 1)."""
    return {f"{name}.weight": (out_channels, in_channels, width, 1), f"{name}.bias": (out_channels,)}


def norm_shapes(name: str, channels: int) -> Shapes:
    """A batch norm of PyTorch, without its counter."""
    return {f"{name}.{leaf}": (channels,) for leaf in ("weight", "bias", "running_mean", "running_var")}


def ctrgc_shapes(name: str, in_channels: int, out_channels: int) -> Shapes:
    """One published CTRGC branch; `name` ends in a dot or is empty."""
    relations = 8 if in_channels in (3, 9) else in_channels // 8
    return {
        **conv_shapes(f"{name}conv1", in_channels, relations),
        **conv_shapes(f"{name}conv2", in_channels, relations),
        **conv_shapes(f"{name}conv3", in_channels, out_channels),
        **conv_shapes(f"{name}conv4", relations, out_channels),
    }


def gcn_shapes(name: str, in_channels: int, out_channels: int, joints: int) -> Shapes:
    """The published unit_gcn."""
    shapes = {
        f"{name}PA": (3, joints, joints),
        f"{name}alpha": (1,),
        **norm_shapes(f"{name}bn", out_channels),
    }
    for subset in range(3):
        shapes |= ctrgc_shapes(f"{name}convs.{subset}.", in_channels, out_channels)
    return shapes | down_shapes(name, in_channels, out_channels)


def baseline_gcn_shapes(name: str, in_channels: int, out_channels: int, joints: int) -> Shapes:
    """The unit_gcn of the baseline."""
    shapes = {f"{name}PA": (3, joints, joints), **norm_shapes(f"{name}bn", out_channels)}
    for subset in range(3):
        shapes |= conv_shapes(f"{name}conv_d.{subset}", in_channels, out_channels)
    return shapes | down_shapes(name, in_channels, out_channels)


def down_shapes(name: str, in_channels: int, out_channels: int) -> Shapes:
    """The shortcut of a unit_gcn, where there is one."""
    if in_channels == out_channels:
        return {}
    return conv_shapes(f"{name}down.0", in_channels, out_channels) | norm_shapes(
        f"{name}down.1", out_channels
    )


def tcn_shapes(name: str, channels: int) -> Shapes:
    """The published multi-scale temporal convolution."""
    branch = channels // 4
    shapes = {}
    for i in range(4):
        shapes |= conv_shapes(f"{name}branches.{i}.0", channels, branch)
        shapes |= norm_shapes(f"{name}branches.{i}.1", branch)
    for i in range(2):
        shapes |= conv_shapes(f"{name}branches.{i}.3.conv", branch, branch, 5)
        shapes |= norm_shapes(f"{name}branches.{i}.3.bn", branch)
    return shapes | norm_shapes(f"{name}branches.2.4", branch)


def residual_shapes(in_channels: int, out_channels: int) -> Shapes:
    """The shortcut of a whole block."""
    return conv_shapes("residual.conv", in_channels, out_channels) | norm_shapes("residual.bn", out_channels)

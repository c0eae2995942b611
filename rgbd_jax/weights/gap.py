"""The tables of CTR-GCN, GAP and the baseline GCN.

The published blocks l1 … l10 are our blocks 0 … 9. What they keep as separate branches we keep as pieces of
one variable.
"""

from collections.abc import Iterable

import numpy as np

from rgbd_jax.weights.layer_rules import batch_norm_rules, dense_rules
from rgbd_jax.weights.rules import AS_IT_IS, Layout, Rule

NUM_BLOCKS = 10
# The head of the whole body is called by the text encoder that it is compared with.
GLOBAL_HEAD = r"linear_head\.(?P<encoder>[^.]+)"
_PARTS = (
    "head",
    "hand",
    "foot",
    "hip",
)  # in the published order of part_list, which is not that of the outputs


# (O, I, 1, 1) there, (O, I) here.
_POINTWISE = Layout(lambda kernel: kernel.reshape(kernel.shape[:2]), lambda kernel: kernel[..., None, None])
# (O, I, T, 1) there, (O, T, I) here.
_TEMPORAL = Layout(
    lambda kernel: kernel.reshape(kernel.shape[:3]).swapaxes(1, 2),
    lambda kernel: kernel.swapaxes(1, 2)[..., None],
)
# (1,) there, () here.
_SCALAR = Layout(lambda tensor: tensor.reshape(()), lambda tensor: tensor[None])


def _conv(torch: str, ours: str, layout: Layout = _POINTWISE, piece: str = "0") -> list[Rule]:
    return [
        Rule(rf"{torch}\.weight", f"params/{ours}/kernel", layout, piece),
        Rule(rf"{torch}\.bias", f"params/{ours}/bias", piece=piece),
    ]


def _shared(torch: str, ours: str) -> list[Rule]:
    """Spatial batch norm and shortcuts of a block, alike in all networks."""
    return [
        *batch_norm_rules(rf"{torch}gcn1\.bn", f"{ours}spatial/norm"),
        *_conv(rf"{torch}gcn1\.down\.0", f"{ours}spatial/shortcut/conv"),
        *batch_norm_rules(rf"{torch}gcn1\.down\.1", f"{ours}spatial/shortcut/norm"),
        *_conv(rf"{torch}residual\.conv", f"{ours}shortcut/conv"),
        *batch_norm_rules(rf"{torch}residual\.bn", f"{ours}shortcut/norm"),
    ]


def ctrgc_rules(torch: str, ours: str) -> list[Rule]:
    r"""CTR-GC. `torch` must have one group, the number of the subset."""
    return [
        *_conv(rf"{torch}conv1", f"{ours}psi", piece=r"\1"),
        *_conv(rf"{torch}conv2", f"{ours}phi", piece=r"\1"),
        *_conv(rf"{torch}conv3", rf"{ours}theta/\1"),
        Rule(rf"{torch}conv4\.weight", f"params/{ours}xi_kernel", _POINTWISE.stacked, r"\1"),
        Rule(rf"{torch}conv4\.bias", f"params/{ours}xi_bias", AS_IT_IS.stacked, r"\1"),
    ]


def graph_conv_rules(torch: str, ours: str) -> list[Rule]:
    """The spatial half of a block, without what `_shared` has."""
    return [
        Rule(rf"{torch}PA", f"params/{ours}adjacency"),
        Rule(rf"{torch}alpha", f"params/{ours}alpha", _SCALAR),
        *ctrgc_rules(rf"{torch}convs\.(0|1|2)\.", f"{ours}refinement/"),
    ]


def temporal_rules(torch: str, ours: str) -> list[Rule]:
    """The multi-scale temporal half of a block."""
    return [
        *_conv(rf"{torch}branches\.(0|1|2|3)\.0", f"{ours}reduce", piece=r"\1"),
        *batch_norm_rules(rf"{torch}branches\.(0|1|2)\.1", f"{ours}reduce_norm", piece=r"\1"),
        *_conv(rf"{torch}branches\.(0|1)\.3\.conv", rf"{ours}dilated/\1", _TEMPORAL),
        *batch_norm_rules(rf"{torch}branches\.(0|1)\.3\.bn", f"{ours}norm", piece=r"\1"),
        *batch_norm_rules(rf"{torch}branches\.2\.4", f"{ours}norm", piece="2"),
        *batch_norm_rules(rf"{torch}branches\.3\.1", f"{ours}norm", piece="3"),
    ]


def ctrgcn_block_rules(torch: str, ours: str) -> list[Rule]:
    """One block of CTR-GCN."""
    return [
        *_shared(torch, ours),
        *graph_conv_rules(rf"{torch}gcn1\.", f"{ours}spatial/"),
        *temporal_rules(rf"{torch}tcn1\.", f"{ours}temporal/"),
    ]


def baseline_block_rules(torch: str, ours: str) -> list[Rule]:
    """One block of the baseline."""
    return [
        *_shared(torch, ours),
        Rule(rf"{torch}gcn1\.PA", f"params/{ours}spatial/topology"),
        *_conv(rf"{torch}gcn1\.conv_d\.(0|1|2)", rf"{ours}spatial/theta/\1"),
        *_conv(rf"{torch}tcn1\.conv", f"{ours}temporal/conv", _TEMPORAL),
        *batch_norm_rules(rf"{torch}tcn1\.bn", f"{ours}temporal/norm"),
    ]


def _network(blocks: Iterable[Rule]) -> tuple[Rule, ...]:
    return (*batch_norm_rules("data_bn", "input_norm"), *blocks, *dense_rules("fc", "classifier"))


CTRGCN = _network(
    rule for i in range(NUM_BLOCKS) for rule in ctrgcn_block_rules(rf"l{i + 1}\.", f"blocks/{i}/")
)
BASELINE_GCN = _network(
    rule for i in range(NUM_BLOCKS) for rule in baseline_block_rules(rf"l{i + 1}\.", f"blocks/{i}/")
)
GAP = (
    *CTRGCN,
    *dense_rules(GLOBAL_HEAD, "global_head"),
    *(
        rule
        for i, part in enumerate(_PARTS)
        for rule in dense_rules(rf"part_list\.{i}", f"part_heads/{part}")
    ),
    Rule("logit_scale", "params/logit_scale", Layout(np.ravel, lambda scale: scale[None])),
)

"""The tables of MotionRGBD's networks.

The three units with which an inception block begins are pieces of one unit of ours.
"""

import dataclasses

import numpy as np

from rgbd_jax.weights.layer_rules import batch_norm_rules, dense_rules, layer_norm_rules
from rgbd_jax.weights.rules import Layout, Rule


def _channels_last(kernel: np.ndarray) -> np.ndarray:
    """(O, I, T, H, W) to (O, *widths, I), without the widths that are 1."""
    if kernel.ndim != 5:
        raise ValueError("not the kernel of a 3-D convolution")
    widths = [width for width in kernel.shape[2:] if width > 1]
    return np.moveaxis(kernel, 1, -1).reshape(len(kernel), *widths, kernel.shape[1])


def _channels_first(kernel: np.ndarray) -> np.ndarray:
    """(O, *widths, I) to (O, I, T, H, W): one width is of time, two are of space."""
    kernel = np.moveaxis(kernel, -1, 1)
    widths = {0: (1, 1, 1), 1: (*kernel.shape[2:], 1, 1), 2: (1, *kernel.shape[2:])}[kernel.ndim - 2]
    return kernel.reshape(*kernel.shape[:2], *widths)


_KERNEL = Layout(_channels_last, _channels_first)


def unit_rules(torch: str, ours: str, piece: str = "0", length: str = "") -> list[Rule]:
    """A convolution unit. Here and below both names end in a separator or are empty."""
    return [
        Rule(rf"{torch}conv3d\.weight", f"params/{ours}kernel", _KERNEL, piece, length),
        *batch_norm_rules(f"{torch}bn", f"{ours}norm", piece, length),
    ]


def inception_rules(torch: str, ours: str) -> list[Rule]:
    """An inception block, spatial or temporal."""
    return [
        *unit_rules(rf"{torch}b0\.", f"{ours}entry/", "0"),
        *unit_rules(rf"{torch}b1a\.", f"{ours}entry/", "1", f"params/{ours}conv_1/kernel"),
        *unit_rules(rf"{torch}b2a\.", f"{ours}entry/", "2", f"params/{ours}conv_2/kernel"),
        *unit_rules(rf"{torch}b1b\.", f"{ours}conv_1/"),
        *unit_rules(rf"{torch}b2b\.", f"{ours}conv_2/"),
        *unit_rules(rf"{torch}b3b\.", f"{ours}after_pool/"),
    ]


# (1, 2, 1) there, (2,) here.
_PAIR = Layout(np.ravel, lambda pair: pair[None, :, None])


def spatial_network_rules(torch: str, ours: str) -> list[Rule]:
    """The spatial network."""
    return [
        *unit_rules(rf"{torch}Conv3d_1a_7x7\.", f"{ours}stem/conv_1a/"),
        *unit_rules(rf"{torch}Conv3d_2b_1x1\.", f"{ours}stem/conv_2b/"),
        *unit_rules(rf"{torch}Conv3d_2c_3x3\.", f"{ours}stem/conv_2c/"),
        *inception_rules(rf"{torch}Mixed_(?P<block>3b|3c|4b|4c|5b|5c)\.", rf"{ours}mixed_\g<block>/"),
        Rule(rf"{torch}frp_module\.rpconv1d\.weight", f"params/{ours}frp/pair", _PAIR),
    ]


# (1, N, C) there, (N, C) here.
_WITHOUT_BATCH = Layout(lambda tensor: tensor.reshape(tensor.shape[1:]), lambda tensor: tensor[None])


def _head(torch: str, ours: str) -> list[Rule]:
    return [*layer_norm_rules(rf"{torch}\.0", f"{ours}/norm"), *dense_rules(rf"{torch}\.1", f"{ours}/dense")]


def recoupling_rules(torch: str, ours: str) -> list[Rule]:
    """The recoupling. Both names end in a separator or are empty."""
    return [
        *dense_rules(f"{torch}q", f"{ours}feature_gate/query"),
        *dense_rules(f"{torch}k", f"{ours}feature_gate/key"),
        *dense_rules(rf"{torch}mergefc\.1", f"{ours}feature_gate/merge"),
        *layer_norm_rules(rf"{torch}mergefc\.2", f"{ours}feature_gate/merge_norm"),
        *dense_rules(rf"{torch}project\.0", f"{ours}expand"),
        *dense_rules(rf"{torch}project\.2", f"{ours}contract"),
        *layer_norm_rules(rf"{torch}project\.3", f"{ours}gate_norm"),
        *dense_rules(f"{torch}linear", f"{ours}student"),
    ]


def attention_rules(torch: str, ours: str) -> list[Rule]:
    """Attention. Both names end in a separator or are empty."""
    return [*dense_rules(f"{torch}to_qkv", f"{ours}qkv"), *dense_rules(rf"{torch}to_out\.0", f"{ours}out")]


def encoder_rules(torch: str, ours: str) -> list[Rule]:
    """An encoder layer. Both names end in a separator or are empty."""
    return [
        *layer_norm_rules(rf"{torch}layers\.0\.0\.norm", f"{ours}attention_norm"),
        *attention_rules(rf"{torch}layers\.0\.0\.fn\.", f"{ours}attention/"),
        *layer_norm_rules(rf"{torch}layers\.0\.1\.norm", f"{ours}norm"),
        *dense_rules(rf"{torch}layers\.0\.1\.fn\.fc1", f"{ours}expand"),
        *dense_rules(rf"{torch}layers\.0\.1\.fn\.fc2", f"{ours}contract"),
    ]


def temporal_network_rules(torch: str, ours: str) -> list[Rule]:
    """The temporal network without its classifiers. Both names end in a separator or are empty."""
    branch, branches = "(?P<branch>small|media|large)", rf"{ours}branches/\g<branch>"
    encoders = encoder_rules(
        rf"{torch}multi_scale_transformers\.(?P<block>\d+)\.transformer_enc_{branch}\.", f"{branches}/blocks/"
    )
    return [
        Rule(rf"{torch}cls_token_{branch}", f"params/{branches}/class_token", _WITHOUT_BATCH),
        Rule(rf"{torch}pos_embedding_{branch}", f"params/{branches}/positions", _WITHOUT_BATCH),
        *inception_rules(
            rf"{torch}multi_scale_transformers\.0\.Mixed_{branch}\.", f"{branches}/local/inception/"
        ),
        *(dataclasses.replace(rule, layout=rule.layout.stacked, piece=r"\g<block>") for rule in encoders),
        *recoupling_rules(rf"{torch}rcm\.", f"{ours}recoupling/"),
    ]


def trunk_rules(torch: str, ours: str) -> list[Rule]:
    """What is alike in both networks. Both names end in a separator or are empty."""
    return [
        *spatial_network_rules(torch, f"{ours}spatial/"),
        *_head(f"{torch}LinearMap", f"{ours}projection"),
        *temporal_network_rules(rf"{torch}dtn\.", f"{ours}temporal/"),
    ]


def head_rules(torch: str, ours: str) -> list[Rule]:
    """The classifiers of the branches. Both names end in a separator or are empty."""
    return _head(rf"{torch}mlp_head_(?P<branch>small|media|large)", rf"{ours}heads/\g<branch>")


def _dense_unit(torch: str, first: int, ours: str) -> list[Rule]:
    """A dense layer, number `first` of a sequence, and the batch norm after it.

    All dense layers of FusionNet's own but the heads are convolutions over single positions there.
    """
    return [
        *dense_rules(rf"{torch}\.{first}", f"{ours}/dense", 2),
        *batch_norm_rules(rf"{torch}\.{first + 1}", f"{ours}/norm"),
    ]


def _interaction(torch: str, ours: str) -> list[Rule]:
    return [*_dense_unit(torch, 0, f"{ours}/entry"), *dense_rules(rf"{torch}\.3", f"{ours}/out", 2)]


def autoencoder_rules(torch: str, ours: str) -> list[Rule]:
    """The autoencoder of FusionNet. Both names end in a separator or are empty."""
    return [
        *(
            rule
            for i in range(3)
            for rule in _dense_unit(rf"{torch}encoder\.enconv", 3 * i, f"{ours}encoder/{i}")
        ),
        *dense_rules(rf"{torch}encoder\.enconv\.9", f"{ours}code", 2),
        *dense_rules(f"{torch}efc", f"{ours}classifier", 2),
        *(
            rule
            for i in range(2)
            for rule in _dense_unit(rf"{torch}decoder\.deconv", 3 * i, f"{ours}decoder/{i}")
        ),
    ]


I3DWTRANS = (*trunk_rules("", ""), *head_rules(r"dtn\.", ""))
FUSIONNET = (
    *trunk_rules(r"Modalit_(?P<modality>rgb|depth)\.", r"trunks/\g<modality>/"),
    *_interaction("crossFusion", "frame_interaction"),
    *_interaction("crossFusionT", "clip_interaction"),
    *_head("classifier1", "heads/rgb"),
    *_head("classifier2", "heads/depth"),
    *autoencoder_rules(r"fusion_model\.", "autoencoder/"),
    *dense_rules("fc", "modality", 2),
)

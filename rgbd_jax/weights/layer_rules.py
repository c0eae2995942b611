"""Rules of the layers that the tables share. Names have no separator at their end."""

import numpy as np

from rgbd_jax.weights.rules import Layout, Rule

# PyTorch counts the batches of each batch norm; the statistics do not need it.
IGNORED = (r".*num_batches_tracked",)


def _linear(kernel: np.ndarray) -> np.ndarray:
    """(O, I), in convolutions over single positions with more axes of length 1, to (I, O)."""
    return kernel.reshape(kernel.shape[:2]).T


def dense_layout(positions: int = 0) -> Layout:
    """Of the kernel of a dense layer; in PyTorch it may be a convolution over so many axes of length 1."""
    return Layout(_linear, lambda kernel: kernel.T.reshape(*kernel.T.shape, *(1,) * positions))


def dense_rules(torch: str, ours: str, positions: int = 0) -> list[Rule]:
    """Kernel and bias of a dense layer; see `dense_layout`."""
    return [
        Rule(rf"{torch}\.weight", f"params/{ours}/kernel", dense_layout(positions)),
        Rule(rf"{torch}\.bias", f"params/{ours}/bias"),
    ]


def layer_norm_rules(torch: str, ours: str, piece: str = "0", length: str = "") -> list[Rule]:
    """Scale and bias."""
    return [
        Rule(rf"{torch}\.weight", f"params/{ours}/scale", piece=piece, length=length),
        Rule(rf"{torch}\.bias", f"params/{ours}/bias", piece=piece, length=length),
    ]


def batch_norm_rules(torch: str, ours: str, piece: str = "0", length: str = "") -> list[Rule]:
    """Scale, bias and running statistics."""
    return [
        *layer_norm_rules(torch, ours, piece, length),
        Rule(rf"{torch}\.running_mean", f"batch_stats/{ours}/mean", piece=piece, length=length),
        Rule(rf"{torch}\.running_var", f"batch_stats/{ours}/var", piece=piece, length=length),
    ]

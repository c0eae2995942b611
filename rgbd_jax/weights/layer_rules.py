"""Rules of the layers that the tables share. Names have no separator at their end."""

import numpy as np

from rgbd_jax.weights.rules import Rule

# PyTorch counts the batches of each batch norm; the statistics do not need it.
IGNORED = (r".*num_batches_tracked",)


def _linear(kernel: np.ndarray) -> np.ndarray:
    """(O, I), in convolutions over single positions with more axes of length 1, to (I, O)."""
    return kernel.reshape(kernel.shape[:2]).T


def dense_rules(torch: str, ours: str) -> list[Rule]:
    """Kernel and bias of a dense layer."""
    return [
        Rule(rf"{torch}\.weight", f"params/{ours}/kernel", _linear),
        Rule(rf"{torch}\.bias", f"params/{ours}/bias"),
    ]


def layer_norm_rules(torch: str, ours: str, piece: str = "0") -> list[Rule]:
    """Scale and bias."""
    return [
        Rule(rf"{torch}\.weight", f"params/{ours}/scale", piece=piece),
        Rule(rf"{torch}\.bias", f"params/{ours}/bias", piece=piece),
    ]


def batch_norm_rules(torch: str, ours: str, piece: str = "0") -> list[Rule]:
    """Scale, bias and running statistics."""
    return [
        *layer_norm_rules(torch, ours, piece),
        Rule(rf"{torch}\.running_mean", f"batch_stats/{ours}/mean", piece=piece),
        Rule(rf"{torch}\.running_var", f"batch_stats/{ours}/var", piece=piece),
    ]

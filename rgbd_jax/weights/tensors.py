"""Reading the tensors of a file of weights, whichever program wrote it."""

from pathlib import Path

import numpy as np

from rgbd_jax.weights.pytorch import read_pytorch
from rgbd_jax.weights.safetensors import read_safetensors


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """All tensors of a file, by their names: `.safetensors`, or by any other ending one of PyTorch.

    Raises:
      UserError: if it cannot be read, or is neither.
    """
    return read_safetensors(path) if path.suffix == ".safetensors" else read_pytorch(path)

"""Recognition of human motion from colour video, depth video and skeletons, in JAX.

import rgbd_jax

network = rgbd_jax.load("runs/nvgesture_rgb")
print(network.predict("recording.avi").top())
"""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rgbd_jax.predictor import Predictor

__version__ = "0.1.0"


def load(path: str | os.PathLike, which: str = "newest") -> "Predictor":
    """The network of a checkpoint, ready to recognise what is done in recordings; see `Predictor`.

    Args:
      path: a run, one of its checkpoints, or a converted folder.
      which: of a run, the `newest` or the `best` checkpoint.

    Raises:
      UserError: there is no checkpoint, or none that this version reads.
    """
    # Whoever only asks for the version need not wait for JAX.
    from rgbd_jax.predictor import Predictor

    return Predictor(path, which)

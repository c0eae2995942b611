"""Files of joints of all known kinds: `.skeleton` of NTU RGB+D, `.json` of NW-UCLA, `.npz` with `joints`."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from rgbd_jax.data.formats.joint_archive import read_joint_archive
from rgbd_jax.data.formats.ntu_skeleton import read_ntu_skeleton
from rgbd_jax.data.formats.nw_ucla_json import read_nw_ucla_json
from rgbd_jax.data.ntu.actors import find_actors

JOINT_FILES: Mapping[str, Callable[[Path], np.ndarray]] = {
    ".skeleton": lambda path: find_actors(read_ntu_skeleton(path)),
    ".json": read_nw_ucla_json,
    ".npz": read_joint_archive,
}


def read_joints(path: Path) -> np.ndarray:
    """The joints of a recording, (T, M, V, 3) float32 in metres.

    Persons come in the order of the file; of a `.skeleton`, who moves most comes first.

    Raises:
      UserError: it is of no known kind, or cannot be read.
      NoActor: nobody is in it.
    """
    return JOINT_FILES[path.suffix.lower()](path)

"""One clip of a skeleton data set on its way from the source to the records."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Sample:
    """One clip: its place for messages, its id, the name of its class, and joints (T, M, V, 3) in metres."""

    place: str
    id: str
    class_name: str
    joints: np.ndarray

import numpy as np
import pytest

from rgbd_jax.report.scores import Scores


@pytest.fixture
def scores():
    """Seven samples of four classes, the last of which has none."""
    logits = [
        [3, 1, 0, 0],
        [0, 2, 1, 0],
        [1, 5, 0, 0],
        [0, 0, 4, 0],
        [2, 0, 0, 1],
        [0, 0, 1, 3],
        [0, 1, 0, 0],
    ]
    return Scores(
        ids=np.array([f"clip{i}" for i in range(7)]),
        logits=np.array(logits, np.float32),
        labels=np.array([0, 1, 0, 2, 2, 1, 1], np.int32),
        class_names=("wave", "sit down", "stand up", "jump, twice"),
        data_set="synthetic",
        split="test",
        stream="joint",
    )

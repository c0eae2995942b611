"""Which samples are worth looking at."""

import numpy as np

from rgbd_jax.report.metrics import predictions, sureness
from rgbd_jax.report.scores import Scores


def telling_samples(scores: Scores, count: int) -> np.ndarray:
    """The surest mistakes and the surest of what was recognised, by turns, a mistake first.

    Of each kind there is one of each class before there is a second one of any. Where one kind runs out, the
    other goes on.

    Returns:
      The places of at most `count` samples.
    """
    predicted = predictions(scores)
    order = np.lexsort((scores.ids, -sureness(scores)))
    kinds = []
    for is_right in (False, True):
        places = order[(predicted == scores.labels)[order] == is_right]
        round_of = _occurrence(scores.labels[places])
        kinds.append(places[np.argsort(round_of, kind="stable")])
    wrong, right = kinds
    num_wrong = min(len(wrong), max(count - count // 2, count - len(right)))
    num_right = min(len(right), count - num_wrong)
    turn = np.concatenate([2 * np.arange(num_wrong), 2 * np.arange(num_right) + 1])
    return np.concatenate([wrong[:num_wrong], right[:num_right]])[np.argsort(turn)]


def _occurrence(labels: np.ndarray) -> np.ndarray:
    """How often each label stood before: (N,)."""
    seen: dict[int, int] = {}
    found = np.zeros(len(labels), np.int64)
    for place, label in enumerate(labels.tolist()):
        found[place] = seen.get(label, 0)
        seen[label] = found[place] + 1
    return found

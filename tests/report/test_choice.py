import numpy as np
import pytest

from rgbd_jax.report.choice import telling_samples
from rgbd_jax.report.scores import Scores


def make_scores(rows):
    """Of (label, logits)."""
    labels, logits = zip(*rows, strict=True)
    ids = np.array([f"clip{place}" for place in range(len(rows))])
    return Scores(ids, np.array(logits, np.float32), np.array(labels, np.int32), ("wave", "sit"))


ROWS = [
    (0, (3, 0)),  # right
    (0, (0, 1)),  # wrong
    (0, (0, 9)),  # wrong, the surest
    (1, (0, 5)),  # right, the surest
    (0, (4, 0)),  # right
    (1, (2, 0)),  # wrong
]


@pytest.mark.parametrize(
    "count, expected",
    [(1, [2]), (2, [2, 3]), (4, [2, 3, 5, 4]), (6, [2, 3, 5, 4, 1, 0]), (60, [2, 3, 5, 4, 1, 0])],
)
def test_mistakes_and_others_come_by_turns_each_class_before_any_comes_twice(count, expected):
    assert telling_samples(make_scores(ROWS), count).tolist() == expected


def test_one_kind_makes_up_for_what_lacks_of_the_other():
    rows = make_scores(ROWS)
    assert telling_samples(rows, 4).tolist() == [2, 3, 5, 4]
    right = make_scores([row for row in ROWS if np.argmax(row[1]) == row[0]])
    assert telling_samples(right, 2).tolist() == [1, 2]
    wrong = make_scores([row for row in ROWS if np.argmax(row[1]) != row[0]])
    assert telling_samples(wrong, 2).tolist() == [1, 2]

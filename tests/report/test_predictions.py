"""What a prediction says, for people and for programs."""

import csv
import io
import json

import numpy as np
import pytest

from rgbd_jax.report.predictions import Prediction, Result, as_csv, as_json, as_table
from rgbd_jax.report.timeline import Segment

RESULTS = [
    Result("a.avi", 80, 80 / 30, top=[("open hand", 0.75), ("OK", 0.125)]),
    Result(
        "long, b.avi", 1800, 60.0, segments=[Segment(0, 12.25, "OK", 0.5), Segment(12.25, 60, "beckon", 1.0)]
    ),
]


def test_probabilities_are_the_softmax_of_the_logits():
    found = Prediction.of(("a", "b", "c"), np.array([1000, 1001, 1000], np.float32))
    np.testing.assert_allclose(found.probabilities, np.exp([0, 1, 0]) / (2 + np.e), rtol=1e-6)
    assert found.probabilities.dtype == np.float32
    assert [name for name, _ in found.top()] == ["b", "a", "c"]  # of equals the first in order
    assert found.top(1) == [("b", pytest.approx(np.e / (2 + np.e)))]


def test_the_table():
    assert as_table(RESULTS).splitlines() == [
        "a.avi: 80 frames, 2.7 s",
        "   1  open hand   75.0 %",
        "   2  OK          12.5 %",
        "long, b.avi: 1800 frames, 60.0 s",
        "     0.0 s to     12.2 s  OK       50.0 %",
        "    12.2 s to     60.0 s  beckon  100.0 %",
    ]


def test_the_objects():
    clip, long = json.loads(as_json(RESULTS))
    assert clip == {
        "input": "a.avi",
        "frames": 80,
        "seconds": 80 / 30,
        "top": [{"class": "open hand", "probability": 0.75}, {"class": "OK", "probability": 0.125}],
    }
    assert long["timeline"][1] == {"start": 12.25, "end": 60, "class": "beckon", "probability": 1.0}


def test_the_lines():
    rows = list(csv.DictReader(io.StringIO(as_csv(RESULTS))))
    assert [row["input"] for row in rows] == ["a.avi", "a.avi", "long, b.avi", "long, b.avi"]
    assert [row["rank"] for row in rows] == ["1", "2", "1", "1"]
    assert [float(row["end"]) for row in rows] == [2.667, 2.667, 12.25, 60]
    assert (rows[3]["class"], float(rows[3]["probability"])) == ("beckon", 1)

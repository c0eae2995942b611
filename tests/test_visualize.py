"""Which samples are drawn, where their pictures go, and what is left of an interrupted evaluation."""

import types

import jax.numpy as jnp
import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure
from ml_collections import ConfigDict

from rgbd_jax import visualize
from rgbd_jax.data.clip_errors import ClipErrors
from rgbd_jax.files import new_folder
from rgbd_jax.report.scores import Scores
from rgbd_jax.training.sharding import make_mesh
from rgbd_jax.visualize import ViewedBatch, file_name, write_run_pictures, write_sample_pictures

SPLIT = types.SimpleNamespace(name="synthetic", class_names=("wave", "sit"))


class DotTask:
    """Draws one number of each sample."""

    def __init__(self):
        self.titles, self.common = [], []

    def pictures(self, inputs, outputs, sample):
        figure = Figure(figsize=(1, 1))
        figure.suptitle = lambda text, **style: self.titles.append((text, float(outputs["dot"][sample])))
        return {"dot": figure, "deeper/dot": Figure(figsize=(1, 1))}

    def common_pictures(self, outputs):
        self.common = outputs["dot"].tolist()
        return {"dots": Figure(figsize=(1, 1))}


def batches():
    """Three samples, of which the second cannot be read, then two that are padded to three."""
    for first, samples in ((0, [0, 2]), (3, [0, 1])):
        numbers = np.arange(first, first + 3)
        yield ViewedBatch(
            np.array(samples),
            np.array([f"clip/{number}" for number in numbers]),
            np.zeros(3, np.int32),
            np.where(numbers[:, None] % 2 == 0, [[0.75, 0.25]], [[0.5, 0.5 + 1e-6]]),
            None,
            {"dot": numbers.astype(np.float32)},
        )


def test_each_sample_has_a_folder_and_all_have_common_pictures(tmp_path):
    task = DotTask()
    found = write_sample_pictures(tmp_path, task, SPLIT, batches(), 4)
    assert found == ["clip/0", "clip/2", "clip/3", "clip/4"]
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png")) == sorted(
        f"{number:03d}_clip_{clip}/{name}.png"
        for number, clip in ((1, 0), (2, 2), (3, 3), (4, 4))
        for name in ("dot", "deeper/dot")
    ) + ["dots.png"]
    assert task.common == [0, 2, 3, 4]
    assert task.titles == [
        ("clip/0\nwave, recognised with 75.0 %", 0),
        ("clip/2\nwave, recognised with 75.0 %", 2),
        ("clip/3\nwave, taken for sit with 50.0 %", 3),
        ("clip/4\nwave, recognised with 75.0 %", 4),
    ]


@pytest.mark.parametrize("limit, batch_size", [(32, 16), (8, 8)])
def test_the_first_samples_that_can_be_read_are_viewed(monkeypatch, limit, batch_size):
    """Ten of 40 samples on eight devices; the fourth cannot be read."""

    def batches(split, *, batch_size, **options):
        for first in range(0, 40, batch_size):
            numbers = np.arange(first, first + batch_size, dtype=np.float32)
            yield {
                "number": numbers,
                "id": np.array([f"clip{number:.0f}" for number in numbers]),
                "label": np.zeros(batch_size, np.int32),
                "mask": numbers != 3,
            }
            seen.append(first)

    seen = []
    monkeypatch.setattr(visualize, "evaluation_batches", batches)
    config = ConfigDict(dict(eval_batch_size=limit, seed=0, data=dict(num_workers=0, on_error="skip")))
    task = types.SimpleNamespace(
        prepare=lambda batch, key, train: batch["number"],
        logits=lambda outputs, epoch: {"first": outputs["twice"], "second": outputs["large"]},
        pictured=("twice", "absent", "inner/thrice"),
    )
    network = types.SimpleNamespace(
        apply=lambda params, batch_stats, x, train: (
            {"twice": jnp.stack([x * params, -x], axis=1), "large": x, "inner": {"thrice": 3 * x}},
            batch_stats,
        )
    )
    viewer = visualize.make_viewer(
        config, task, network, range(40), make_mesh(), ClipErrors("skip", max_share=0.5), 10
    )
    viewed = list(viewer(jnp.float32(2), (), 0))
    assert seen == list(range(0, 10, batch_size))[:-1]  # no batch is read that is not needed
    names = [str(batch.ids[sample]) for batch in viewed for sample in batch.samples]
    assert names == [f"clip{number}" for number in (0, 1, 2, 4, 5, 6, 7, 8, 9, 10)]
    for batch in viewed:
        assert batch.outputs.keys() == {"twice", "inner/thrice"}
        np.testing.assert_array_equal(batch.outputs["inner/thrice"], 3 * batch.inputs)
        np.testing.assert_array_equal(batch.outputs["twice"][:, 0], 2 * batch.inputs)
        np.testing.assert_allclose(batch.probabilities.sum(1), 1, rtol=1e-6)


def test_an_interrupted_run_leaves_no_half_folder(tmp_path):
    def interrupted():
        yield next(batches())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "pictures") as folder:
        write_sample_pictures(folder, DotTask(), SPLIT, interrupted(), 4)
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_draw_is_no_error(tmp_path):
    write_sample_pictures(tmp_path, DotTask(), SPLIT, iter(()), 4)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "sample_id, expected",
    [
        ("S001C001P001R001A001", "007_S001C001P001R001A001"),
        ("train/001/K_00001", "007_train_001_K_00001"),
        ("../../etc", "007_.._.._etc"),
        ("a b:c\\d\0e\n", "007_a_b_c_d_e_"),
        ("", "007_"),
        ("挥手", "007_挥手"),
    ],
)
def test_names_are_safe(sample_id, expected):
    assert file_name(7, sample_id) == expected


@pytest.mark.parametrize("name", ["$x$ and $y", "\\frac$a$", "挥手 \U0001f44b", "a\x00b"])
def test_names_that_pictures_cannot_read_as_text_stand_there_as_they_are(tmp_path, name):
    figure = Figure(figsize=(2, 2))
    task = types.SimpleNamespace(
        pictures=lambda inputs, outputs, sample: {"dot": figure}, common_pictures=lambda outputs: {}
    )
    batch = next(batches())._replace(samples=np.array([0]), ids=np.array([name, "b", "c"]))
    split = types.SimpleNamespace(name="custom", class_names=(name, "sit"))
    write_sample_pictures(tmp_path, task, split, iter([batch]), 1)
    assert figure.get_suptitle() == f"{batch.ids[0]}\n{name}, recognised with 75.0 %"
    assert len(list(tmp_path.rglob("dot.png"))) == 1


def test_scores_that_are_not_finite_are_said_to_be_so(tmp_path):
    task, batch = DotTask(), next(batches())
    write_sample_pictures(
        tmp_path, task, SPLIT, iter([batch._replace(probabilities=np.full((3, 2), np.nan))]), 2
    )
    assert [title for title, _ in task.titles] == [
        "clip/0\nwave, scores not finite",
        "clip/2\nwave, scores not finite",
    ]


def test_long_names_fit():
    assert len(file_name(7, "手" * 1000).encode()) < 255


def test_a_run_without_a_log_has_no_curves(tmp_path):
    logits = np.eye(2, dtype=np.float32)
    scores = Scores(np.array(["a", "b"]), logits, np.array([0, 1], np.int32), SPLIT.class_names)
    write_run_pictures(tmp_path, scores, [])
    assert [path.name for path in tmp_path.iterdir()] == ["accuracy_precision.png"]
    height, width, _ = matplotlib.image.imread(tmp_path / "accuracy_precision.png").shape
    assert 300 < height < 3000 and 300 < width < 3000

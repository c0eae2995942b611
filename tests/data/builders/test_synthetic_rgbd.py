"""The generated people on video: prepared when needed, and the same people as the skeletons."""

import numpy as np
import pytest

from rgbd_jax.data import loader
from rgbd_jax.data.builders import synthetic_rgbd
from rgbd_jax.data.builders.synthetic import Synthetic
from rgbd_jax.data.builders.synthetic_rgbd import SyntheticRgbd


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """One clip of each action in each split."""
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic_rgbd, "CLIPS_PER_ACTION", {"train": 1, "test": 1})
        loader.open_split("synthetic_rgbd", folder, "train")
    return folder


def test_all_that_is_filmed_is_measured_as_well():
    filmed = SyntheticRgbd(data_dir="unused")
    measured = Synthetic(data_dir="unused")
    assert filmed.PUBLISHED_SIZES == measured.PUBLISHED_SIZES
    assert filmed.items() == measured.items()
    item = filmed.items()[137]
    clip, sample = filmed.read(item), measured.read(item)
    assert (clip.id, clip.class_name) == (sample.id, sample.class_name) == ("train_a03_n017", "march")
    assert filmed.split_of(item) == measured.split_of(item) == "train"


def test_both_modalities_are_read(prepared):
    split = loader.open_split("synthetic_rgbd", prepared, "train", num_frames=8)
    assert split.modalities == ("rgb", "depth")
    (batch,) = loader.evaluation_batches(split, batch_size=10)
    assert (batch["rgb"].shape, batch["rgb"].dtype) == ((10, 8, 64, 64, 3), np.uint8)
    assert (batch["depth"].shape, batch["depth"].dtype) == ((10, 8, 64, 64, 1), np.uint16)
    assert (batch["rgb_size"] == 64).all() and (batch["depth_size"] == 64).all()
    assert batch["id"].tolist() == [f"train_a{label:02d}_n000" for label in range(1, 11)]
    assert batch["label"].tolist() == list(range(10))
    seen = batch["depth"][batch["depth"] > 0]
    assert seen.min() > 1000 and seen.max() < 5500
    assert 0.5 < np.mean(batch["depth"] == 0) < 0.97


def test_depth_is_stored_as_it_was_measured(prepared):
    split = loader.open_split("synthetic_rgbd", prepared, "test", modalities=("depth",), num_frames=24)
    builder = SyntheticRgbd(data_dir="unused")
    item = next(item for item in builder.items() if item.split == "test")
    frames = builder.files(item).frames["depth"].frames
    np.testing.assert_array_equal(split.clip_row(split.source[0])["depth"], frames)


def test_colour_and_depth_show_the_same_moments(prepared):
    """What moves in the one moves in the other."""
    split = loader.open_split("synthetic_rgbd", prepared, "test", num_frames=24)
    for number in range(len(split)):
        row = split.clip_row(split.source[number])
        depth = row["depth"][..., 0] > 0
        colour = row["rgb"].astype(int)
        body_changes = depth[1:] != depth[:-1]
        colour_changes = np.abs(colour[1:] - colour[:-1]).sum(-1)
        assert colour_changes[body_changes].mean() > 3 * colour_changes[~(depth[1:] | depth[:-1])].mean()

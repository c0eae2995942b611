"""That pictures show what they are given; how they look has to be looked at."""

import jax
import numpy as np
import pytest

from rgbd_jax.report import pictures
from rgbd_jax.report.pictures.attention import head_similarity
from rgbd_jax.report.pictures.resampling import resize
from rgbd_jax.skeleton_layouts import NTU

RNG = np.random.default_rng(0)


def attention(side, heads=2):
    weights = RNG.random((heads, side, side), np.float32)
    return weights / weights.sum(-1, keepdims=True)


def branches():
    return {"small": attention(5), "media": attention(9), "large": attention(13)}


def texts(axes):
    return [text.get_text() for text in axes.texts]


@pytest.mark.parametrize("size", [(3, 4), (7, 9), (21, 5)])
def test_maps_are_resized_as_jax_does(size):
    maps = RNG.standard_normal((2, 7, 9)).astype(np.float32)
    expected = jax.image.resize(maps, (2, *size), "linear", antialias=True)
    np.testing.assert_allclose(resize(maps, *size), expected, rtol=0, atol=1e-6)


def test_similarity_is_symmetric_with_ones_on_the_diagonal():
    maps = branches()
    found = head_similarity(maps)
    assert found.shape == (6, 6)
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_allclose(np.diag(found), 1, rtol=1e-12)
    # Within the smallest branch nothing is resized: the plain cosine.
    a, b = maps["small"].astype(np.float64).reshape(2, -1)
    np.testing.assert_allclose(found[0, 1], a @ b / np.sqrt((a @ a) * (b @ b)), rtol=1e-9)


def test_heads_of_one_pattern_are_alike_in_all_branches():
    def diagonal(side):
        place = np.linspace(0, 1, side, endpoint=False)
        return np.exp(-30 * (place[:, None] - place) ** 2)[None].astype(np.float32)

    found = head_similarity({side: diagonal(side) for side in (17, 33, 49)})
    assert found.min() > 0.99
    turned = head_similarity({17: diagonal(17), 49: diagonal(49)[:, ::-1]})
    assert turned[0, 1] < 0.7


def test_similarity_shows_every_head():
    similarity = head_similarity(branches())
    figure = pictures.similarity_picture(similarity, {"small": 2, "media": 2, "large": 2}, "title")
    axes = figure.axes[0]
    np.testing.assert_array_equal(axes.images[0].get_array(), similarity)
    assert len(axes.get_xticks()) == len(axes.get_yticks()) == 6


def test_attention_is_scaled_for_each_head():
    maps = branches()
    maps["large"] *= 100
    figure = pictures.attention_picture(maps)
    shown = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert [image.shape for image in shown] == [(5, 5)] * 2 + [(9, 9)] * 2 + [(13, 13)] * 2
    assert [(image.min(), image.max()) for image in shown] == [(0, 1)] * 6


def test_a_head_that_attends_to_all_alike_can_be_drawn(tmp_path):
    uniform = {name: np.full((1, 3, 3), 1 / 3, np.float32) for name in ("small", "media")}
    pictures.attention_picture(uniform).savefig(tmp_path / "attention.png")
    np.testing.assert_allclose(head_similarity(uniform), 1, rtol=1e-12)


@pytest.mark.parametrize("count", [1, 5, 8])
def test_every_frame_has_its_number(count):
    frames = RNG.integers(256, size=(count, 32, 32, 3), dtype=np.uint8)
    activation = RNG.random((count, 2, 2), np.float32)
    numbers = [str(number + 1) for number in range(count)]
    assert texts(pictures.activation_picture(frames, activation).axes[0]) == numbers
    assert texts(pictures.feature_map_picture(activation).axes[0]) == numbers
    heat = RNG.random((count, 32, 32), np.float32)
    assert texts(pictures.rank_pooling_picture(frames, heat).axes[0]) == numbers


def test_activation_is_red_where_it_is_largest():
    activation = np.zeros((2, 4, 4), np.float32)
    activation[1, 0, 3] = 5
    figure = pictures.activation_picture(np.full((2, 32, 32, 3), 100, np.uint8), activation)
    sheet = figure.axes[0].images[0].get_array()
    second = sheet[:32, -32:] if sheet.shape[1] > sheet.shape[0] else sheet[-32:, :32]
    np.testing.assert_array_equal(second[0, -1], np.rint([0.6 * 127 + 40, 40, 40]))  # the dark red of JET
    np.testing.assert_array_equal(second[-1, 0], np.rint([40, 40, 0.6 * 127 + 40]))  # its dark blue


def test_a_clip_without_activation_can_be_drawn(tmp_path):
    frames = np.zeros((2, 32, 32, 3), np.uint8)
    pictures.activation_picture(frames, np.zeros((2, 1, 1), np.float32)).savefig(tmp_path / "cam.png")


def test_enhancement_is_shown_as_it_is():
    weights = RNG.random((6, 16), np.float32)
    image = pictures.enhancement_picture(weights).axes[0].images[0]
    np.testing.assert_array_equal(image.get_array(), weights)


def test_only_persons_who_are_there_are_drawn():
    joints = RNG.standard_normal((20, 2, 25, 3)).astype(np.float32)
    both = pictures.skeleton_picture(joints, NTU.parents, "m").axes
    joints[:, 1] = 0
    one = pictures.skeleton_picture(joints, NTU.parents, "m").axes
    assert [len(axes.lines) for axes in both] == [8 * 2 * 2] * 2
    assert [len(axes.lines) for axes in one] == [8 * 2] * 2
    for axes, across in zip(one, (0, 2), strict=True):
        # The joints of the first frame and of the last, each beside its tick.
        for line, frame, tick in ((axes.lines[1], 0, 0), (axes.lines[-1], -1, -1)):
            found = line.get_xydata() - [axes.get_xticks()[tick], 0]
            expected = joints[frame, 0][:, [across, 1]]
            np.testing.assert_allclose(found[1:] - found[0], expected[1:] - expected[0], atol=1e-5)
            np.testing.assert_array_equal(found[:, 1], expected[:, 1])


def test_persons_who_stand_still_at_one_point_can_be_drawn(tmp_path):
    pictures.skeleton_picture(np.zeros((1, 1, 25, 3), np.float32), NTU.parents).savefig(tmp_path / "x.png")


def test_motion_is_shown_by_its_length():
    motion = np.zeros((6, 2, 4, 3), np.float32)
    motion[2, 0, 3] = (2, 3, 6)
    axes, *_ = pictures.motion_picture(motion, "title").axes
    expected = np.zeros((4, 6))
    expected[3, 2] = 7
    np.testing.assert_array_equal(axes.images[0].get_array(), expected)


def joint_activation():
    activation = np.full((2, 4, 25), -1, np.float32)
    activation[0, 2, 7], activation[0, 1, 3] = 8, 4
    activation[1] = 100  # of a person who is not there
    clip = RNG.standard_normal((16, 2, 25, 3)).astype(np.float32)
    clip[:, 1] = 0
    return activation, clip


def test_joint_activation_is_a_share_of_the_largest_of_those_who_are_there():
    activation, clip = joint_activation()
    figure = pictures.joint_activation_picture(activation, clip, clip, NTU.parents, "joint")
    skeletons, frames, _ = figure.axes
    expected = np.zeros((25, 16))
    expected[7, 8:12], expected[3, 4:8] = 1, 0.5
    np.testing.assert_array_equal(frames.images[0].get_array(), expected)
    # Moments of two frames: the dots of the fifth and the sixth show the joint in full.
    shares = [dots.get_array().max() for dots in skeletons.collections]
    assert shares == [0, 0, 0.5, 0.5, 1, 1, 0, 0]


def test_joint_activation_of_what_has_no_place_is_drawn_over_the_frames_alone():
    activation, clip = joint_activation()
    figure = pictures.joint_activation_picture(activation, clip, None, NTU.parents, "bone")
    assert figure.axes[0].get_ylabel() == "bone" and len(figure.axes) == 2


def test_a_clip_where_all_speaks_against_the_class_can_be_drawn(tmp_path):
    clip = np.zeros((3, 1, 25, 3), np.float32)
    nothing = np.full((1, 1, 25), -1, np.float32)
    pictures.joint_activation_picture(nothing, clip, clip, NTU.parents, "joint").savefig(tmp_path / "x.png")


def test_curves_show_the_epochs_of_both_splits():
    rows = [{"kind": "step", "split": "train", "step": 1, "epoch": 0, "loss": 9.0, "lr": 9.0}]
    for epoch, loss in enumerate((2.0, None, 0.5)):
        row = {"kind": "epoch", "step": epoch, "epoch": epoch, "loss": loss, "top1": 0.25}
        rows += [row | {"split": "train", "lr": 0.1}, row | {"split": "valid"}]
    panels = pictures.curves_picture(rows).axes
    drawn = [[line.get_xydata().tolist() for line in axes.lines] for axes in panels]
    np.testing.assert_array_equal(drawn[0], [[[1, 2.0], [2, np.nan], [3, 0.5]]] * 2)
    assert drawn[1] == [[[1, 25], [2, 25], [3, 25]]] * 2
    assert drawn[2] == [[[1, 0.1], [2, 0.1], [3, 0.1]]]


def test_curves_of_a_run_without_an_epoch_are_empty(tmp_path):
    pictures.curves_picture([]).savefig(tmp_path / "curves.png")


def test_bars_are_accuracy_and_precision_of_each_class():
    confusion = np.array([[3, 1, 0], [1, 1, 0], [0, 0, 0]])
    figure = pictures.accuracy_precision_picture(confusion, ["wave", "sit", "jump"])
    accuracy, precision = figure.axes
    assert [bar.get_height() for bar in accuracy.patches] == [75, 50, 0]
    assert [bar.get_height() for bar in precision.patches] == [75, 50, 0]
    # A class without samples has no part in the mean.
    assert [axes.lines[0].get_ydata()[0] for axes in figure.axes] == [62.5, 62.5]
    assert [label.get_text() for label in precision.get_xticklabels()] == ["wave", "sit", "jump"]


@pytest.mark.parametrize("classes", [1, 249])
def test_there_is_room_for_the_name_of_every_class(classes):
    names = [f"class {number}" for number in range(classes)]
    figure = pictures.accuracy_precision_picture(np.eye(classes, dtype=np.int64), names)
    width, _ = figure.get_size_inches() * figure.dpi
    assert 20 * classes < width < 6000

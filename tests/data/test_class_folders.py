"""Lists made from folders that are named after the classes."""

from collections import Counter

import pytest

from rgbd_jax.data.class_folders import Division, class_of, divide, write_lists
from rgbd_jax.errors import UserError

PEOPLE = ("anna", "ben", "cem", "dora")
CLIPS = [f"{name}/{who}/take {take}" for name in ("wave", "clap") for who in PEOPLE for take in (1, 2)]


def test_each_class_is_tested_with_its_share_of_the_clips():
    parts = divide(CLIPS, Division("random", test_share=0.25))
    assert sorted(parts["train"] + parts["test"]) == sorted(CLIPS)
    assert Counter(map(class_of, parts["test"])) == {"wave": 2, "clap": 2}


def test_what_is_drawn_depends_on_the_seed_alone():
    first, again, other = (divide(CLIPS, Division("random", seed=seed)) for seed in (1, 1, 2))
    assert first == again != other
    reversed_with_more = [*reversed(CLIPS), "nod/anna/1", "nod/ben/1"]
    more = divide(reversed_with_more, Division("random", seed=1))
    assert [clip for clip in more["test"] if not clip.startswith("nod/")] == first["test"]


def test_nobody_is_in_both_parts():
    parts = divide(CLIPS, Division("subject", test_share=0.5))
    trained, tested = ({clip.split("/")[1] for clip in parts[part]} for part in ("train", "test"))
    assert len(trained) == len(tested) == 2 and not trained & tested


def test_people_can_be_named():
    parts = divide(CLIPS, Division("subject", test_subjects=("ben", "dora")))
    assert {clip.split("/")[1] for clip in parts["test"]} == {"ben", "dora"}


@pytest.mark.parametrize("share", [0.01, 0.99])
def test_both_parts_have_clips_of_each_class(share):
    parts = divide(CLIPS, Division("random", test_share=share))
    assert all(Counter(map(class_of, of_part)).keys() == {"wave", "clap"} for of_part in parts.values())


@pytest.mark.parametrize(
    ("clips", "division", "message"),
    [
        (["wave/1", "clap/1"], Division("random"), "no clips are left for test; each class has one clip"),
        (CLIPS, Division("subject", test_subjects=PEOPLE), "no clips are left for train"),
        (CLIPS, Division("subject", test_subjects=("eve",)), "found eve, .* of anna, ben, cem, dora"),
        (["wave/1", *CLIPS], Division("subject"), "wave/1: lies in no folder of a subject"),
        (["wave/anna/1", "clap/anna/1"], Division("subject"), "found one subject, anna; two or more"),
    ],
)
def test_a_part_without_clips_is_refused(clips, division, message):
    with pytest.raises(UserError, match=message):
        divide(clips, division)


def test_the_lists_name_clips_and_labels(tmp_path):
    table = write_lists(tmp_path, CLIPS, Division("subject", test_subjects=("ben",)))
    assert (tmp_path / "classes.txt").read_text() == "clap\nwave\n"
    lines = (tmp_path / "dataset_splits" / "test.txt").read_text().splitlines()
    assert lines == [
        f"{name}/ben/take {take} all {label}"
        for label, name in enumerate(("clap", "wave"))
        for take in (1, 2)
    ]
    assert table.splitlines() == ["class   train    test", "clap        6       2", "wave        6       2"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["classes.txt", "dataset_splits"]


def test_classes_keep_the_order_that_they_have(tmp_path):
    (tmp_path / "classes.txt").write_text("wave\nbow\nclap\n")
    table = write_lists(tmp_path, CLIPS, Division("random"))
    assert "wave/ben/take 1 all 0" in (tmp_path / "dataset_splits" / "train.txt").read_text().splitlines()
    assert "warning: no clips in train of bow" in table


def test_lists_are_not_overwritten(tmp_path):
    write_lists(tmp_path, CLIPS, Division("random"))
    before = (tmp_path / "dataset_splits" / "test.txt").read_text()
    with pytest.raises(UserError, match="dataset_splits: is there already"):
        write_lists(tmp_path, CLIPS, Division("random", seed=2))
    assert (tmp_path / "dataset_splits" / "test.txt").read_text() == before


def test_a_class_that_is_not_listed_is_named(tmp_path):
    (tmp_path / "classes.txt").write_text("wave\n")
    with pytest.raises(UserError, match=r"classes\.txt: has no class clap"):
        write_lists(tmp_path, CLIPS, Division("random"))
    assert [path.name for path in tmp_path.iterdir()] == ["classes.txt"]


def test_classes_out_of_balance_are_named(tmp_path):
    clips = [f"wave/{take}" for take in range(20)] + [f"clap/{take}" for take in range(4)] + ["nod/1"]
    table = write_lists(tmp_path, clips, Division("random")).splitlines()
    assert table[-2:] == [
        "warning: no clips in test of nod",
        "warning: train has 15 clips of wave, but 1 of nod",
    ]

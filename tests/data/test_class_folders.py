"""Lists made from folders that are named after the classes."""

from collections import Counter

import pytest

from rgbd_jax.data.class_folders import Division, balance, class_of, divide, write_lists
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
    write_lists(tmp_path, CLIPS, Division("subject", test_subjects=("ben",)))
    assert (tmp_path / "classes.txt").read_text() == "clap\nwave\n"
    lines = (tmp_path / "dataset_splits" / "test.txt").read_text().splitlines()
    assert lines == [
        f"{name}/ben/take {take} all {label}"
        for label, name in enumerate(("clap", "wave"))
        for take in (1, 2)
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["classes.txt", "dataset_splits"]


def test_classes_keep_the_order_that_they_have(tmp_path):
    (tmp_path / "classes.txt").write_text("wave\n\nbow\nclap")
    write_lists(tmp_path, CLIPS, Division("random"))
    assert "wave/ben/take 1 all 0" in (tmp_path / "dataset_splits" / "train.txt").read_text().splitlines()
    assert (tmp_path / "classes.txt").read_text() == "wave\n\nbow\nclap"


def test_lists_are_not_overwritten(tmp_path):
    write_lists(tmp_path, CLIPS, Division("random"))
    lists = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    write_lists(tmp_path, CLIPS, Division("random"))  # the same ones
    with pytest.raises(UserError, match="dataset_splits: holds other lists than --split=random makes"):
        write_lists(tmp_path, CLIPS, Division("random", seed=2))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == lists


def test_a_class_that_is_not_listed_is_named(tmp_path):
    (tmp_path / "classes.txt").write_text("wave\n")
    with pytest.raises(UserError, match=r"classes\.txt: has no class clap"):
        write_lists(tmp_path, CLIPS, Division("random"))
    assert [path.name for path in tmp_path.iterdir()] == ["classes.txt"]


@pytest.mark.parametrize("clip", ["wave/1\n2", "wave/1\r2", "wave/1 ", " wave", "wave ", "wave/\udce9"])
def test_a_name_that_the_lists_would_not_give_back_is_refused(tmp_path, clip):
    with pytest.raises(UserError) as raised:
        write_lists(tmp_path, [*CLIPS, clip if "/" in clip else f"{clip}/1"], Division("random"))
    assert f"found the name {clip!r}; lists hold" in str(raised.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("names", "sizes", "table"),
    [
        (
            ("bow", "clap hands"),
            {"train": {"bow": 6, "clap hands": 18}, "validation": {"bow": 2, "clap hands": 2}},
            [
                "class        train  validation",
                "bow              6           2",
                "clap hands      18           2",
            ],
        ),
        (
            ("clap", "nod", "wave"),
            {"test": {"clap": 1, "wave": 5}, "train": {"clap": 3, "nod": 1, "wave": 15}},
            [
                "class    test   train",
                "clap        1       3",
                "nod         0       1",
                "wave        5      15",
                "warning: no clips in test of nod",
                "warning: train has 15 clips of wave, but 1 of nod",
            ],
        ),
        (
            ("nod",),
            {"mine": {"nod": 2}},
            [
                "class    mine",
                "nod         2",
                "warning: there is one class, nod; nothing can be told from it",
            ],
        ),
    ],
    ids=["balanced", "out of balance", "one class"],
)
def test_classes_out_of_balance_are_named(names, sizes, table):
    assert balance(names, sizes).splitlines() == table

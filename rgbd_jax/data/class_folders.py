"""The lists of a data set of one's own, made from folders that are named after the classes.

CLASS/CLIP                two clips of a class may show one person
CLASS/SUBJECT/CLIP        the same person is called the same in all classes
"""

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from rgbd_jax.data.formats.clip_list import WHOLE, read_lines
from rgbd_jax.errors import UserError
from rgbd_jax.files import new_folder, replacing

DIVISIONS = ("random", "subject")
TRAIN, TEST = "train", "test"
CLASSES = "classes.txt"
LISTS = "dataset_splits"


@dataclasses.dataclass(frozen=True)
class Division:
    """How clips are divided among training and test.

    Attributes:
      by: `random`, so many clips of each class are tested; `subject`, all clips of some people are.
      test_share: of the clips of a class, or of the people, between 0 and 1. There is at least one in both
        parts.
      test_subjects: the people who are tested; drawn if empty.
      seed: of what is drawn.
    """

    by: str
    test_share: float = 0.25
    test_subjects: Sequence[str] = ()
    seed: int = 1


def divide(clips: Collection[str], division: Division) -> dict[str, list[str]]:
    """The clips, by their paths `CLASS/…/CLIP`, of `train` and of `test`, sorted.

    Raises:
      UserError: people are named who are not there, or a part would stay empty.
    """
    if division.by == "subject":
        tested = _subjects(clips, division)
        is_tested = {clip: _subject(clip) in tested for clip in clips}
    else:
        is_tested = {}
        by_class = defaultdict(list)
        for clip in sorted(clips):
            by_class[class_of(clip)].append(clip)
        for name, of_class in by_class.items():
            # A class of its own seed: another one beside it changes nothing.
            rng = np.random.default_rng([division.seed, *name.encode()])
            tested = set(_draw(of_class, division.test_share, rng)) if len(of_class) > 1 else set()
            is_tested |= {clip: clip in tested for clip in of_class}
    parts = {
        part: sorted(clip for clip in clips if is_tested[clip] == (part == TEST)) for part in (TRAIN, TEST)
    }
    for part, of_part in parts.items():
        if not of_part:
            raise UserError(f"no clips are left for {part}; each class has one clip, or all are of {part}")
    return parts


def write_lists(root: Path, clips: Collection[str], division: Division) -> None:
    """Write `dataset_splits/{train,test}.txt`, and `classes.txt`, unless they are there.

    Args:
      root: the source folder.
      clips: paths `CLASS/…/CLIP`.

    Raises:
      UserError: other lists are there, a class is not in `classes.txt`, a list cannot hold a name, or see
        `divide`.
      OutsideError: the lists cannot be written.
    """
    for name in sorted({part for clip in clips for part in (class_of(clip), clip)}):
        _check_holds(root, name)
    names = sorted({class_of(clip) for clip in clips})
    if has_classes := (root / CLASSES).exists():
        listed = [line.text for line in read_lines(root / CLASSES)]
        if unknown := [name for name in names if name not in listed]:
            raise UserError(f"{root / CLASSES}: has no class {unknown[0]}, which clips are in the folder of")
        names = listed
    lists = {
        f"{part}.txt": [f"{clip} {WHOLE} {names.index(class_of(clip))}" for clip in of_part]
        for part, of_part in divide(clips, division).items()
    }
    folder = root / LISTS
    there = {path.name: [line.text for line in read_lines(path)] for path in sorted(folder.glob("*.txt"))}
    if there and there != lists:
        raise UserError(
            f"{folder}: holds other lists than --split={division.by} makes of these clips; leave out --split"
            " to keep them, or remove the folder to make new ones"
        )
    if not has_classes:
        with replacing(root / CLASSES) as path:
            path.write_text("\n".join(names) + "\n", encoding="utf-8")
    if not there:
        with new_folder(folder) as new:
            for name, lines in lists.items():
                (new / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def balance(class_names: Sequence[str], sizes: Mapping[str, Mapping[str, int]]) -> str:
    """A table of the classes with their numbers of clips in each split, and what is out of balance."""
    width = max(map(len, ("class", *class_names)))
    columns = {split: max(8, len(split) + 2) for split in sizes}
    lines = [f"{'class':<{width}}" + "".join(f"{split:>{room}}" for split, room in columns.items())]
    for name in class_names:
        counts = (f"{sizes[split].get(name, 0):>{room}}" for split, room in columns.items())
        lines.append(f"{name:<{width}}" + "".join(counts))
    if len(class_names) == 1:
        lines.append(f"warning: there is one class, {class_names[0]}; nothing can be told from it")
    for split, of_split in sizes.items():
        if missing := [name for name in class_names if not of_split.get(name)]:
            lines.append(f"warning: no clips in {split} of {', '.join(missing)}")
    if in_training := {name: count for name, count in sizes.get(TRAIN, {}).items() if count}:
        most, fewest = (choose(in_training, key=in_training.get) for choose in (max, min))
        if in_training[most] > 3 * in_training[fewest]:
            lines.append(
                f"warning: {TRAIN} has {in_training[most]} clips of {most},"
                f" but {in_training[fewest]} of {fewest}"
            )
    return "\n".join(lines)


def class_of(clip: str) -> str:
    """The class in whose folder a clip lies."""
    return clip.split("/")[0]


def _check_holds(root: Path, name: str) -> None:
    """UserError if the lists, which are text of one name a line, would not give a name back."""
    is_text = name.encode(errors="replace").decode() == name
    if not is_text or name != name.strip() or {"\n", "\r"} & set(name):
        raise UserError(
            f"--source={root}: found the name {name!r}; lists hold names in UTF-8 without line breaks, and"
            " without spaces at their beginning and end"
        )


def _subject(clip: str) -> str:
    return clip.split("/")[1]


def _subjects(clips: Collection[str], division: Division) -> set[str]:
    """The people who are tested."""
    if flat := sorted(clip for clip in clips if clip.count("/") < 2):
        raise UserError(f"{flat[0]}: lies in no folder of a subject; CLASS/SUBJECT/CLIP is needed")
    subjects = sorted(set(map(_subject, clips)))
    if not division.test_subjects:
        if len(subjects) < 2:
            raise UserError(f"found one subject, {subjects[0]}; two or more are needed")
        return set(_draw(subjects, division.test_share, np.random.default_rng(division.seed)))
    if unknown := [name for name in division.test_subjects if name not in subjects]:
        raise UserError(
            f"--test_subjects: found {unknown[0]}, of whom there are no clips; there are some of"
            f" {', '.join(subjects)}"
        )
    return set(division.test_subjects)


def _draw(names: Sequence[str], share: float, rng: np.random.Generator) -> list[str]:
    """Some of two or more names, at least one, not all."""
    count = min(max(round(share * len(names)), 1), len(names) - 1)
    return [names[place] for place in rng.permutation(len(names))[:count]]

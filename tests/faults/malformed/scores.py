"""Score files and what labels them, to be joined."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from faults.malformed.case import Given, archive_of, case, numbers, pack, write

WHOLE: dict[str, Any] = {
    "ids": ["a", "b", "c"],
    "logits": np.eye(3, 2, dtype=np.float32),
    "labels": np.array([0, 1, 1]),
    "class_names": ["wave", "sit"],
}


def changed(folder: Path, given: Given, **changes: Any) -> list[str | Path]:
    """A score file with some arrays of another kind, beside one that is in order."""
    archive_of(folder / "bad.npz", **WHOLE | changes)
    return [given.scores, "bad.npz"]


def pickled(folder: Path, content: bytes, *more: str | Path) -> list[str | Path]:
    write(folder / "bad.pkl", content)
    return ["bad.pkl", *more]


@case("ensemble", r"bad\.npz: there is no such score file")
def scores_that_are_nowhere(folder: Path, given: Given) -> list[str | Path]:
    return [given.scores, "bad.npz"]


@case("ensemble", r"bad\.npz: is no score file")
def scores_that_are_a_text(folder: Path, given: Given) -> list[str | Path]:
    write(folder / "bad.npz", "\ufeffids,logits\r\n")
    return [given.scores, "bad.npz"]


@case("ensemble", r"bad: holds no scores")
def a_run_that_was_not_evaluated(folder: Path, given: Given) -> list[str | Path]:
    (folder / "bad").mkdir()
    return [given.scores, "bad"]


@case("ensemble", r"bad\.npz: lacks labels")
def scores_without_labels(folder: Path, given: Given) -> list[str | Path]:
    archive_of(folder / "bad.npz", **{name: array for name, array in WHOLE.items() if name != "labels"})
    return [given.scores, "bad.npz"]


@case("ensemble", r"bad\.npz: is no score file .*holds objects of Python")
def ids_that_are_objects(folder: Path, given: Given) -> list[str | Path]:
    return changed(folder, given, ids=np.array([{}, 1, None], object))


@case("ensemble", r"bad\.npz: is no score file .*ids\.npy is not as long as float32 \(1000000000000, 2\)")
def scores_that_say_they_are_huge(folder: Path, given: Given) -> list[str | Path]:
    pack(folder / "bad.npz", {f"{name}.npy": numbers((10**12, 2)) for name in ("ids", "logits")})
    return [given.scores, "bad.npz"]


@case("ensemble", r"bad\.npz: 1 samples have scores that are not finite, the first is b")
def scores_that_are_no_numbers(folder: Path, given: Given) -> list[str | Path]:
    return changed(folder, given, logits=np.array([[0, 1], [np.nan, 0], [1, 2]], np.float32))


@case("ensemble", r"bad\.npz: 3 samples have scores that are not finite")
def scores_too_large_for_their_kind(folder: Path, given: Given) -> list[str | Path]:
    return changed(folder, given, logits=np.full((3, 2), 1e300))


@case("ensemble", r"bad\.npz: logits are of type <U1")
def scores_of_text(folder: Path, given: Given) -> list[str | Path]:
    return changed(folder, given, logits=np.full((3, 2), "x"))


@case("ensemble", r"bad\.npz: logits have shape \(2,\)")
def scores_of_one_axis(folder: Path, given: Given) -> list[str | Path]:
    return changed(folder, given, logits=np.ones(2, np.float32))


@case("ensemble", r"bad\.npz: labels \[99\] lie outside 0 to 1")
def labels_of_no_class(folder: Path, given: Given) -> list[str | Path]:
    return changed(folder, given, labels=np.array([0, 99, 1]))


@case("ensemble", r"bad\.npz: id a occurs 2 times")
def ids_that_occur_twice(folder: Path, given: Given) -> list[str | Path]:
    return changed(folder, given, ids=["a", "b", "a"])


@case("ensemble", r"bad\.npz: class_names is <U4 \(\); a list of texts is needed")
def one_class_name_for_all(folder: Path, given: Given) -> list[str | Path]:
    return changed(folder, given, class_names="wave")


@case("ensemble", r"bad\.npz: split is int64 \(2,\); one text is needed")
def a_split_that_is_a_list_of_numbers(folder: Path, given: Given) -> list[str | Path]:
    return changed(folder, given, split=np.array([1, 2]))


@case("ensemble", r"bad\.npz.*(lack|other|--common)")
def scores_of_other_samples(folder: Path, given: Given) -> list[str | Path]:
    return changed(folder, given, ids=["a", "b", "z"])


@case("ensemble", r"bad\.npz.*class")
def scores_of_other_classes(folder: Path, given: Given) -> list[str | Path]:
    return changed(folder, given, class_names=["wave", "stand"])


@case("ensemble", r"bad\.npz.*label")
def scores_of_other_labels(folder: Path, given: Given) -> list[str | Path]:
    return changed(folder, given, labels=np.array([1, 1, 1]))


@case("ensemble", r"--weights=nan,1: numbers with commas are needed")
def weights_that_are_no_numbers(folder: Path, given: Given) -> list[str | Path]:
    return [given.scores, given.scores, "--weights=nan,1"]


@case("ensemble", r"out\.txt: the name must end in \.npz")
def an_output_of_another_kind(folder: Path, given: Given) -> list[str | Path]:
    return [given.scores, "--output=out.txt"]


@case("ensemble", r"--output: 'out.npz' is a folder; the name of a file is needed")
def an_output_that_is_a_folder(folder: Path, given: Given) -> list[str | Path]:
    (folder / "out.npz").mkdir()
    return [given.scores, "--output=out.npz"]


@case("ensemble", r"bad\.pkl: asks for (posix|os)\.system")
def a_pickle_that_runs_a_program(folder: Path, given: Given) -> list[str | Path]:
    return pickled(folder, b"cposix\nsystem\n(S'touch ran'\ntR.")


@case("ensemble", r"bad\.pkl: asks for builtins\.eval")
def a_pickle_that_evaluates_a_text(folder: Path, given: Given) -> list[str | Path]:
    return pickled(folder, b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R.")


@case("ensemble", r"bad\.pkl: is no pickle that can be read")
def a_pickle_that_asks_for_all_memory(folder: Path, given: Given) -> list[str | Path]:
    return pickled(folder, b"\x80\x04]r\xff\xff\xff\x7f\x96" + (2**60).to_bytes(8, "little") + b".")


@case("ensemble", r"bad\.pkl: is no pickle that can be read")
def a_pickle_that_is_cut_off(folder: Path, given: Given) -> list[str | Path]:
    whole = pickle.dumps({"test_0": np.ones(2)})
    return pickled(folder, whole[:-5])


@case("ensemble", r"bad\.pkl: holds a list; a score pickle is a dict")
def a_pickle_in_itself(folder: Path, given: Given) -> list[str | Path]:
    loop: list[Any] = []
    loop.append(loop)
    return pickled(folder, pickle.dumps(loop))


@case("ensemble", r"bad\.pkl: sample test_0 has scores that are not finite")
def a_pickle_of_scores_too_large_for_their_kind(folder: Path, given: Given) -> list[str | Path]:
    return pickled(folder, pickle.dumps({"test_0": np.array([1e300, 0.0])}), given.scores)


@case("ensemble", r"val_label\.pkl: holds no labels")
def labels_that_cannot_be_counted(folder: Path, given: Given) -> list[str | Path]:
    labels = pickle.dumps([{"file_name": "a", "label": 10**30}])
    write(folder / "val_label.pkl", labels)
    return pickled(folder, pickle.dumps({"test_0": np.ones(2)}), "--labels=val_label.pkl")

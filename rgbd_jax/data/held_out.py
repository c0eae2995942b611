"""Classes that training never sees, so that they can be recognised by their descriptions alone."""

from collections.abc import Sequence

from tqdm import tqdm

from rgbd_jax.data.records import Record
from rgbd_jax.data.split import Split
from rgbd_jax.errors import OutsideError, UserError


def without_classes(split: Split, held_out: Sequence[str]) -> Split:
    """The clips of the other classes, in their order; the labels stay as they are.

    Each record is read once for its label, with progress; no frame is decoded. A record that cannot be read
    stays: who asks for it is told.

    Args:
      held_out: names of classes; a split without any is given back as it is.

    Raises:
      UserError: if the data set has no such class, or none is left.
    """
    if not held_out:
        return split
    check_held_out(held_out, split.class_names, split.name)
    unseen = {split.class_names.index(name) for name in held_out}
    numbers = tqdm(range(len(split)), desc=f"labels of {split.name}", unit="clip", disable=None, leave=False)
    kept = [number for number in numbers if _label(split.source, number) not in unseen]
    return split.take(kept)


def check_held_out(held_out: Sequence[str], class_names: Sequence[str], data_set: str) -> None:
    """UserError if one of `held_out` is no class of the data set, or no class is left to be seen."""
    if unknown := [name for name in held_out if name not in class_names]:
        raise UserError(
            f"config.data.held_out: {unknown[0]!r} is no class of {data_set}; its classes are"
            f" {', '.join(class_names)}"
        )
    if set(held_out) == set(class_names):
        raise UserError(
            f"config.data.held_out: holds out all {len(class_names)} classes of {data_set}; at least one must"
            " be left to train on"
        )


def _label(source: Sequence[Record], number: int) -> int | None:
    """The label of a record; None if it cannot be read."""
    try:
        return int(source[number]["label"])
    except OutsideError:
        return None

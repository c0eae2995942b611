"""Turn a data set's published files into records, once; every command reads these.

    python -m rgbd_jax.prepare nw_ucla --source=DIR [--data_dir=DIR] [--check]
                                        [--on_error=fail|skip] [--preview=ID]

The records go to DATA_DIR/DATASET/VERSION/. With --check everything is read, every fault is reported with
its file, and no records are written. Without it the first fault ends the preparation; with --on_error=skip
faulty clips are left out, and named at the end. With --preview a prepared clip is drawn.

    python -m rgbd_jax.prepare custom|custom_skeletons --source=DIR --split=random|subject
                                      [--test_share=0.25] [--test_subjects=NAME,NAME] [--seed=1]

makes the lists of a data set of one's own, whose clips lie in folders named after the classes, before it
is prepared, with --check too. Where the same lists are there, or the data set is prepared, none are made.
docs/data_sets.md says how a source is laid out.
"""

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from rgbd_jax.command import ArgumentParser, run_command
from rgbd_jax.data.class_folders import DIVISIONS, Division, balance, write_lists
from rgbd_jax.data.clip_errors import ON_ERROR
from rgbd_jax.errors import UserError
from rgbd_jax.files import check_folder
from rgbd_jax.leaving import say

if TYPE_CHECKING:
    from rgbd_jax.data.builders import Builder
    from rgbd_jax.data.builders.own_lists import OwnLists


def parser() -> ArgumentParser:
    arguments = ArgumentParser(prog="rgbd_jax.prepare", description=__doc__)
    arguments.add_argument(
        "dataset", metavar="DATASET", help="such as nw_ucla or nvgesture; another lists all"
    )
    arguments.add_argument("--source", type=Path, help="the data set's published top folder")
    arguments.add_argument("--data_dir", type=Path, default=Path("data"), help="folder of all prepared data")
    arguments.add_argument("--check", action="store_true", help="report every fault, write no records")
    arguments.add_argument(
        "--on_error",
        choices=ON_ERROR,
        default="fail",
        help="what to do about a faulty clip: end (default), or leave it out",
    )
    arguments.add_argument("--preview", metavar="ID", help="write an animated picture of this clip")
    own = arguments.add_argument_group("lists of custom and custom_skeletons, from folders of classes")
    own.add_argument("--split", choices=DIVISIONS, help="test some clips of each class, or some people")
    own.add_argument("--test_share", type=float, help="of the clips or of the people (0.25)")
    own.add_argument("--test_subjects", help="these people, with commas between them")
    own.add_argument("--seed", type=int, help="of what is drawn (1)")
    return arguments


def main(argv: list[str]) -> None:
    given = parser().parse_args(argv)
    if given.check and given.preview is not None:
        raise UserError("--check writes no records, --preview draws what is prepared; one of them is allowed")
    check_folder(given.data_dir, "--data_dir")
    division = wanted_division(given)
    # Not before the arguments are understood: the import takes a second.
    from rgbd_jax.data.builders import builder_class
    from rgbd_jax.data.builders.own_lists import OwnLists
    from rgbd_jax.data.records import stored_splits

    dataset = builder_class(given.dataset)
    if division is not None and not issubclass(dataset, OwnLists):
        raise UserError(f"--split={division.by}: {given.dataset} has splits of its own")
    is_prepared = dataset.is_prepared(given.data_dir)
    reads_source = given.check or not is_prepared
    if dataset.NEEDS_SOURCE and given.source is None and (reads_source or division is not None):
        raise UserError(f"--source is missing: give the top folder of {given.dataset}")
    if is_prepared:
        for split in stored_splits(dataset.folder(given.data_dir)):
            dataset.open_split(given.data_dir, split)  # says so if it is damaged
    if given.source is not None and not dataset.NEEDS_SOURCE:
        raise UserError(f"--source={given.source}: {given.dataset} is generated and has no source")
    if division is not None and not is_prepared:
        make_lists(dataset, given.source, division)
    source = given.source if reads_source else None
    builder = dataset(data_dir=given.data_dir, source=source, on_error=given.on_error)
    if isinstance(builder, OwnLists) and reads_source:
        print(balance(builder.class_names, builder.listed_sizes()))
    if given.check:
        check(builder)
    elif is_prepared:
        print(f"{given.dataset} is prepared already, nothing to do: {describe(builder)}")
    else:
        try:
            builder.prepare()
        finally:
            print_warnings(builder)
        print(f"prepared {given.dataset}: {describe(builder)}")
    if given.preview is not None:
        from rgbd_jax.preview import write_preview

        print(f"wrote {write_preview(dataset, given.data_dir, given.preview)}")


def wanted_division(given: Namespace) -> Division | None:
    """How clips are to be divided; None without --split. UserError if the options do not say it properly."""
    options = {name: getattr(given, name) for name in ("test_share", "test_subjects", "seed")}
    options = {name: value for name, value in options.items() if value is not None}
    if given.split is None:
        if options:
            raise UserError(f"--{next(iter(options))}: is of the lists that --split makes, which is missing")
        return None
    if given.test_subjects is not None:
        if given.split != "subject" or len(options) > 1:
            raise UserError("--test_subjects: goes with --split=subject, without --test_share and --seed")
        options["test_subjects"] = tuple(filter(None, map(str.strip, given.test_subjects.split(","))))
        if not options["test_subjects"]:
            raise UserError(f"--test_subjects={given.test_subjects}: names with commas between are needed")
    division = Division(given.split, **options)
    if not 0 < division.test_share < 1:
        raise UserError(f"--test_share={given.test_share}: a number between 0 and 1 is needed")
    if division.seed < 0:
        raise UserError(f"--seed={given.seed}: 0 or more is needed")
    return division


def make_lists(dataset: "type[OwnLists]", source: Path, division: Division) -> None:
    """Make the lists of a source whose clips lie in folders of classes, and name what gives no clip.

    Raises:
      UserError: see `OwnLists.clips_below` and `write_lists`.
    """
    clips, others = dataset.clips_below(source)
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        found = f"{', '.join(others[:3])}{more}"
        say(f"warning: {source}: no clip is in {found}; {dataset.WANTED} are read")
    write_lists(source, clips, division)


def check(builder: "Builder") -> None:
    """Print every fault of the source on standard error. UserError if there is one."""
    faults = builder.check()
    print_warnings(builder)
    for fault in faults:
        say(fault)
    count = len(builder.items())
    if faults:
        raise UserError(f"--source={builder.source}: {len(faults)} of {count} clips are faulty, see above")
    if builder.num_left_out:
        in_order = count - builder.num_left_out
        print(
            f"{builder.name}: {in_order} clips are in order, {builder.num_left_out} were left out, see above"
        )
    else:
        print(f"{builder.name}: all {count} clips are in order")


def print_warnings(builder: "Builder") -> None:
    """Print on standard error what was found in the source that is no fault."""
    for warning in builder.warnings:
        say(f"warning: {warning}")


def describe(builder: "Builder") -> str:
    """Sizes and place of what is prepared, with a word if it is not all that was published."""
    sizes = ", ".join(f"{count} {split}" for split, count in builder.split_sizes().items())
    text = f"{sizes} clips of up to {builder.info.metadata['max_frames']} frames in {builder.data_dir}"
    if left_out := builder.info.metadata.get("left_out"):
        text += f"; {left_out} were left out"
    if builder.PUBLISHED_SIZES and builder.split_sizes() != builder.PUBLISHED_SIZES:
        published = ", ".join(f"{count} {split}" for split, count in builder.PUBLISHED_SIZES.items())
        text += f"; the whole data set has {published}"
    return text


if __name__ == "__main__":
    run_command(main)

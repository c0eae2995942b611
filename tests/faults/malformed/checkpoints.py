"""Checkpoints and what a run keeps beside them."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faults.malformed.case import Given, case, write

from rgbd_jax.training.integrity import checksum_of

METADATA = "_CHECKPOINT_METADATA"


def copied(folder: Path, given: Given) -> Path:
    """A run of one's own; returns the folder of its checkpoint."""
    shutil.copytree(given.joints, folder / "run")
    return next((folder / "run" / "checkpoints").iterdir())


def described(folder: Path, given: Given, change: Callable[[dict[str, Any]], Any]) -> None:
    """A run whose checkpoint says something else of itself."""
    path = copied(folder, given) / METADATA
    content = json.loads(path.read_text())
    said = content["custom_metadata"]
    del said["crc32"]
    change(said)
    said["crc32"] = checksum_of(said)  # as of a program that wrote it so
    path.write_text(json.dumps(content))


EVALUATE = ["--mode=eval", "--workdir=run"]


@case("main", r"run: there is no such folder; give a run")
def a_run_that_links_to_itself(folder: Path, given: Given) -> list[str]:
    (folder / "run").symlink_to("run")
    return EVALUATE


@case("main", r"x{300}: there is no such folder")
def a_run_whose_name_is_too_long(folder: Path, given: Given) -> list[str]:
    return ["--mode=eval", "--workdir=" + "x" * 300]


@case("main", r"run: there is no such folder")
def a_run_that_is_a_file(folder: Path, given: Given) -> list[str]:
    write(folder / "run", "mine")
    return EVALUATE


DAMAGED = r"no checkpoint is intact \(1 is damaged: "


@case("main", DAMAGED)
def an_empty_description(folder: Path, given: Given) -> list[str]:
    (copied(folder, given) / METADATA).write_bytes(b"")
    return EVALUATE


@case("main", DAMAGED)
def a_description_that_is_cut_off(folder: Path, given: Given) -> list[str]:
    path = copied(folder, given) / METADATA
    os.truncate(path, path.stat().st_size // 2)
    return EVALUATE


@case("main", DAMAGED)
def a_description_without_a_bottom(folder: Path, given: Given) -> list[str]:
    (copied(folder, given) / METADATA).write_text('{"custom_metadata":' * 100_000)
    return EVALUATE


@case("main", r"checkpoints/1: is of format 3; this version reads format 2")
def a_checkpoint_of_a_later_version(folder: Path, given: Given) -> list[str]:
    described(folder, given, lambda said: said.update(format=3))
    return EVALUATE


@case("main", r"checkpoints/1: is damaged: its config is 'None'")
def a_checkpoint_without_its_config(folder: Path, given: Given) -> list[str]:
    described(folder, given, lambda said: said.pop("config"))
    return EVALUATE


@case("predict", r"checkpoints/1: is damaged: config\.task is 'skeleton'; a group of keys is needed")
def a_checkpoint_with_a_value_for_a_group(folder: Path, given: Given) -> list[str]:
    described(folder, given, lambda said: said["config"].update(task="skeleton"))
    write(folder / "clip.json", "{}")
    return ["--checkpoint=run", "clip.json"]


@case(
    "export", r"checkpoints/1: is damaged: config\.model\.base_width is '64'; the value must be of type int"
)
def a_checkpoint_with_a_width_of_text(folder: Path, given: Given) -> list[str]:
    described(folder, given, lambda said: said["config"]["model"].update(base_width="64"))
    return ["--checkpoint=run", "out.zip"]


@case("main", r"checkpoints/1: is damaged: its step is 'many'")
def a_checkpoint_of_no_step(folder: Path, given: Given) -> list[str]:
    described(folder, given, lambda said: said.update(step="many"))
    return EVALUATE


@case("main", r"checkpoints/1: is damaged: its class_names")
def a_checkpoint_of_classes_without_names(folder: Path, given: Given) -> list[str]:
    described(folder, given, lambda said: said.update(class_names=[1, None]))
    return EVALUATE


@case("convert", r"checkpoints/1: is damaged: its published")
def a_checkpoint_that_was_converted_from_nothing(folder: Path, given: Given) -> list[str]:
    described(folder, given, lambda said: said.update(published=["secret"]))
    return ["to_torch", "run", "out.pt"]


@case("main", r"config\.model\.base_width|is a checkpoint of another network", slow=True)
def a_checkpoint_of_another_width(folder: Path, given: Given) -> list[str]:
    described(folder, given, lambda said: said["config"]["model"].update(base_width=16))
    return EVALUATE


@case("main", DAMAGED)
def a_checkpoint_without_its_arrays(folder: Path, given: Given) -> list[str]:
    shutil.rmtree(copied(folder, given) / "state")
    return EVALUATE


@case("main", DAMAGED)
def arrays_of_random_bytes(folder: Path, given: Given) -> list[str]:
    for path in copied(folder, given).rglob("*"):
        if path.is_file() and path.name != METADATA and path.stat().st_size > 1000:
            path.write_bytes(bytes(range(256)) * (path.stat().st_size // 256))
    return EVALUATE


@case("main", DAMAGED)
def a_checkpoint_that_was_not_finished(folder: Path, given: Given) -> list[str]:
    (copied(folder, given) / METADATA).unlink()
    return EVALUATE


@case("main", r"metrics\.jsonl, line 1: is no row of a run's log", slow=True)
def a_log_of_texts(folder: Path, given: Given) -> list[str]:
    copied(folder, given)
    row = {"kind": "step", "split": "train", "step": 1, "epoch": 0, "loss": "low"}
    write(folder / "run" / "metrics.jsonl", json.dumps(row) + "\n")
    return [*EVALUATE, "--report"]


@case("main", r"metrics\.jsonl, line 1: is no row of a run's log", slow=True)
def a_log_without_a_bottom(folder: Path, given: Given) -> list[str]:
    copied(folder, given)
    write(folder / "run" / "metrics.jsonl", '{"a":' * 100_000 + "\n")
    return [*EVALUATE, "--report"]


@case("main", r"sessions\.jsonl, line 1: is no session of a run")
def sessions_in_another_encoding(folder: Path, given: Given) -> list[str]:
    copied(folder, given)
    write(folder / "run" / "sessions.jsonl", b"\xff\xfe{\x00}\x00\n")
    return [*EVALUATE, "--report"]


@case("main", r"sessions\.jsonl: cannot be read \(Is a directory", slow=True)
def sessions_that_are_a_folder(folder: Path, given: Given) -> list[str]:
    copied(folder, given)
    (folder / "run" / "sessions.jsonl").mkdir()
    return [*EVALUATE, "--report"]


@case("main", r"has no split '\.\./secret'")
def a_split_called_as_a_path(folder: Path, given: Given) -> list[str]:
    copied(folder, given)
    return [*EVALUATE, "--split=../secret"]


@case("export", r"out\.onnx: the name of the file to write must end in \.zip")
def an_export_of_another_kind(folder: Path, given: Given) -> list[str]:
    return [f"--checkpoint={given.joints}", "out.onnx"]


@case("export", r"--max_frames=-1")
def an_export_of_fewer_than_no_frames(folder: Path, given: Given) -> list[str]:
    return [f"--checkpoint={given.joints}", "out.zip", "--max_frames=-1"]


@case("export", r"--frame_size: '0x9+': sizes are such as")
def an_export_of_frames_without_a_width(folder: Path, given: Given) -> list[str]:
    return [f"--checkpoint={given.colour}", "out.zip", "--frame_size=0x99999999999999999999"]


@case("convert", r"run: holds no complete checkpoint")
def a_conversion_of_no_checkpoint(folder: Path, given: Given) -> list[str]:
    (folder / "run").mkdir()
    return ["to_torch", "run", "out.pt"]

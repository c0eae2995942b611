"""Config files, overrides and folders of runs, for training and what else takes a config."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from faults.malformed.case import Given, case, write

BEGIN = (
    "from rgbd_jax.defaults import skeleton_config\n\n\n"
    "def get_config(variant):\n    config = skeleton_config()\n"
)


def file(folder: Path, content: str | bytes) -> list[str]:
    write(folder / "bad.py", content)
    return ["--config=bad.py", "--workdir=run"]


def small(given: Given, *more: str) -> list[str]:
    """Arguments of a training that would begin."""
    network = "--config.model.name=baseline_gcn"
    return [f"--config={given.configs}/demo.py:debug", network, f"--config.data.data_dir={given.data}", *more]


@case("main", r"--config=bad\.py, line 2: SyntaxError")
def a_config_that_is_no_python(folder: Path, given: Given) -> list[str]:
    return file(folder, "x = 1\ndef get_config(variant:\n")


@case("main", r"--config=bad\.py.*null bytes")
def a_config_with_null_bytes(folder: Path, given: Given) -> list[str]:
    return file(folder, b"x = 1\0\n")


@case("main", r"--config=bad\.py.*(SyntaxError|UnicodeDecodeError)")
def a_config_in_another_encoding(folder: Path, given: Given) -> list[str]:
    return file(folder, "name = 'naïve'\n".encode("latin-1"))


@case("main", r"--config=bad\.py")
def a_config_of_random_bytes(folder: Path, given: Given) -> list[str]:
    return file(folder, bytes(range(255, 0, -1)))


@case("main", r"--config=bad\.py: the file needs a function get_config")
def an_empty_config(folder: Path, given: Given) -> list[str]:
    return file(folder, "")


@case("main", r"--config=bad\.py: get_config returns NoneType")
def a_config_that_returns_nothing(folder: Path, given: Given) -> list[str]:
    return file(folder, BEGIN)


@case("main", r"--config=bad\.py, line 6: SystemExit")
def a_config_that_ends_the_program(folder: Path, given: Given) -> list[str]:
    return file(folder, BEGIN + "    raise SystemExit(0)\n")


@case("main", r"--config=bad\.py, line \d: RecursionError")
def a_config_that_calls_itself(folder: Path, given: Given) -> list[str]:
    return file(folder, "def get_config(variant):\n    return get_config(variant)\n")


@case("main", r"--config=bad\.py: there is no key learning_rate")
def a_config_with_a_key_that_nobody_reads(folder: Path, given: Given) -> list[str]:
    return file(folder, BEGIN + "    config.learning_rate = 0.1\n    return config\n")


@case("main", r"--config=bad\.py: config\.data\.limit is 'all'; the value must be of type int")
def a_config_with_a_group_of_its_own(folder: Path, given: Given) -> list[str]:
    return file(
        folder, BEGIN + "    del config.data.limit\n    config.data.limit = 'all'\n    return config\n"
    )


@case("main", r"--config=bad\.py: there is no config file")
def a_config_that_is_a_folder(folder: Path, given: Given) -> list[str]:
    (folder / "bad.py").mkdir()
    return ["--config=bad.py", "--workdir=run"]


@case("main", r"--config=bad\.py: there is no config file")
def a_config_that_links_to_itself(folder: Path, given: Given) -> list[str]:
    (folder / "bad.py").symlink_to("bad.py")
    return ["--config=bad.py", "--workdir=run"]


@case("main", r"--config=x{300}\.py: there is no config file")
def a_config_whose_name_is_too_long(folder: Path, given: Given) -> list[str]:
    return ["--config=" + "x" * 300 + ".py", "--workdir=run"]


@case("main", r"--config\.batch_size=.*: the value must be of type int")
def an_override_of_another_type(folder: Path, given: Given) -> list[str]:
    return small(given, "--workdir=run", "--config.batch_size=8\n9")


@case("main", r"config\.seed=1{40}: allowed is")
def a_seed_without_end(folder: Path, given: Given) -> list[str]:
    return small(given, "--workdir=run", f"--config.seed={'1' * 40}")


@case("main", r"--config\.seed=9{5000}: the value must be of type int")
def a_seed_of_too_many_digits(folder: Path, given: Given) -> list[str]:
    return small(given, "--workdir=run", f"--config.seed={'9' * 5000}")


@case("main", r"config\.num_epochs=1{40}: allowed is")
def more_epochs_than_can_be_counted(folder: Path, given: Given) -> list[str]:
    return small(given, "--workdir=run", f"--config.num_epochs={'1' * 40}")


@case("main", r"config\.data\.num_workers=1000000: allowed is")
def more_workers_than_a_machine_can_have(folder: Path, given: Given) -> list[str]:
    return small(given, "--workdir=run", "--config.data.num_workers=1000000")


@case("main", r"config\.schedule\.base_lr=nan: allowed is")
def a_learning_rate_that_is_no_number(folder: Path, given: Given) -> list[str]:
    return small(given, "--workdir=run", "--config.schedule.base_lr=nan")


@case("main", r"--config\.task: config\.task is a group")
def an_override_of_a_group(folder: Path, given: Given) -> list[str]:
    return small(given, "--workdir=run", "--config.task=skeleton")


@case("main", r"--config\.data\.nam: config\.data has no key 'nam'")
def an_override_of_no_key(folder: Path, given: Given) -> list[str]:
    return small(given, "--workdir=run", "--config.data.nam=x")


@case("main", r"config\.schedule\.steps=.*: allowed is a tuple, each value 0 to 1")
def a_tuple_that_never_ends(folder: Path, given: Given) -> list[str]:
    return small(given, "--workdir=run", "--config.schedule.steps=" + "(" * 3000)


@case("main", r"data set '\.\./\.\./etc': is not known; available are")
def a_data_set_called_as_a_path(folder: Path, given: Given) -> list[str]:
    return small(given, "--workdir=run", "--config.data.name=../../etc")


@case("main", r"is not prepared there")
def a_data_dir_that_is_a_file(folder: Path, given: Given) -> list[str]:
    write(folder / "data", "mine")
    config = f"--config={given.configs}/gap/nw_ucla.py:joint,plain"
    return [config, "--workdir=run", "--config.data.data_dir=data"]


@case("main", r"File name too long")
def a_workdir_whose_name_is_too_long(folder: Path, given: Given) -> list[str]:
    return small(given, "--workdir=" + "x" * 300)


@case("main", r"--workdir=notes: .*notes is a file; give a folder")
def a_workdir_that_is_a_file(folder: Path, given: Given) -> list[str]:
    write(folder / "notes", "mine")
    return small(given, "--workdir=notes")


@case("main", r"--workdir=run: run is a file; give a folder")
def a_workdir_that_links_to_itself(folder: Path, given: Given) -> list[str]:
    (folder / "run").symlink_to("run")
    return small(given, "--workdir=run")


@case("main", r"run: is no run and not empty")
def a_workdir_with_something_else(folder: Path, given: Given) -> list[str]:
    write(folder / "run" / "thesis.tex", "mine")
    return small(given, "--workdir=run")


def stored(folder: Path, given: Given, content: str | bytes) -> Iterable[str]:
    """Training in a folder that has this config.json."""
    write(folder / "run" / "config.json", content)
    return small(given, "--workdir=run")


@case("main", r"run/config\.json: is not the config of a run")
def a_stored_config_that_is_cut_off(folder: Path, given: Given) -> Iterable[str]:
    return stored(folder, given, '{"seed": 1, "data": {')


@case("main", r"run/config\.json: is not the config of a run")
def a_stored_config_that_is_a_list(folder: Path, given: Given) -> Iterable[str]:
    return stored(folder, given, "[1, 2]")


@case("main", r"run/config\.json: is not the config of a run .*nested too deep")
def a_stored_config_without_a_bottom(folder: Path, given: Given) -> Iterable[str]:
    return stored(folder, given, '{"data":' * 100_000)


@case("main", r"run/config\.json: is not the config of a run .*config\.data is 3; a group")
def a_stored_config_with_a_value_for_a_group(folder: Path, given: Given) -> Iterable[str]:
    return stored(folder, given, json.dumps({"data": 3}))


@case("main", r"run/config\.json: is not the config of a run")
def a_stored_config_in_another_encoding(folder: Path, given: Given) -> Iterable[str]:
    return stored(folder, given, '{"seed": 1}'.encode("utf-16"))


@case("main", r"run/data_errors\.jsonl, line 1: is no clip that was left out")
def clips_left_out_that_cannot_be_read(folder: Path, given: Given) -> Iterable[str]:
    write(folder / "run" / "data_errors.jsonl", "[]\n")
    return small(given, "--workdir=run", "--config.data.on_error=skip")


@case("bench", r"--steps=0: must be 1 or more")
def no_steps(folder: Path, given: Given) -> list[str]:
    return small(given, "--steps=0")


@case("bench", r"--json: 'figures' is a folder; the name of a file is needed")
def figures_in_the_place_of_a_folder(folder: Path, given: Given) -> list[str]:
    (folder / "figures").mkdir()
    return small(given, "--json=figures")


@case("bench", r"dataset_info\.json: is damaged")
def prepared_data_whose_description_is_cut_off(folder: Path, given: Given) -> list[str]:
    name = Path("synthetic") / next(path.name for path in (given.data / "synthetic").iterdir())
    for path in (given.data / name).iterdir():
        write(folder / "data" / name / path.name, path.read_bytes())
    cut = folder / "data" / name / "dataset_info.json"
    cut.write_bytes(cut.read_bytes()[:100])
    return small(given, "--config.data.data_dir=data")


@case("main", r"array_record.*: is damaged")
def prepared_records_that_are_cut_off(folder: Path, given: Given) -> list[str]:
    name = Path("synthetic") / next(path.name for path in (given.data / "synthetic").iterdir())
    for path in (given.data / name).iterdir():
        write(folder / "data" / name / path.name, path.read_bytes())
        if "array_record" in path.name:
            os.truncate(folder / "data" / name / path.name, path.stat().st_size // 2)
    return small(given, "--workdir=run", "--config.data.data_dir=data")


@case("main", r"nowhere: there is no such folder; give a run")
def weights_to_start_from_that_are_nowhere(folder: Path, given: Given) -> list[str]:
    return small(given, "--workdir=run", "--config.init_from=nowhere")


@case("main", r"prompts\.txt, line 1: found")
def prompts_of_another_form(folder: Path, given: Given) -> list[str]:
    write(folder / "prompts.txt", "\ufeffall of them wave\r\n")
    return [
        *(f"--config={given.configs}/demo.py:debug", f"--config.data.data_dir={given.data}", "--workdir=run"),
        *("--config.model.name=gap", "--config.task.text_weight=0.8", "--config.text.prompts=prompts.txt"),
    ]


@case("main", r"features\.npz: is no file of features")
def features_of_objects(folder: Path, given: Given) -> list[str]:
    np.savez(folder / "features.npz", encoder="x", hashes=np.array([{}], object), vectors=np.ones((1, 3)))
    return [
        *(f"--config={given.configs}/demo.py:debug", f"--config.data.data_dir={given.data}", "--workdir=run"),
        *("--config.model.name=gap", "--config.task.text_weight=0.8", "--config.text.features=features.npz"),
    ]

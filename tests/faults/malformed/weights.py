"""Files of weights to be converted, and prompts to be embedded."""

import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
from faults.malformed.case import Given, case, pack, write
from weight_files import write_safetensors

from rgbd_jax.weights.pytorch_writer import write_pytorch

TENSOR = (
    b"ctorch._utils\n_rebuild_tensor_v2\n"
    b"((Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nI6\ntQI0\n(I2\nI3\nt(I3\nI1\ntI00\n}tR"
)


def to_orbax(given: Given, name: str) -> list[str]:
    return ["to_orbax", f"--config={given.configs}/gap/nw_ucla.py:joint,plain", name, "out"]


def torch_file(folder: Path, given: Given, content: bytes) -> list[str]:
    pack(folder / "bad.pt", {"weights/data.pkl": content, "weights/data/0": bytes(24)})
    return to_orbax(given, "bad.pt")


def safetensors(folder: Path, given: Given, header: str | bytes, data: bytes = bytes(24)) -> list[str]:
    header = header.encode() if isinstance(header, str) else header
    write(folder / "bad.safetensors", len(header).to_bytes(8, "little") + header + data)
    return to_orbax(given, "bad.safetensors")


def entry(**changes: object) -> str:
    return json.dumps({"w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]} | changes})


@case("convert", r"bad\.pt: cannot be read \(No such file")
def weights_that_are_nowhere(folder: Path, given: Given) -> list[str]:
    return to_orbax(given, "bad.pt")


@case("convert", r"bad\.pt: cannot be read \(Is a directory")
def weights_that_are_a_folder(folder: Path, given: Given) -> list[str]:
    (folder / "bad.pt").mkdir()
    return to_orbax(given, "bad.pt")


@case("convert", r"bad\.pt: is no file of weights")
def weights_that_are_empty(folder: Path, given: Given) -> list[str]:
    write(folder / "bad.pt", b"")
    return to_orbax(given, "bad.pt")


@case("convert", r"bad\.pt: is no file of weights")
def weights_that_are_cut_off(folder: Path, given: Given) -> list[str]:
    write_pytorch(folder / "whole.pt", {"w": np.ones((20, 20), np.float32)})
    write(folder / "bad.pt", (folder / "whole.pt").read_bytes()[:-400])
    return to_orbax(given, "bad.pt")


@case("convert", r"bad\.pt: asks for posix\.system")
def weights_that_run_a_program(folder: Path, given: Given) -> list[str]:
    return torch_file(folder, given, b"cposix\nsystem\n(S'touch ran'\ntR.")


@case("convert", r"bad\.pt: is no file of weights.*found data/0 larger than the file")
def weights_that_unpack_without_end(folder: Path, given: Given) -> list[str]:
    members = {"weights/data.pkl": b"}Vw\n" + TENSOR + b"s.", "weights/data/0": bytes(10**7)}
    pack(folder / "bad.pt", members, zipfile.ZIP_DEFLATED)
    return to_orbax(given, "bad.pt")


@case("convert", r"bad\.pt: is no file of weights; found a group of tensors in itself")
def weights_in_themselves(folder: Path, given: Given) -> list[str]:
    loop: dict[str, object] = {}
    loop["again"] = loop
    return torch_file(folder, given, pickle.dumps(loop, 2))


@case("convert", r"bad\.pt: is no file of weights; found a group of tensors in itself, or without end")
def weights_in_groups_that_double(folder: Path, given: Given) -> list[str]:
    group: dict[str, object] = {}
    for _ in range(60):
        group = {"a": group, "b": group}
    return torch_file(folder, given, pickle.dumps(group, 2))


@case("convert", r"bad\.pt: holds no tensors by their names")
def weights_of_nothing(folder: Path, given: Given) -> list[str]:
    return torch_file(folder, given, pickle.dumps({"w": 3}, 2))


@case("convert", r"bad\.pt: .*w")
def weights_of_no_network(folder: Path, given: Given) -> list[str]:
    write_pytorch(folder / "bad.pt", {"w": np.ones((2, 3), np.float32)})
    return to_orbax(given, "bad.pt")


@case("convert", r"bad\.safetensors: is no \.safetensors file .*nested too deep")
def a_header_without_a_bottom(folder: Path, given: Given) -> list[str]:
    return safetensors(folder, given, '{"w":' * 100_000)


@case("convert", r"bad\.safetensors: is no \.safetensors file, or ends before its header")
def a_header_longer_than_the_file(folder: Path, given: Given) -> list[str]:
    write(folder / "bad.safetensors", (2**63).to_bytes(8, "little") + b"{}")
    return to_orbax(given, "bad.safetensors")


@case("convert", r"bad\.safetensors: found .*1e\+?400|bad\.safetensors: found .*inf")
def a_tensor_of_endless_size(folder: Path, given: Given) -> list[str]:
    return safetensors(folder, given, entry().replace("[2, 3]", "[1e400, 3]"))


@case("convert", r"bad\.safetensors: the bytes of w are not all there")
def a_tensor_of_negative_sizes(folder: Path, given: Given) -> list[str]:
    return safetensors(folder, given, entry(shape=[-2, -3]))


@case("convert", r"bad\.safetensors: the bytes of w are not all there")
def a_tensor_that_lies_elsewhere(folder: Path, given: Given) -> list[str]:
    return safetensors(folder, given, entry(data_offsets=[2**62, 2**62 + 24]))


@case("convert", r"bad\.safetensors: found \[\] for w")
def a_tensor_that_is_a_list(folder: Path, given: Given) -> list[str]:
    return safetensors(folder, given, '{"w": []}')


@case("convert", r"out: exists already")
def a_conversion_onto_something(folder: Path, given: Given) -> list[str]:
    write(folder / "out" / "thesis.tex", "mine")
    write_safetensors(folder / "bad.safetensors", {"w": np.ones(3, np.float32)})
    return to_orbax(given, "bad.safetensors")


@case("convert", r"out: exists already")
def a_conversion_onto_a_broken_link(folder: Path, given: Given) -> list[str]:
    (folder / "out").symlink_to("nowhere")
    write_safetensors(folder / "bad.safetensors", {"w": np.ones(3, np.float32)})
    return to_orbax(given, "bad.safetensors")


@case("embed", r"prompts\.txt, line 8: the class 'Wave' stands there for the second time")
def prompts_that_describe_a_class_twice(folder: Path, given: Given) -> list[str]:
    texts = "".join(f"{key}: {key}\n" for key in ("global", "synonyms", "head", "hand", "hip", "foot"))
    write(folder / "prompts.txt", f"[wave]\n{texts}[Wave]\n{texts}")
    return ["prompts.txt", "--encoder=none", "--output=out.npz"]


@case("embed", r"prompts\.txt, line 1: found parts: \{part\.__class__")
def prompts_that_reach_into_the_program(folder: Path, given: Given) -> list[str]:
    write(folder / "prompts.txt", "parts: {part.__class__.__mro__}\n[wave]\n")
    return ["prompts.txt", "--encoder=none", "--output=out.npz"]


@case("embed", r"prompts\.txt, line 1: found parts: ")
def prompts_of_endless_width(folder: Path, given: Given) -> list[str]:
    write(folder / "prompts.txt", "parts: {part:>9999999999}\n[wave]\n")
    return ["prompts.txt", "--encoder=none", "--output=out.npz"]


@case("embed", r"synonyms\.txt: has 2 lines, parts\.txt has 1")
def synonyms_of_other_classes(folder: Path, given: Given) -> list[str]:
    write(folder / "parts.txt", "wave;a;b;c;d;e;f\n")
    write(folder / "synonyms.txt", "wave,hello\nsit,down\n")
    return ["parts.txt", "--synonyms=synonyms.txt", "--encoder=none", "--output=out.npz"]


@case("embed", r"--output=out\.txt: a name that ends in \.npz")
def features_of_another_kind(folder: Path, given: Given) -> list[str]:
    return ["nw_ucla", "--encoder=none", "--output=out.txt"]

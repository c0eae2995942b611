"""What a program compiled for a GPU does, read from the text of its optimised HLO: kernels and bytes.

A kernel's bytes are those that it reads of its operands and writes as its results; of an operand that it
directly takes slices of, or looks single values up in, only these; of a result that is a slice put in its
place, the slice. What a cache saves is not known, nor what a library does within one call.
"""

import collections
import dataclasses
import math
import re

BYTES = {"token": 0, "pred": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "bf16": 2, "f16": 2, "s32": 4, "u32": 4}
BYTES |= {"f32": 4, "s64": 8, "u64": 8, "f64": 8, "c64": 8, "c128": 16}
# Instructions that are no work: they name what is there.
NAMES = {"parameter", "constant", "bitcast", "get-tuple-element", "tuple", "after-all", "partition-id"}
PARTIAL_READS = {"slice", "dynamic-slice", "gather"}

_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) .*\{$")
_INSTRUCTION = re.compile(r"^\s+(ROOT )?%?([\w.\-]+) = (\(.*?\)|\S+) ([\w\-]+)\((.*?)\)(.*)$")
_ARRAY = re.compile(r"\b([a-z]\w*)\[([\d,]*)\]")
_WORKSPACE = re.compile(r", [su]8\[\d+\]\S*\)$")


@dataclasses.dataclass(frozen=True)
class Instruction:
    """One line of a computation."""

    name: str
    shape: str
    kind: str
    operands: tuple[str, ...]
    rest: str
    is_root: bool

    def attribute(self, pattern: str) -> str | None:
        found = re.search(pattern, self.rest)
        return found.group(1) if found else None


@dataclasses.dataclass(frozen=True)
class Kernel:
    """Work that is begun `times` times in a run of the program.

    Attributes:
      bytes: moved each time.
      source: the lines of the project that it comes from, innermost first.
      is_backward: whether it belongs to the gradient.
    """

    name: str
    times: int
    bytes: int
    source: str
    is_backward: bool


def kernels(hlo: str) -> list[Kernel]:
    """All of a module's, in order; those of a loop of unknown length once.

    Raises:
      ValueError: if it calls or branches in a way that is not known here.
    """
    computations, entry = _computations(hlo)
    sources = _sources(hlo)

    def walk(name: str, times: int) -> list[Kernel]:
        shapes = {line.name: line.shape for line in computations[name]}
        found = []
        for line in computations[name]:
            if line.kind in NAMES or line.kind.endswith("-done"):
                continue
            if line.kind == "while":
                trips = int(line.attribute(r'"known_trip_count":\{"n":"(\d+)"') or 1)
                found += walk(line.attribute(r"body=%?([\w.\-]+)"), times * trips)
                continue
            if line.kind in ("call", "conditional"):
                raise ValueError(f"{line.name}: what a {line.kind} does is not counted here")
            called = line.attribute(r"calls=%?([\w.\-]+)") or ""
            if line.kind.endswith("-start") and called:
                found += walk(called, times)
                continue
            operands = [shapes.get(name, "") for name in line.operands]
            found.append(
                Kernel(
                    line.name,
                    times,
                    _bytes(line, operands, computations.get(called, [])),
                    sources.get(int(line.attribute(r"stack_frame_id=(\d+)") or 0), ""),
                    "transpose(" in (line.attribute(r'op_name="([^"]*)"') or ""),
                )
            )
        return found

    return walk(entry, 1)


def by_source(found: list[Kernel]) -> list[tuple[str, int, int]]:
    """Place, bytes and kernels, the most bytes first."""
    total, count = collections.Counter(), collections.Counter()
    for kernel in found:
        place = f"{'gradient of ' if kernel.is_backward else ''}{kernel.source or 'elsewhere'}"
        total[place] += kernel.times * kernel.bytes
        count[place] += kernel.times
    return [(place, size, count[place]) for place, size in total.most_common()]


def _bytes(line: Instruction, operands: list[str], called: list[Instruction]) -> int:
    """Of one run of a kernel; `called` is what it is fused of."""
    if not called:
        # The last result of a library's call is the memory that it worked in.
        results = _WORKSPACE.sub(")", line.shape) if line.kind == "custom-call" else line.shape
        return _size(results) + sum(map(_size, operands))
    (root,) = (inner for inner in called if inner.is_root)
    written = _size(line.shape)
    if root.kind == "dynamic-update-slice":
        written = sum(_size(inner.shape) for inner in called if inner.name == root.operands[1])
    read = 0
    for inner in called:
        if inner.kind != "parameter":
            continue
        uses = [user for user in called if inner.name in user.operands]
        if uses and all(user.kind in PARTIAL_READS and user.operands[0] == inner.name for user in uses):
            read += min(sum(_size(user.shape) for user in uses), _size(inner.shape))
        elif not all(user.kind == "dynamic-update-slice" and user.operands[0] == inner.name for user in uses):
            read += _size(inner.shape)
    return written + read


def _size(shape: str) -> int:
    """Bytes of an array, or of all arrays of a tuple."""
    return sum(
        BYTES[dtype] * math.prod(int(length) for length in lengths.split(",") if length)
        for dtype, lengths in _ARRAY.findall(shape)
    )


def _computations(hlo: str) -> tuple[dict[str, list[Instruction]], str]:
    """The lines of each, by its name, and the name of the one that is run."""
    found, entry, lines = {}, "", None
    for text in hlo.splitlines():
        if text.startswith("}"):
            lines = None
        elif lines is None and (head := _COMPUTATION.match(text)):
            lines = found[head.group(2)] = []
            entry = head.group(2) if head.group(1) else entry
        elif lines is not None and (parts := _INSTRUCTION.match(text)):
            root, name, shape, kind, operands, rest = parts.groups()
            names = tuple(re.findall(r"%([\w.\-]+)", operands))
            lines.append(Instruction(name, shape, kind, names, rest, bool(root)))
    return found, entry


def _sources(hlo: str, depth: int = 2) -> dict[int, str]:
    """Where in the project the code of each stack frame is: the `depth` innermost calls."""

    def rows(table: str) -> dict[int, str]:
        found = re.search(rf"^{table}\n(.*?)\n\n", hlo, re.DOTALL | re.MULTILINE)
        split = (row.split(" ", 1) for row in (found.group(1).splitlines() if found else ()))
        return {int(number): rest for number, rest in split}

    def numbers(row: str) -> dict[str, int]:
        return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", row)}

    files, functions = rows("FileNames"), rows("FunctionNames")
    places = {i: numbers(row) for i, row in rows("FileLocations").items()}
    frames = {i: numbers(row) for i, row in rows("StackFrames").items()}

    def source(frame: int) -> str:
        calls = []
        while frame in frames and len(calls) < depth:
            place = places[frames[frame]["file_location_id"]]
            _, inside, file = files[place["file_name_id"]].strip('"').rpartition("rgbd_jax/")
            if inside and "site-packages" not in file:
                function = functions[place["function_name_id"]].strip('"').rsplit(".", 1)[-1]
                calls.append(f"{file}:{place['line']} {function}")
            frame = frames[frame].get("parent_frame_id", 1) - 1  # they are counted from 1, which is none
        return ", from ".join(calls)

    return {frame: source(frame) for frame in frames}

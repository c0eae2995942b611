"""Time the preparation of NTU RGB+D beside the scripts of CTR-GCN, on one core, on generated captures.

    python bench/compare_ntu_preparation.py --original=DIR [--captures=1000] [--json=FILE]

--original is a checkout of the CTR-GCN repository; GAP's instructions name the same scripts. Nothing of it is
copied: its three scripts run as they stand, in a folder of their own, with stand-ins for two packages that
they import and do not use, and for names that NumPy 2 has dropped.

The captures are `.skeleton` files of synthetic actions, in one of five of which there are two people. Both
programs run once, from the files to the arrays of all protocols, with everything that starting them takes;
their results are compared to the bit. Then ours runs on a quarter of the files: its peak memory must not
depend on how many there are.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rgbd_jax.data.ntu.edition import NTU60, Capture, missing_captures
from rgbd_jax.data.synthetic.actions import ACTIONS
from rgbd_jax.data.synthetic.performance import draw_performance, perform, sense

SCRIPTS = ("get_raw_skes_data.py", "get_raw_denoised_data.py", "seq_transformation.py")
TWO_PEOPLE = 5  # in each so-manieth capture
ROOT = Path(__file__).resolve().parents[1]

# What runs one of the scripts.
_RUN_SCRIPT = """
import runpy, sys, types
import numpy
numpy.int, numpy.string_ = int, numpy.bytes_
sys.modules["h5py"] = types.ModuleType("h5py")
sys.modules["sklearn"] = types.ModuleType("sklearn")
sys.modules["sklearn.model_selection"] = types.ModuleType("sklearn.model_selection")
sys.modules["sklearn.model_selection"].train_test_split = None
runpy.run_path(sys.argv[1], run_name="__main__")
"""


class Cost(NamedTuple):
    """Of one run: time on the clock, time of the core, largest memory in use."""

    seconds: float
    core_seconds: float
    peak_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.seconds:.1f} s ({self.core_seconds:.1f} s of the core), {self.peak_bytes / 2**20:.0f} MiB"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--original", type=checkout, required=True)
    parser.add_argument("--captures", type=int, default=1000)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    given = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        captures = capture_names(given.captures)
        source = folder / "nturgbd_raw" / "nturgb+d_skeletons"
        num_bytes = sum(write_capture(source, capture, number) for number, capture in enumerate(captures))
        print(f"{len(captures)} captures, {num_bytes / 2**20:.0f} MiB")
        few = folder / "few"
        few.mkdir()
        for capture in captures[: len(captures) // 4]:
            (few / f"{capture.name}.skeleton").symlink_to(source / f"{capture.name}.skeleton")

        costs = {
            "original": run_original(given.original, folder / "ntu", captures),
            "ours": run_ours(source, folder / "data"),
            f"ours, {len(captures) // 4} captures": run_ours(few, folder / "data_few"),
        }
        compare(folder / "ntu", folder / "data", captures)
    for program, cost in costs.items():
        print(f"{program:<20} {cost}")
    print(
        f"ours takes {costs['ours'].seconds / costs['original'].seconds:.3f} of the time on the clock,"
        f" {costs['ours'].core_seconds / costs['original'].core_seconds:.3f} of the core's; the same arrays"
    )
    if given.json:
        figures = {program: cost._asdict() for program, cost in costs.items()}
        given.json.write_text(json.dumps({"captures": len(captures), **figures}, indent=2) + "\n")


def checkout(text: str) -> Path:
    """The argument --original."""
    folder = Path(text).resolve()
    if missing := [name for name in SCRIPTS if not (folder / "data" / "ntu" / name).is_file()]:
        raise argparse.ArgumentTypeError(f"{text}: there is no data/ntu/{missing[0]} in it")
    return folder


def capture_names(count: int) -> list[Capture]:
    """So many different captures of NTU-60, by their names in order."""
    rng = np.random.default_rng(0)
    names = set()
    while len(names) < count:
        setup, camera, performer, repetition, action = rng.integers(1, (18, 4, 41, 3, 61))
        name = f"S{setup:03d}C{camera:03d}P{performer:03d}R{repetition:03d}A{action:03d}"
        if name not in missing_captures():
            names.add(name)
    return [NTU60.capture(name, name) for name in sorted(names)]


def write_capture(folder: Path, capture: Capture, number: int) -> int:
    """Write a `.skeleton` file and return its size."""
    rng = np.random.default_rng((1, number))
    people = []
    for person in range(2 if number % TWO_PEOPLE == 0 else 1):
        performance = draw_performance(tuple(ACTIONS)[int(rng.integers(len(ACTIONS)))], rng)
        people.append(sense(performance, perform(performance)) + (person, 0, 0))
    num_frames = len(people[0])
    lines = [str(num_frames)]
    for frame in range(num_frames):
        bodies = [joints[frame] for joints in people if frame < len(joints)]
        lines.append(str(len(bodies)))
        for body, joints in enumerate(bodies):
            lines += [f"{72057594037927936 + 16 * number + body} 0 1 1 1 1 0 -0.11 0.14 2", str(len(joints))]
            lines += [
                f"{x:.7g} {y:.7g} {z:.7g} {260 + 90 * x:.7g} {210 - 90 * y:.7g} {960 + 270 * x:.7g}"
                f" {540 - 270 * y:.7g} -0.1705678 0.04232755 0.9718983 -0.1566168 2"
                for x, y, z in joints
            ]
    path = folder / f"{capture.name}.skeleton"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.write_text("\r\n".join(lines) + "\r\n")


def run_original(checkout: Path, folder: Path, captures: list[Capture]) -> Cost:
    statistics = folder / "statistics"
    statistics.mkdir(parents=True)
    for file, values in {
        "skes_available_name": [capture.name for capture in captures],
        "setup": [capture.setup for capture in captures],
        "camera": [capture.camera for capture in captures],
        "performer": [capture.performer for capture in captures],
        "replication": [capture.repetition for capture in captures],
        "label": [capture.action for capture in captures],
    }.items():
        (statistics / f"{file}.txt").write_text("".join(f"{value}\n" for value in values))
    costs = [
        run([sys.executable, "-c", _RUN_SCRIPT, str(checkout / "data" / "ntu" / script)], folder)
        for script in SCRIPTS
    ]
    return Cost(
        sum(cost.seconds for cost in costs),
        sum(cost.core_seconds for cost in costs),
        max(cost.peak_bytes for cost in costs),
    )


def run_ours(source: Path, data_dir: Path) -> Cost:
    command = [sys.executable, "-m", "rgbd_jax.prepare", "ntu60", f"--source={source}"]
    return run([*command, f"--data_dir={data_dir}"], ROOT)


def run(command: list[str], folder: Path) -> Cost:
    begun = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    if status:
        sys.exit(f"error: {' '.join(command[:3])} ended with status {os.waitstatus_to_exitcode(status)}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def compare(original: Path, data_dir: Path, captures: list[Capture]) -> None:
    """See that both wrote the same clips."""
    # Not before: what a program that is started inherits counts as its memory.
    from rgbd_jax.data.loader import open_split

    for archive, protocol in zip(NTU60.archives, NTU60.protocols, strict=True):
        key = {"xsub": "performer", "xview": "camera"}[protocol]
        order = sorted(captures, key=lambda capture: getattr(capture, key))  # and within each by name
        with np.load(original / archive) as arrays:
            for part in ("train", "test"):
                split = open_split("ntu60", data_dir, f"{protocol}_{part}")
                ours = {record["id"].decode(): record for record in split.source}
                names = [capture.name for capture in order if capture.name in ours]
                for name, clip in zip(names, arrays[f"x_{part}"], strict=True):
                    np.testing.assert_array_equal(
                        split.clip_row(ours[name])["joints"].reshape(clip.shape), clip, err_msg=name
                    )


if __name__ == "__main__":
    main()

"""Time the input of video training beside the published PyTorch program's loader, on one core, in one run.

    taskset --cpu-list 0 python bench/compare_video_input.py --original=DIR --source=DIR [--clips=6]
                                                             [--rounds=5] [--json=FILE]

--original is a checkout of the MotionRGBD repository, --source NVGesture as published, all of it or a few
takes. PyTorch (the extra `torch`), einops, scipy and pillow must be installed. Nothing of the checkout is
copied: its data set class is imported as it stands (`original_motion.py`).

All make training clips of the colour frames of the first takes, 64 frames of 224×224 with heat maps, from the
same JPEG files: the original's class, with its augmentation; our reading of the records alone, which is what
our loader leaves to the CPU where a GPU does the rest; and ours with the rest, augmentation and heat maps,
compiled for the CPU. They take turns on one core, each in a process of its own; the figures are clips a
second, from the medians of the rounds.
"""

import argparse
import itertools
import json
import os
import statistics
import tempfile
from pathlib import Path

# Before JAX is imported.
os.environ["JAX_PLATFORMS"] = "cpu"

import cv2
import jax
import numpy as np
import original_motion
from ml_collections import ConfigDict
from taking_turns import Step, take_turns

from rgbd_jax.allocator import keep_freed_memory, share_one_heap
from rgbd_jax.config import load_file, override
from rgbd_jax.data.builders.nvgesture import Nvgesture
from rgbd_jax.data.loader import ToRow, open_configured_split
from rgbd_jax.data.split import Split
from rgbd_jax.tasks import make_task

CONFIG = "configs/rgbd/nvgesture.py:rgb"
WARM_UP_ROUNDS = 1


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--original", type=original_motion.checkout, required=True)
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=6, help="in each round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    given = parser.parse_args()
    if (cores := len(os.sched_getaffinity(0))) != 1:
        parser.error(f"{cores} cores may be used; start it with taskset --cpu-list 0")
    with tempfile.TemporaryDirectory() as folder:
        config = configured(folder)
        first_takes(given.clips)(data_dir=config.data.data_dir, source=given.source).prepare()
        count = min(len(training_split(folder)), given.clips)
        workers = {
            "original": (original_loader, (folder, count, given.original)),
            "decoding": (our_decoding, (folder, count)),
            "decoding and preparation": (our_input, (folder, count)),
        }
        seconds, _ = take_turns(workers, warm_up=WARM_UP_ROUNDS, rounds=given.rounds)

    speeds = {name: count / statistics.median(times) for name, times in seconds.items()}
    for name, speed in speeds.items():
        print(f"{name:<26}{speed:.2f} clips/s, {speed / speeds['original']:.1f} times the original")
    if given.json:
        figures = {"clips": count, "clips_per_s": speeds, "round_seconds": seconds}
        given.json.write_text(json.dumps(figures, indent=2) + "\n")


def first_takes(count: int) -> type[Nvgesture]:
    """NVGesture with so many training clips and no others."""

    class FirstTakes(Nvgesture, skip_registration=True):
        name = Nvgesture.name

        def items(self):
            return [item for item in super().items() if item.split == "train"][:count]

    return FirstTakes


def configured(folder: str) -> ConfigDict:
    return override(load_file(CONFIG), [f"--config.data.data_dir={folder}/records"])


def training_split(folder: str) -> Split:
    config = configured(folder)
    return open_configured_split(config.data, config.data.train_split)


def original_loader(temporary: str, count: int, checkout: Path) -> Step:
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    lines, split, folder = [], training_split(temporary), Path(temporary) / "frames"
    for number in range(count):
        name, frames = f"train/clip_{number}", split.source[number]["rgb"]
        (folder / "rgb" / name).mkdir(parents=True)
        for place, encoded in enumerate(frames):
            (folder / "rgb" / name / f"{place:06d}.jpg").write_bytes(encoded)
        lines.append(f"{name} {len(frames)} {split.source[number]['label']} \n")
    listing = folder / "train.txt"
    listing.write_text("".join(lines))

    with original_motion.importable(checkout):
        from lib.datasets.NvGesture import NvData

    published = dict(dataset="NvGesture", data=str(folder), resize="(256, 256)", flip=0.0, w=4, temper=0.4)
    data = NvData(original_motion.settings(**published), str(listing), "rgb", phase="train")

    def step() -> None:
        for number in range(count):
            data[number]

    return step


def our_decoding(folder: str, count: int) -> Step:
    keep_memory()
    split, turns = training_split(folder), itertools.count()

    def step() -> None:
        decoded_batch(split, count, next(turns))

    return step


def our_input(folder: str, count: int) -> Step:
    keep_memory()
    split, turns = training_split(folder), itertools.count()
    task = make_task(configured(folder), split)
    prepare = jax.jit(lambda batch, key: task.prepare(batch, key, train=True))

    def step() -> None:
        turn = next(turns)
        batch = decoded_batch(split, count, turn)
        batch.pop("id")
        jax.block_until_ready(prepare(batch, jax.random.key(turn)))

    return step


def keep_memory() -> None:
    """As training does."""
    share_one_heap()
    keep_freed_memory()


def decoded_batch(split: Split, count: int, turn: int) -> dict[str, np.ndarray]:
    """The first clips as the loader hands them over, with other frames in each turn."""
    seeds = np.random.default_rng(turn).integers(2**32, size=count, dtype=np.uint32)
    to_row = ToRow(split)
    rows = [to_row.map({**split.source[number], "seed": seeds[number]}) for number in range(count)]
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


if __name__ == "__main__":
    main()

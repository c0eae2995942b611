"""Time the training step of CTR-GCN beside the published PyTorch program's, in one run.

    python bench/compare_ctrgcn.py --original=DIR [--batch_size=16] [--rounds=7]

DIR is a checkout of the GAP or the CTR-GCN repository, and PyTorch (the extra `torch`) and einops must be
installed. Nothing of the checkout is copied: its network is imported as it stands, with stand-ins for modules
that the network itself does not use.

Both make the same step on a clip of NTU's shape, (batch, 64 frames, 2 persons, 25 joints, 3): forward, cross
entropy, backward, SGD with Nesterov's momentum and weight decay, float32. Ours also prepares the clips from
raw ones of 300 frames, which the original leaves to its loader. The two take turns, each in a process of its
own, so that both see the same machine; the figure is the ratio of the medians.
"""

import argparse
import os
import statistics
import sys
import types
from pathlib import Path

from taking_turns import Step, take_turns

WARM_UP_ROUNDS = 2
CONFIG = "configs/gap/ntu60_xsub.py:joint,plain"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--original", type=Path, required=True)
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    if not (given.original / "model" / "ctrgcn.py").is_file():
        parser.error(f"--original={given.original}: there is no model/ctrgcn.py in it")

    workers = {
        "original": (original_step, (str(given.original.resolve()), given.batch_size)),
        "rgbd_jax": (our_step, (given.batch_size,)),
    }
    seconds, _ = take_turns(workers, warm_up=WARM_UP_ROUNDS, rounds=given.rounds)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    for name, median in medians.items():
        spread = f"{min(seconds[name]):.3f} to {max(seconds[name]):.3f}"
        print(f"{name:<10}{median:.3f} s a step ({spread}), {given.batch_size / median:.2f} samples/s")
    ratio = medians["original"] / medians["rgbd_jax"]
    print(f"rgbd_jax makes {ratio:.2f} steps in the time of one of the original")


def our_step(batch_size: int) -> Step:
    import jax

    from rgbd_jax.config import load_file, override
    from rgbd_jax.data.random_clips import random_batch, shape_of
    from rgbd_jax.experiment import Experiment
    from rgbd_jax.training import sharding

    config = override(load_file(CONFIG), [f"--config.batch_size={batch_size}"])
    shape, mesh = shape_of(config.data.name), sharding.make_mesh()
    experiment = Experiment.build(config, shape, 100, mesh)
    state, train_step = experiment.initial_state(), experiment.compiled_step()
    batch = sharding.put_batch(random_batch(shape, batch_size), mesh)

    def step() -> None:
        nonlocal state
        state, _ = jax.block_until_ready(train_step(state, batch))

    return step


def original_step(checkout: str, batch_size: int) -> Step:
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))  # as JAX does
    for name in ("clip", "Text_Prompt"):
        sys.modules[name] = types.ModuleType(name)
    sys.path.insert(0, checkout)
    from model.ctrgcn import Model

    network = Model(num_class=60, num_point=25, num_person=2, graph="graph.ntu_rgb_d.Graph").train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=4e-4)
    clips = torch.randn(batch_size, 3, 64, 25, 2)
    labels = torch.randint(0, 60, (batch_size,))

    def step() -> None:
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(clips), labels).backward()
        optimizer.step()

    return step


if __name__ == "__main__":
    main()

"""Time the training step of I3DWTrans beside the published PyTorch program's, in one run.

    python bench/compare_i3dwtrans.py --original=DIR [--batch_size=2] [--rounds=3] [--remat]
                                      [--json=FILE]

DIR is a checkout of the MotionRGBD repository, and PyTorch (the extra `torch`), einops, scipy and pillow must
be installed. Nothing of the checkout is copied: its network is imported as it stands (`original_motion.py`).

Both make the same step on the same clips of NTU's shape, 64 frames of 224×224 with heat maps: forward, the
losses of all branches and the distillation, backward, clipping, SGD with momentum and weight decay, float32.
Ours also prepares the clips from raw frames of 320×240, which the original leaves to its loader. The two take
turns, each in a process of its own, so that both see the same machine; the figure is the ratio of the
medians.
"""

import argparse
import json
import os
import statistics
from pathlib import Path

import original_motion
from taking_turns import Step, take_turns

WARM_UP_ROUNDS = 1
CONFIG = "configs/rgbd/ntu_cs.py:rgb"
GIB = 2**30


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--original", type=original_motion.checkout, required=True)
    parser.add_argument("--batch_size", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--remat", action="store_true", help="ours computes intermediate results twice")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    given = parser.parse_args()

    workers = {
        "original": (original_step, (given.original, given.batch_size)),
        "rgbd_jax": (our_step, (given.batch_size, given.remat)),
    }
    seconds, peaks = take_turns(workers, warm_up=WARM_UP_ROUNDS, rounds=given.rounds)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    for name, median in medians.items():
        spread = f"{min(seconds[name]):.1f} to {max(seconds[name]):.1f}"
        print(f"{name:<10}{median:.2f} s a step ({spread}), process at most {peaks[name] / GIB:.2f} GiB")
    ratio = medians["original"] / medians["rgbd_jax"]
    print(f"rgbd_jax makes {ratio:.2f} steps in the time of one of the original")
    if given.json:
        figures = {"batch_size": given.batch_size, "remat": given.remat, "ratio": ratio}
        figures |= {"step_seconds": seconds, "peak_process_bytes": peaks}
        given.json.write_text(json.dumps(figures, indent=2) + "\n")


def our_step(batch_size: int, remat: bool) -> Step:
    import jax

    from rgbd_jax.allocator import share_one_heap
    from rgbd_jax.training import sharding
    from rgbd_jax.training.memory import MeasuredStep

    share_one_heap()  # as the commands do
    experiment, batch = experiment_and_batch(batch_size, remat)
    state, batch = experiment.initial_state(), sharding.put_batch(batch, experiment.mesh)
    train_step = MeasuredStep(experiment.compiled_step(), experiment.config, experiment.mesh)
    train_step.compile(state, batch)

    def step() -> None:
        nonlocal state
        state, _ = jax.block_until_ready(train_step(state, batch))

    return step


def original_step(checkout: Path, batch_size: int) -> Step:
    import torch
    from torch.nn.functional import cross_entropy

    # What our step makes of the raw frames is the input here.
    experiment, batch = experiment_and_batch(batch_size, remat=False)
    inputs = prepared(experiment, batch)
    torch.set_num_threads(len(os.sched_getaffinity(0)))  # as JAX does
    clip, heat = (torch.from_numpy(inputs[name].transpose(0, 4, 1, 2, 3).copy()) for name in ("clip", "heat"))
    labels = torch.from_numpy(batch["label"]).long()

    with original_motion.importable(checkout):
        from lib.model.build import build_model

    network = build_model(original_motion.settings(batch_size=batch_size)).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9, weight_decay=3e-4)

    def step() -> None:
        logits, distillation, _ = network(clip, heat)
        losses = [cross_entropy(x.reshape(batch_size, -1), labels, label_smoothing=0.1) for x in logits]
        optimizer.zero_grad()
        (losses[0] + 0.5 * sum(losses[1:]) + distillation).sum().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()

    return step


def experiment_and_batch(batch_size: int, remat: bool):
    """Ours, and random clips for it: the same in every process."""
    from rgbd_jax.config import load_file, override
    from rgbd_jax.data.random_clips import configured_shape, random_batch
    from rgbd_jax.experiment import Experiment
    from rgbd_jax.training import sharding

    changes = [f"--config.batch_size={batch_size}", f"--config.model.remat={remat}"]
    config = override(load_file(CONFIG), changes)
    shape = configured_shape(config.data)
    experiment = Experiment.build(config, shape, 100, sharding.make_mesh())
    return experiment, random_batch(shape, batch_size)


def prepared(experiment, batch):
    """The network's clip and heat map of a raw batch, NumPy, as in the first training step."""
    import jax

    from rgbd_jax.experiment import prepare_sharded
    from rgbd_jax.training import sharding

    prepare = jax.jit(
        lambda raw: prepare_sharded(experiment.task, raw, jax.random.key(0), experiment.mesh, train=True)
    )
    return jax.device_get(prepare(sharding.put_batch(batch, experiment.mesh)))


if __name__ == "__main__":
    main()

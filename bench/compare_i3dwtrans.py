"""Time the training step of I3DWTrans beside the published PyTorch program's, in one run.

    python bench/compare_i3dwtrans.py --original=DIR [--mixed] [--batch_size=2] [--rounds=3] [--remat]
                                      [--json=FILE]

DIR is a checkout of the MotionRGBD repository, and PyTorch (the extra `torch`), einops, scipy and pillow must
be installed. Nothing of the checkout is copied: its network is imported as it stands (`original_motion.py`).

Both make the same step on the same clips of NTU's shape, 64 frames of 224×224 with heat maps: forward, the
losses of all branches and the distillation, backward, clipping, SGD with momentum and weight decay, float32,
or with `--mixed` bfloat16 here and automatic mixed precision there; on a GPU if there is one.
Ours also prepares the clips from raw frames of 320×240, which the original leaves to its loader. The two take
turns, each in a process of its own, so that both see the same machine; the figure is the ratio of the
medians.
"""

import argparse
import json
import statistics
from pathlib import Path

import original_motion
from taking_turns import Step, take_turns

WARM_UP_ROUNDS = 2
CONFIG = "configs/rgbd/ntu_cs.py:rgb"
GIB = 2**30


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--original", type=original_motion.checkout, required=True)
    parser.add_argument("--mixed", action="store_true", help="half precision, where it does no harm")
    parser.add_argument("--batch_size", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--remat", action="store_true", help="ours computes intermediate results twice")
    parser.add_argument("--json", type=Path, help="also write the figures there")
    given = parser.parse_args()

    workers = {
        "original": (original_step, (given.original, given.batch_size, given.mixed)),
        "rgbd_jax": (our_step, (given.batch_size, given.remat, given.mixed)),
    }
    seconds, peaks = take_turns(workers, warm_up=WARM_UP_ROUNDS, rounds=given.rounds)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    for name, median in medians.items():
        spread = f"{min(seconds[name]):.1f} to {max(seconds[name]):.1f}"
        print(f"{name:<10}{median:.2f} s a step ({spread}), process at most {peaks[name] / GIB:.2f} GiB")
    ratio = medians["original"] / medians["rgbd_jax"]
    print(f"rgbd_jax makes {ratio:.2f} steps in the time of one of the original")
    if given.json:
        figures = {"mixed": given.mixed, "batch_size": given.batch_size, "remat": given.remat, "ratio": ratio}
        figures |= {"step_seconds": seconds, "peak_process_bytes": peaks}
        given.json.write_text(json.dumps(figures, indent=2) + "\n")


def our_step(batch_size: int, remat: bool, mixed: bool) -> Step:
    from our_training import training_step

    return training_step(*experiment_and_batch(batch_size, remat, mixed))


def original_step(checkout: Path, batch_size: int, mixed: bool) -> Step:
    import torch
    from original_training import DEVICE, training_step
    from torch.nn.functional import cross_entropy

    # What our step makes of the raw frames is the input here.
    experiment, batch = experiment_and_batch(batch_size)
    inputs = prepared(experiment, batch)
    clip, heat = (
        torch.from_numpy(inputs[name].transpose(0, 4, 1, 2, 3).copy()).to(DEVICE) for name in ("clip", "heat")
    )
    labels = torch.from_numpy(batch["label"]).long().to(DEVICE)

    with original_motion.importable(checkout):
        from lib.model.build import build_model

    network = build_model(original_motion.settings(batch_size=batch_size)).to(DEVICE).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9, weight_decay=3e-4)

    def loss() -> torch.Tensor:
        logits, distillation, _ = network(clip, heat)
        losses = [cross_entropy(x.reshape(batch_size, -1), labels, label_smoothing=0.1) for x in logits]
        return (losses[0] + 0.5 * sum(losses[1:]) + distillation).sum()

    return training_step(network, optimizer, loss, clip_norm=5.0, mixed=mixed)


def experiment_and_batch(batch_size: int, remat: bool = False, mixed: bool = False):
    """Ours, and random clips for it: the same in every process."""
    from rgbd_jax.config import load_file, override
    from rgbd_jax.data.random_clips import configured_shape, random_batch
    from rgbd_jax.experiment import Experiment
    from rgbd_jax.training import sharding

    changes = [f"--config.batch_size={batch_size}", f"--config.model.remat={remat}"]
    changes += ["--config.dtype=bfloat16"] if mixed else []
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

"""Time the training step of GAP, or of CTR-GCN, beside the published PyTorch program's, in one run.

    python bench/compare_gap.py --original=DIR [--plain] [--mixed] [--batch_size=16] [--rounds=7]
                                [--json=FILE]

DIR is a checkout of the GAP repository (for `--plain` also of the CTR-GCN repository), and PyTorch (the extra
`torch`) and einops must be installed. Nothing of the checkout is copied: its network and losses are imported
as they stand, with stand-ins for modules that these do not use.

Both make the same step on clips of NTU's shape, (batch, 64 frames, 2 persons, 25 joints, 3): forward, cross
entropy and GAP's five contrastive losses against text vectors that are there already, backward, SGD with
Nesterov's momentum and weight decay, float32, or with `--mixed` bfloat16 here and automatic mixed precision
there; on a GPU if there is one. With `--plain` there is no text and the network is CTR-GCN. Ours also
prepares the clips from raw ones of 300 frames, which the original leaves to its loader. The two take turns,
each in a process of its own, so that both see the same machine; the figure is the ratio of the medians.
"""

import argparse
import json
import statistics
import sys
import types
from pathlib import Path

from taking_turns import Step, take_turns

WARM_UP_ROUNDS = 2
CONFIG = "configs/gap/ntu60_xsub.py:joint"
TEXT_WIDTH = 512  # of the original's heads


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--original", type=Path, required=True)
    parser.add_argument("--plain", action="store_true", help="CTR-GCN, without text")
    parser.add_argument("--mixed", action="store_true", help="half precision, where it does no harm")
    parser.add_argument("--batch_size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="also write the figures there")
    given = parser.parse_args()
    for name in ["model/ctrgcn.py"] + ([] if given.plain else ["KLLoss.py", "tools.py"]):
        if not (given.original / name).is_file():
            parser.error(f"--original={given.original}: there is no {name} in it")

    make_original = original_plain_step if given.plain else original_step
    workers = {
        "original": (make_original, (str(given.original.resolve()), given.batch_size, given.mixed)),
        "rgbd_jax": (our_step, (CONFIG + (",plain" if given.plain else ""), given.batch_size, given.mixed)),
    }
    seconds, _ = take_turns(workers, warm_up=WARM_UP_ROUNDS, rounds=given.rounds)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    for name, median in medians.items():
        spread = f"{min(seconds[name]):.3f} to {max(seconds[name]):.3f}"
        print(f"{name:<10}{median:.3f} s a step ({spread}), {given.batch_size / median:.2f} samples/s")
    ratio = medians["original"] / medians["rgbd_jax"]
    print(f"rgbd_jax makes {ratio:.2f} steps in the time of one of the original")
    if given.json:
        figures = {"plain": given.plain, "mixed": given.mixed, "batch_size": given.batch_size, "ratio": ratio}
        given.json.write_text(json.dumps(figures | {"step_seconds": seconds}, indent=2) + "\n")


def our_step(config_file: str, batch_size: int, mixed: bool) -> Step:
    from our_training import training_step

    from rgbd_jax.config import load_file, override
    from rgbd_jax.data.random_clips import random_batch, shape_of
    from rgbd_jax.experiment import Experiment
    from rgbd_jax.training import sharding

    changes = [f"--config.batch_size={batch_size}", *(["--config.dtype=bfloat16"] if mixed else [])]
    config = override(load_file(config_file), changes)
    shape = shape_of(config.data.name)
    experiment = Experiment.build(config, shape, 100, sharding.make_mesh())
    return training_step(experiment, random_batch(shape, batch_size))


def original_step(checkout: str, batch_size: int, mixed: bool) -> Step:
    import torch
    from original_training import DEVICE, training_step

    make_importable(checkout)
    from KLLoss import KLLoss
    from model.ctrgcn import Model_lst_4part
    from tools import create_logits, gen_label

    network = Model_lst_4part(num_class=60, graph="graph.ntu_rgb_d.Graph", k=8).to(DEVICE).train()
    clips, labels = clips_and_labels(batch_size, DEVICE)
    texts = torch.randn(5, batch_size, TEXT_WIDTH, device=DEVICE)
    alike = torch.tensor(gen_label(labels.cpu().numpy()), dtype=torch.float32, device=DEVICE)
    divergence = KLLoss()

    def loss() -> torch.Tensor:
        logits, features, scale, parts = network(clips)
        terms = []
        for i, feature in enumerate([*features.values(), *parts]):
            of_clips, of_texts = create_logits(feature, texts[i], scale[:, i].mean())
            terms.append((divergence(of_clips, alike) + divergence(of_texts, alike)) / 2)
        return torch.nn.functional.cross_entropy(logits, labels) + 0.8 * sum(terms) / len(terms)

    return training_step(network, make_optimizer(network), loss, mixed=mixed)


def original_plain_step(checkout: str, batch_size: int, mixed: bool) -> Step:
    import torch
    from original_training import DEVICE, training_step

    make_importable(checkout)
    from model.ctrgcn import Model

    network = Model(num_class=60, num_point=25, num_person=2, graph="graph.ntu_rgb_d.Graph")
    network = network.to(DEVICE).train()
    clips, labels = clips_and_labels(batch_size, DEVICE)

    def loss() -> torch.Tensor:
        return torch.nn.functional.cross_entropy(network(clips), labels)

    return training_step(network, make_optimizer(network), loss, mixed=mixed)


def make_importable(checkout: str) -> None:
    """Let `import model` find the checkout's."""
    for name in ("clip", "Text_Prompt"):
        sys.modules[name] = types.ModuleType(name)
    sys.path.insert(0, checkout)


def make_optimizer(network):
    import torch

    return torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=4e-4)


def clips_and_labels(batch_size: int, device: str):
    import torch

    clips = torch.randn(batch_size, 3, 64, 25, 2, device=device)
    return clips, torch.randint(0, 60, (batch_size,), device=device)


if __name__ == "__main__":
    main()

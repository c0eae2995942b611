"""How the published PyTorch programs take a training step, on a GPU if there is one, else on the CPU."""

import os
from collections.abc import Callable

import torch
from taking_turns import Step

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def training_step(
    network: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Callable[[], torch.Tensor],
    *,
    clip_norm: float | None = None,
    mixed: bool = False,
) -> Step:
    """Forward, backward, and the optimizer.

    Args:
      loss: computes the loss of a batch by `network`, which lies on `DEVICE`.
      clip_norm: largest norm of the gradient.
      mixed: in PyTorch's automatic mixed precision, with its scaling of gradients.
    """
    torch.set_num_threads(len(os.sched_getaffinity(0)))  # as JAX does
    torch.backends.cudnn.benchmark = True  # as both programs have it
    scaler = torch.amp.GradScaler(DEVICE, enabled=mixed)

    def step() -> None:
        with torch.autocast(DEVICE, enabled=mixed):
            total = loss()
        optimizer.zero_grad()
        scaler.scale(total).backward()
        if clip_norm is not None:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(network.parameters(), clip_norm)
        scaler.step(optimizer)
        scaler.update()
        if DEVICE == "cuda":
            torch.cuda.synchronize()

    return step

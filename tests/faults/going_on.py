"""Going on with a run, and with nothing less than was saved of it."""

from pathlib import Path

from ml_collections import ConfigDict

from rgbd_jax.provenance import read_sessions
from rgbd_jax.train import train
from rgbd_jax.training.checkpoint_folders import complete_in


def go_on(config: ConfigDict, run: Path, *, damaged: int | None = None) -> None:
    """Train to the end; it must begin with the newest complete checkpoint.

    A run that begins earlier, or anew, would come to the same result.

    Args:
      damaged: step of a checkpoint from which it cannot go on.
    """
    newest = max(set(complete_in(run / "checkpoints")) - {damaged}, default=0)
    before = len(read_sessions(run))
    train(config, run)
    assert [session["step"] for session in read_sessions(run)[before:]] == [newest]

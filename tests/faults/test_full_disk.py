"""A disk that takes no more: no file may grow beyond a size, so that each kind of file meets its end once."""

import contextlib
import gc
import resource

import pytest
from run_folder import rows

from rgbd_jax.errors import OutsideError
from rgbd_jax.train import train


@contextlib.contextmanager
def largest_file(size):
    """Inside the block nothing can be written beyond so many bytes of a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# Orbax leaves the loops of a save that failed to the garbage collector, which complains of them.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
# What first does not fit: config.json, a line of sessions.jsonl, the description of a checkpoint, its arrays.
@pytest.mark.parametrize("size", [pytest.param(100, marks=pytest.mark.slow), 3000, 20_000])
def test_training_stops_and_goes_on_when_there_is_room_again(small_config, straight, tmp_path, size):
    run = tmp_path / "run"
    with pytest.raises(OutsideError) as caught, largest_file(size):
        train(small_config, run)
    said = str(caught.value)
    gc.collect()
    assert "\n" not in said and ("nothing was" in said or "the last checkpoint is of step" in said), said
    train(small_config, run)
    assert rows(run) == rows(straight)

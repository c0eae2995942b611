"""A disk that takes no more: no file may grow beyond a size, so that each kind of file meets its end once."""

import contextlib
import gc
import resource

import pytest
from going_on import go_on
from run_folder import rows

from rgbd_jax.errors import OutsideError
from rgbd_jax.train import train
from rgbd_jax.training.checkpoint import Checkpoints
from rgbd_jax.training.checkpoint_folders import complete_in, damage_of


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
# What first does not fit: config.json, the description of a checkpoint, its arrays.
@pytest.mark.parametrize("size", [pytest.param(100, marks=pytest.mark.slow), 3000, 20_000])
def test_training_stops_and_goes_on_when_there_is_room_again(small_config, straight, tmp_path, size):
    run = tmp_path / "run"
    with pytest.raises(OutsideError) as caught, largest_file(size):
        train(small_config, run)
    said = str(caught.value)
    gc.collect()
    assert "\n" not in said and "nothing was" in said, said
    go_on(small_config, run)
    assert rows(run) == rows(straight)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("size", [pytest.param(3000, marks=pytest.mark.slow), 20_000])
def test_what_was_complete_before_the_disk_was_full_stays(
    small_config, straight, tmp_path, monkeypatch, caplog, size
):
    run, save = tmp_path / "run", Checkpoints.save

    with monkeypatch.context() as patch, contextlib.ExitStack() as full:

        def save_third_on_full_disk(self, state, position, description):
            if description.step == 3:
                self.wait()
                full.enter_context(largest_file(size))
            save(self, state, position, description)

        patch.setattr(Checkpoints, "save", save_third_on_full_disk)
        with pytest.raises(OutsideError, match="; the last checkpoint is of step 2$"):
            train(small_config, run)
    gc.collect()
    assert not [record.getMessage() for record in caplog.records if record.exc_info]
    assert max(complete_in(run / "checkpoints")) == 2
    assert damage_of(run / "checkpoints" / "2") is None
    go_on(small_config, run)
    assert rows(run) == rows(straight)

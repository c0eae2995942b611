"""What is kept of a run while it trains: its log, and the checkpoints, which count the log's rows."""

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from rgbd_jax.errors import OutsideError
from rgbd_jax.report.logs import NoLog, RunLog
from rgbd_jax.training import together
from rgbd_jax.training.checkpoint import Checkpoints, Description
from rgbd_jax.training.checkpoint_folders import BEST_METRIC
from rgbd_jax.training.state import TrainState


@dataclasses.dataclass
class RunRecord:
    """The checkpoints and the log of a run.

    A run that goes on cuts its log back to its checkpoint, which says how many rows there were: what is to be
    logged of some steps is written before the state after them is saved.

    Attributes:
      workdir: the run's folder.
      checkpoints, log: in it, open.
      description: of its checkpoints, all but step, epoch and rows of the log.
      epoch_steps: steps in an epoch.
      last_step: the one with which the run ends.
      max_skipped_steps: so many in a row that are not finite end the run.
      skipped_in_row: how many were not, up to the last step that was looked at; at first, up to the one that
        the run goes on after.
    """

    workdir: Path
    checkpoints: Checkpoints
    log: RunLog | NoLog
    description: Callable[..., Description]
    epoch_steps: int
    last_step: int
    max_skipped_steps: int
    skipped_in_row: int
    _unseen: list[tuple[int, np.ndarray, jax.Array]] = dataclasses.field(default_factory=list, init=False)

    def epoch_of(self, step: int) -> int:
        """The epoch, from 0, of a step, from 1."""
        return (step - 1) // self.epoch_steps

    def note_step(self, step: int, ids: np.ndarray, skipped: jax.Array) -> None:
        """Note a step that was given to the device.

        Args:
          ids: of the samples that this process gave it.
          skipped: whether it was not finite, which is known when it is over.
        """
        self._unseen.append((step, ids, skipped))

    def name_skipped(self) -> None:
        """Wait for the steps that were noted, and log the samples of those that were not finite.

        Raises:
          OutsideError: `max_skipped_steps` or more in a row were not finite. As the state after them is not
            saved then, who goes on meets them again.
        """
        too_many = ""
        for step, ids, skipped in self._unseen:
            self.skipped_in_row = self.skipped_in_row + 1 if skipped else 0
            if skipped:
                ids_of_all = itertools.chain(*together.text_of_all(ids.tolist()))
                self.log.write("skipped", "train", step, self.epoch_of(step), ids=list(ids_of_all))
            if self.skipped_in_row >= self.max_skipped_steps:
                too_many = f"{self.skipped_in_row} steps up to step {step}"
        self._unseen.clear()
        if too_many:
            raise OutsideError(
                f"loss or gradient were not finite in {too_many};"
                f" config.max_skipped_steps={self.max_skipped_steps} ends a run then"
            )

    def save(self, state: TrainState, step: int, position: dict[str, Any]) -> None:
        """Begin to write the state after `step`, and the position of the loader; see `Checkpoints.save`."""
        description = self.description(step=step, epoch=self.epoch_of(step), log_rows=self.log.num_rows)
        self.checkpoints.save(state, position, description)

    def add_validation(self, step: int, figures: dict[str, float], data_errors: int) -> None:
        """Log what the validation after `step` found, and add it to that step's checkpoint."""
        self.log.write("epoch", "valid", step, self.epoch_of(step), **figures, data_errors=data_errors)
        self.checkpoints.add_validation(step, figures[BEST_METRIC])

    def last_words(self, state: TrainState, step: int, position: dict[str, Any]) -> str:
        """Save the state after `step`, if it is not saved yet, and say so.

        Another thread calls this after SIGTERM, while training waits for data or validates.

        Raises:
          OutsideError: if it could not be saved; the message says what was.
        """
        try:
            self.checkpoints.wait()
            if step and self.checkpoints.newest != step:  # a state before any step is not worth saving
                self.name_skipped()
                self.save(state, step, position)
                self.checkpoints.wait()
            self.log.flush()
        except OutsideError as error:
            raise self.checkpoints.telling_what_was_saved(error) from error
        return self.stopped(step) if step else stopped_before_the_first_step(self.workdir)

    def stopped(self, step: int) -> str:
        """What is said after SIGTERM when the state after `step` is saved."""
        return f"SIGTERM: stopped and saved after step {step} of {self.last_step} in {self.workdir}"


def stopped_before_the_first_step(workdir: Path) -> str:
    """What is said after SIGTERM before the first step of this session."""
    return f"SIGTERM: stopped before the first step; there is nothing new to save in {workdir}"

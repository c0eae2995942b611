"""A learning rate that drops when the validation gets no better."""

import dataclasses

import numpy as np

# A figure counts as better if it is larger by this part.
THRESHOLD = 1e-4

PlateauState = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Plateau:
    """Scales the learning rate by what the validation says after each epoch, as PyTorch's ReduceLROnPlateau.

    Attributes:
      factor: what the rate is multiplied by when it drops.
      patience: so many epochs in a row may be no better; with the next one the rate drops.
      cooldown: so many epochs after a drop are not counted.
      minimum: smallest scale, relative to the undiminished rate.
      first_epoch: epochs before this one (from 0) are not looked at.
    """

    factor: float
    patience: int
    cooldown: int
    minimum: float
    first_epoch: int

    def start(self) -> PlateauState:
        """The state before the first epoch; `scale` is what the learning rate is to be multiplied by."""
        return {
            "scale": np.float32(1),
            "best": np.float32(-np.inf),
            "epochs_no_better": np.int32(0),
            "epochs_to_cool": np.int32(0),
        }

    def update(self, state: PlateauState, epoch: int, figure: float) -> PlateauState:
        """The state after epoch `epoch` (from 0), whose validation gave `figure`; larger is better."""
        if epoch < self.first_epoch:
            return state
        scale, best, no_better, to_cool = (
            float(state[name]) for name in ("scale", "best", "epochs_no_better", "epochs_to_cool")
        )
        if figure > best * (1 + THRESHOLD):
            best, no_better = figure, 0
        else:
            no_better += 1
        if to_cool:
            to_cool, no_better = to_cool - 1, 0
        if no_better > self.patience:
            scale, to_cool, no_better = max(scale * self.factor, self.minimum), self.cooldown, 0
        return {
            "scale": np.float32(scale),
            "best": np.float32(best),
            "epochs_no_better": np.int32(no_better),
            "epochs_to_cool": np.int32(to_cool),
        }

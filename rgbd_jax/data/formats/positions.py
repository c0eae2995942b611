"""What positions of joints may be, in whichever file they stand."""

import numpy as np

# Such as are farther away are no positions: they come of damage. Squares and differences of all others, of
# which speeds and variances are made, are finite in float32.
FARTHEST = 1e18

NEEDED = f"metres between -{FARTHEST:g} and {FARTHEST:g} are needed"


def are_positions(numbers: np.ndarray | np.number) -> np.ndarray | np.bool_:
    """Of each number whether it may be a coordinate; one that is not finite may not."""
    return np.abs(numbers) <= FARTHEST

"""What the processes of a job tell each other outside compiled functions.

All of these functions must be called by every process, at the same place. With one process they are trivial.
"""

import json
from collections.abc import Callable, Sequence

import jax
import numpy as np
from jax.experimental import multihost_utils

from rgbd_jax.errors import OutsideError, UserError

_ERRORS = {kind.__name__: kind for kind in (UserError, OutsideError)}


def is_first() -> bool:
    """Whether this is the process that writes and speaks for all."""
    return jax.process_index() == 0


def by_the_first(action: Callable[[], str | None]) -> str | None:
    """What the first process finds or does, for which the others wait; they get what it returns.

    Raises:
      UserError, OutsideError: on all processes, as the first one met it.
    """
    if jax.process_count() == 1:
        return action()
    if not is_first():
        kind, result = json.loads(text_of_all([])[0][0])
        if kind:
            raise _ERRORS[kind](result)
        return result
    try:
        result = action()
    except (UserError, OutsideError) as error:
        text_of_all([json.dumps([type(error).__name__, str(error)])])
        raise
    text_of_all([json.dumps([None, result])])
    return result


def rows_of_all(rows: np.ndarray) -> np.ndarray:
    """Arrays of the same shape (B, ...) of all P processes, one after another: (P, B, ...)."""
    if jax.process_count() == 1:
        return rows[np.newaxis]
    return np.asarray(multihost_utils.process_allgather(rows))


def global_rows(batches: Sequence[np.ndarray]) -> np.ndarray:
    """What this process has read of some global batches, (B,) of each, with what the others have: in the
    order of the batches' rows."""
    own = np.stack(batches)
    if own.dtype.kind == "U":
        of_all = [np.reshape(texts, own.shape) for texts in text_of_all(own.ravel().tolist())]
    else:
        of_all = list(rows_of_all(own))
    return np.concatenate(of_all, axis=1).ravel()


def text_of_all(texts: Sequence[str]) -> list[list[str]]:
    """The texts of each process."""
    if jax.process_count() == 1:
        return [list(texts)]
    own = np.frombuffer(json.dumps(list(texts)).encode(), np.uint8)
    sizes = rows_of_all(np.asarray([own.size], np.int32))[:, 0]
    padded = np.zeros(sizes.max(), np.uint8)
    padded[: own.size] = own
    return [json.loads(row[:size].tobytes()) for row, size in zip(rows_of_all(padded), sizes, strict=True)]

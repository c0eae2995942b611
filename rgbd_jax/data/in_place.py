"""Work that is not handed to others."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any


class InPlace(Executor):
    """Does all work at once, in the thread that submits it.

    On one core another thread only takes turns with this one, and what it allocates goes back to the system
    again and again.
    """

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        done = Future()
        try:
            done.set_result(function(*args, **kwargs))
        except Exception as error:
            done.set_exception(error)
        return done

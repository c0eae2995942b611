"""What the C library does with memory that is freed: the same sizes are asked for again in the next step.

This is about glibc; other C libraries stay as they are.
"""

import contextlib
import ctypes

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8


def share_one_heap() -> None:
    """Have all threads that start from now on take their memory from the heap of the first.

    As glibc comes, each has one of its own; what short-lived work leaves free in them adds up.
    """
    _call("mallopt", _M_ARENA_MAX, 1)


def keep_freed_memory() -> None:
    """Keep what is freed, of any size, for what comes next.

    As glibc comes, it has large arrays in mappings of their own and gives them back to the system at once:
    the next one costs a page fault for every 4 KiB again. What is kept may be as much again as is in use, as
    something small may come to lie where a large array was. Of threads, it holds for those that share a heap
    with the first.
    """
    _call("mallopt", _M_MMAP_MAX, 0)
    _call("mallopt", _M_TRIM_THRESHOLD, -1)


def give_back_freed_memory() -> None:
    """Return to the system what lies free just now, between what is in use too."""
    _call("malloc_trim", 0)


def _call(function: str, *arguments: int) -> None:
    with contextlib.suppress(AttributeError, OSError, TypeError):  # there is no such function
        getattr(ctypes.CDLL(None), function)(*arguments)

"""Memory for arrays of some hundred kilobytes, made and dropped thousands of times."""

import contextlib
import ctypes

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3


def keep_freed_memory() -> None:
    """Have this process's C library keep up to 64 MiB that are freed, for what comes next.

    As glibc comes, it gives memory back to the system as soon as 128 KiB at the end of its heap are free, and
    has arrays of more than 128 KiB in mappings of their own: the next array costs a page fault for every
    4 KiB again. Other C libraries stay as they are.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # there is no such function
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_TRIM_THRESHOLD, 64 * 2**20)
        mallopt(_M_MMAP_THRESHOLD, 4 * 2**20)


def give_back_freed_memory() -> None:
    """Have this process's C library return to the system what lies free between what is in use.

    It keeps a heap for each of many threads, in which what short-lived work leaves free adds up for thousands
    of steps. Other C libraries stay as they are.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # there is no such function
        ctypes.CDLL(None).malloc_trim(0)

"""What the C library does with memory that is freed: the same sizes are asked for again in the next step."""

import contextlib
import ctypes

# Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8


def keep_freed_memory() -> None:
    """Have this process's C library keep what is freed for what comes next; to be called before threads
    start.

    As glibc comes, it has large arrays in mappings of their own and gives them back to the system at once:
    the next one costs a page fault for every 4 KiB again. On the CPU the intermediate results of a training
    step are such an array, of some gigabytes, and the faults take a quarter of all time. One heap holds
    everything then, for all threads, as only the first one can grow without bounds. Other C libraries stay as
    they are.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # there is no such function
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, -1)


def give_back_freed_memory() -> None:
    """Have this process's C library return to the system what lies free between what is in use.

    What short-lived work leaves free between what lasts adds up over thousands of steps. Other C libraries
    stay as they are.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # there is no such function
        ctypes.CDLL(None).malloc_trim(0)

"""What the C library does with memory that is freed."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys, threading
import numpy as np
from rgbd_jax.allocator import keep_freed_memory, share_one_heap

if sys.argv[1] == "keep":
    share_one_heap()
    keep_freed_memory()
size, count = map(int, sys.argv[2:])
def work():
    arrays = [np.ones(size) for _ in range(count)]
    return sum(array.sum() for array in arrays)
def works():
    work()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        work()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
works()
thread = threading.Thread(target=works)  # JAX's own threads take the memory for its arrays
thread.start()
thread.join()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left as they are")
@pytest.mark.parametrize(
    ("size", "count"),
    [(12_000, 30), (40_000, 30), (6_000_000, 2)],
    ids=["in the heap", "in mappings", "larger than any heap of a thread"],
)
def test_freed_memory_costs_no_page_faults_again(size, count):
    faults = {}
    for mode in ("keep", "as it comes"):
        command = [sys.executable, "-c", PROGRAM, mode, str(size), str(count)]
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        faults[mode] = [int(line) for line in answer.split()]
    assert max(faults["keep"]) < 100 and faults["as it comes"][0] > 1000, faults

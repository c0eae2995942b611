"""What the C library does with memory that is freed."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys
import numpy as np
from rgbd_jax.data.allocator import keep_freed_memory

if sys.argv[1] == "keep":
    keep_freed_memory()
size = int(sys.argv[2])
def work():
    arrays = [np.ones(size) for _ in range(30)]
    return sum(array.sum() for array in arrays)
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(50):
    work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left as they are")
@pytest.mark.parametrize("size", [12_000, 40_000], ids=["in the heap", "in mappings"])
def test_freed_memory_costs_no_page_faults_again(size):
    faults = {}
    for mode in ("keep", "as it comes"):
        command = [sys.executable, "-c", PROGRAM, mode, str(size)]
        faults[mode] = int(subprocess.run(command, check=True, capture_output=True).stdout)
    assert faults["as it comes"] > 10 * faults["keep"] + 1000, faults

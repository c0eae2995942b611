"""Programs that a GPU is to run are such that its compiler takes them; needs the compiler, and no GPU."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("jax_plugins") is None, reason="the extra gpu is not installed"
)


@pytest.mark.parametrize("config", ["demo.py", "demo_rgbd.py:fusion"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_training_step_is_compiled_for_a_gpu(config, dtype):
    command = [sys.executable, ROOT / "bench/compile_for_gpu.py", "--lines=3"]
    run = subprocess.run(
        [*command, f"--config=configs/{config}", f"--config.dtype={dtype}"],
        cwd=ROOT,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    figures = dict(re.findall(r"^([a-z ]+): +([\d.]+)", run.stdout, flags=re.MULTILINE))
    assert int(figures["kernels"]) > 100 and float(figures["bytes moved"]) > 0
    assert "models/" in run.stdout

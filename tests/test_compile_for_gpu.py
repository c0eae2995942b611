"""Programs that a GPU is to run are such that its compiler takes them; needs the compiler, and no GPU."""

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

PLUGINS = {"jax-cuda12-plugin", "jax-cuda13-plugin"}
INSTALLED = {package.name for package in importlib.metadata.distributions()}


def compile_for_gpu(*arguments):
    return subprocess.run(
        [sys.executable, ROOT / "bench/compile_for_gpu.py", *arguments],
        cwd=ROOT,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.skipif(PLUGINS.isdisjoint(INSTALLED), reason="the extra gpu is not installed")
@pytest.mark.parametrize("config", ["demo.py", "demo_rgbd.py:fusion"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_training_step_is_compiled_for_a_gpu(config, dtype):
    run = compile_for_gpu("--lines=3", f"--config=configs/{config}", f"--config.dtype={dtype}")
    assert run.returncode == 0, run.stderr
    figures = dict(re.findall(r"^([a-z ]+): +([\d.]+)", run.stdout, flags=re.MULTILINE))
    assert int(figures["kernels"]) > 100 and float(figures["bytes moved"]) > 0
    assert "models/" in run.stdout


@pytest.mark.skipif(not PLUGINS.isdisjoint(INSTALLED), reason="the extra gpu is installed")
def test_without_the_compiler_it_says_what_to_install():
    run = compile_for_gpu("--config=configs/demo.py")
    assert run.returncode == 2
    assert run.stderr == "error: JAX's compiler for GPUs is missing: bash launch/environment.sh gpu\n"

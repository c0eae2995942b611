"""Eight simulated devices, and strict arithmetic: no silent broadcasting of ranks, no silent change of
dtype."""

import os
import sys
from importlib.metadata import version
from pathlib import Path

# Before JAX is imported.
os.environ["JAX_PLATFORMS"] = os.environ.get("JAX_PLATFORMS", "cpu")
os.environ["JAX_NUM_CPU_DEVICES"] = "8"
# Tests compile far more than they compute. LLVM's optimisation would take most of the time; of the rest, the
# newer way to fuse operations, for which JAX 0.11 leaves no choice, would take two fifths.
os.environ["XLA_FLAGS"] = os.environ.get(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0"
    + version("jaxlib").startswith("0.10.") * " --xla_cpu_use_fusion_emitters=false",
)
# What one test has compiled need not be compiled by the next, nor by the programs that a test starts.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".cache" / "jax_tests"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
# Nor need each of the many processes that tests start translate all that it imports, which takes longer than
# the rest of its start: where Python must not keep its bytecode beside the sources, it keeps it there.
if sys.dont_write_bytecode:
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(Path(__file__).parents[1] / ".cache" / "bytecode"))
    sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"]

import jax
import numpy as np
import pytest
from absl import flags

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
# Grain's workers read absl flags; the commands mark them as parsed too.
flags.FLAGS.mark_as_parsed()


@pytest.fixture
def choose_form(monkeypatch):
    """Makes code that has two forms take the one for a CPU (`cpu`), or the one for all else (`default`)."""

    def choose(platform):
        monkeypatch.setattr(jax.lax, "platform_dependent", lambda *args, **forms: forms[platform](*args))

    return choose


@pytest.fixture(scope="session")
def real_data():
    """The folder of real recordings, whose layout docs/testing.md gives; the test skips without it."""
    folder = os.environ.get("RGBD_JAX_TEST_DATA")
    if not folder:
        pytest.skip("RGBD_JAX_TEST_DATA names no folder of real recordings")
    return Path(folder)


@pytest.fixture(scope="session")
def synthetic_data(tmp_path_factory):
    """A folder in which the data set `synthetic` is prepared, four clips of each action in each split."""
    from rgbd_jax.data.builders import synthetic
    from rgbd_jax.data.loader import open_split

    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "CLIPS_PER_ACTION", {"train": 4, "test": 4})
        open_split("synthetic", folder, "train")
    return folder


@pytest.fixture(scope="session")
def golden():
    """Loads reference numbers, a dict of arrays, by the path of their file below tests/golden."""

    def load(name):
        with np.load(Path(__file__).parent / "golden" / name, allow_pickle=False) as arrays:
            return dict(arrays)

    return load

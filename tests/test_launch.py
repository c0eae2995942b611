"""The launch scripts, on a stand-in for Python that writes down how it is called, and what they install."""

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted([*(ROOT / "launch").glob("*.sh"), ROOT / ".ci" / "run"])
# What another package imports without declaring it: JAX, to write what it exports.
OF_OTHERS = {"flatbuffers"}
PROVIDED_BY = importlib.metadata.packages_distributions()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = [
    Requirement(line)
    for line in (ROOT / "requirements.txt").read_text().splitlines()
    if line and not line.startswith("#")
]
PYTHONS = ("3.11", "3.12")

# Answers like the real interpreter, except to `-m`: then it notes the arguments and makes the
# folders that the scripts look for.
STAND_IN = f"""#!/usr/bin/env bash
[[ $1 == -m ]] || exec {sys.executable} "$@"
echo "${{@:2}}" >>calls.txt
if [[ $2 == venv ]]; then mkdir -p "${{@: -1}}/bin" && cp "$0" "${{@: -1}}/bin/python"; fi
for argument; do [[ $argument != --workdir=* ]] || mkdir -p "${{argument#*=}}"; done
if [[ $2 == pip ]]; then exit "${{PIP_STATUS:-0}}"; fi
"""


class Checkout:
    """A copy of what the scripts need."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("launch", ".ci"):
            shutil.copytree(ROOT / name, folder / name)
        for name in ("requirements.txt", "pyproject.toml"):
            shutil.copy(ROOT / name, folder)
        self.python = folder / "stand-in"
        self.python.write_text(STAND_IN)
        self.python.chmod(0o755)

    def run(self, *command, **environment):
        """Run a script from elsewhere; return status, standard error and the calls of Python."""
        calls = self.folder / "calls.txt"
        calls.write_text("")
        done = subprocess.run(
            ["bash", self.folder / command[0], *command[1:]],
            cwd="/",
            env=os.environ | {"PYTHON": str(self.python)} | environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, done.stderr, calls.read_text().splitlines()


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


def installs(calls):
    """How often pip was asked to install."""
    return sum(call.startswith("pip install ") for call in calls)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_strict_and_executable(script):
    assert script.read_text().startswith("#!/usr/bin/env bash\n# ")
    assert "set -euo pipefail" in script.read_text()
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", script], check=True)


def test_the_environment_is_made_once(checkout):
    status, _, calls = checkout.run("launch/environment.sh", "dev", "torch")
    assert status == 0
    assert calls[0] == "venv --clear .venv"
    assert calls[1].startswith("pip install ")
    assert calls[1].endswith("--constraint requirements.txt --editable .[dev,torch]")
    # What TensorFlow Datasets asks for and nothing here uses.
    assert calls[2].startswith("pip uninstall ") and calls[2].endswith(" pyarrow")
    assert len(calls) == 3
    assert checkout.run("launch/environment.sh", "dev", "torch") == (0, "", [])
    assert checkout.run("launch/environment.sh") == (0, "", [])


def test_an_extra_is_added_to_the_same_environment(checkout):
    assert checkout.run("launch/environment.sh")[2][1].endswith("--editable .")
    calls = checkout.run("launch/environment.sh", "dev")[2]
    assert len(calls) == 2
    assert calls[0].endswith("--editable .[dev]")


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml"])
def test_a_change_of_the_pins_installs_again(checkout, name):
    checkout.run("launch/environment.sh")
    with (checkout.folder / name).open("a") as file:
        file.write("# changed\n")
    assert installs(checkout.run("launch/environment.sh")[2]) == 1


def test_a_failed_installation_is_tried_again(checkout):
    status, stderr, _ = checkout.run("launch/environment.sh", PIP_STATUS="1")
    assert status == 3
    assert stderr.splitlines()[-1].startswith("error: the installation into .venv failed")
    assert installs(checkout.run("launch/environment.sh")[2]) == 1


def test_a_python_that_is_too_old_is_refused(checkout):
    checkout.python.write_text('#!/usr/bin/env bash\n[[ $1 != --version ]] || echo "Python 3.9.18"; exit 1\n')
    status, stderr, calls = checkout.run("launch/demo.sh")
    assert (status, calls) == (2, [])
    assert stderr == "error: Python 3.11 or newer is needed; found: Python 3.9.18\n"
    assert not (checkout.folder / ".venv").exists()


def test_the_demo_trains_anew_each_time_and_passes_flags_on(checkout):
    checkout.run("launch/environment.sh")
    for n in (1, 2):
        status, _, calls = checkout.run("launch/demo.sh", "--config.num_epochs=3", "--config.seed=2")
        assert status == 0
        train = f"rgbd_jax.main --config=configs/demo.py --workdir=runs/demo-{n}"
        evaluate = f"rgbd_jax.main --mode=eval --workdir=runs/demo-{n}"
        assert calls == [f"{train} --config.num_epochs=3 --config.seed=2", evaluate]


@pytest.mark.parametrize(
    "arguments", [["--workdir=runs/mine"], ["--config.seed=2", "--workdir", "runs/mine"]]
)
def test_the_demo_refuses_another_folder_than_it_evaluates(checkout, arguments):
    status, stderr, calls = checkout.run("launch/demo.sh", *arguments)
    assert (status, calls) == (2, [])
    assert stderr.startswith("error: --workdir") and stderr.count("\n") == 1


def test_the_tests_get_all_arguments(checkout):
    calls = checkout.run("launch/test.sh", "tests/report", "-k", "metrics")[2]
    assert calls[1].endswith(".[dev,torch]")
    options = "--numprocesses=2 --dist=loadfile --no-loadscope-reorder"
    assert calls[-1] == f"pytest {options} tests/report -k metrics"


def pins_for(python):
    applying = [pin for pin in PINS if not pin.marker or pin.marker.evaluate({"python_version": python})]
    return {canonicalize_name(pin.name): str(pin.specifier) for pin in applying}, len(applying)


@pytest.mark.parametrize("python", PYTHONS)
def test_each_package_is_pinned_once(python):
    pins, count = pins_for(python)
    assert len(pins) == count
    assert all(re.fullmatch(r"==[\w.]+", version) for version in pins.values())


def test_all_that_is_installed_for_us_is_pinned():
    """Follows the dependencies of the project through what is installed here."""
    pins, _ = pins_for(f"{sys.version_info.major}.{sys.version_info.minor}")
    extras = PROJECT["optional-dependencies"]
    waiting = [Requirement(line) for line in PROJECT["dependencies"] + extras["dev"] + extras["torch"]]
    seen, missing = set(), set()
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        # Jax and torch say themselves which of NVIDIA's libraries they run with.
        if name.startswith(("nvidia-", "cuda-", "jax-cuda")) or name == "triton":
            continue
        if name not in pins:
            missing.add(name)
        if (name, *requirement.extras) in seen:
            continue
        seen.add((name, *requirement.extras))
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for need in map(Requirement, needs):
            chosen = ({"extra": extra} for extra in ("", *requirement.extras))
            if not need.marker or any(map(need.marker.evaluate, chosen)):
                waiting.append(need)
    assert missing == set()
    assert len(seen) > 40


def test_what_is_declared_is_what_the_code_imports():
    always, sometimes = set(), set()
    for path in (ROOT / "rgbd_jax").rglob("*.py"):
        tree = ast.parse(path.read_text())
        always |= imported(tree.body)
        sometimes |= imported(ast.walk(tree))
    assert sometimes - declared("torch") == declared() - OF_OTHERS
    # What an extra provides may be imported where it is used, inside a function.
    assert always <= declared()


def declared(extra=None):
    lines = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    return {canonicalize_name(Requirement(line).name) for line in lines}


def imported(nodes):
    """The packages from the index that these statements import."""
    modules = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module)
    tops = {module.split(".")[0] for module in modules} - sys.stdlib_module_names - {"rgbd_jax"}
    return {canonicalize_name(PROVIDED_BY.get(top, [top])[0]) for top in tops}

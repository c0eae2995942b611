"""What README and docs say can be done: every command is understood, every key and flag exists."""

import ast
import contextlib
import importlib
import io
import itertools
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest

from rgbd_jax.config import ConfigArguments, leaves, load_file, override
from rgbd_jax.defaults import general_config, rgbd_config, skeleton_config
from rgbd_jax.errors import UserError

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
COMMANDS = [
    pytest.param(line, id=f"{page.name}: {line}")
    for page in PAGES
    for block in re.findall(r"^```bash\n(.*?)^```", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
MODULES = (
    "rgbd_jax.main",
    "rgbd_jax.predict",
    "rgbd_jax.prepare",
    "rgbd_jax.embed",
    "rgbd_jax.ensemble",
    "rgbd_jax.convert",
    "rgbd_jax.export",
    "rgbd_jax.bench",
    "rgbd_jax.overfit",
)
# Those that need no config, having a checkpoint or none.
WITHOUT_CONFIG = {f"rgbd_jax.{name}" for name in ("predict", "prepare", "embed", "ensemble", "export")}


# Of a run's own config nothing is known here: an override must be one of these.
DEFAULTS = (skeleton_config, lambda: rgbd_config("rgb"), lambda: rgbd_config("fusion"))

BENCHMARKS = [
    pytest.param(line, id=f"{page.name}: {line}")
    for page in PAGES
    for line in re.findall(
        r"^(?:taskset \S+ \S+ )?python (?:bench|tests/faults)/.*$", page.read_text(), flags=re.MULTILINE
    )
]
CONFIG_COMMANDS = [
    pytest.param(path, line, id=f"{path.relative_to(ROOT / 'configs')}: {line}")
    for path in sorted((ROOT / "configs").rglob("*.py"))
    for line in ast.get_docstring(ast.parse(path.read_text())).replace("\\\n", "").splitlines()
    if line.startswith("python -m ")
]


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_is_understood(line):
    program, *arguments = itertools.dropwhile(re.compile(r"[A-Z_]+=").match, shlex.split(line))
    if program == "bash":
        script, *arguments = arguments
        check_script(script, arguments)
    elif (program, arguments[0]) == (".venv/bin/python", "-m"):
        check_module(arguments[1], arguments[2:])
    else:
        pytest.fail(f"{line}: no test knows this command")


@pytest.mark.parametrize(("path", "line"), CONFIG_COMMANDS)
def test_each_command_of_a_config_is_understood_and_its_own(path, line):
    _, _, name, *arguments = shlex.split(line)
    check_module(name, arguments)
    configs = [argument for argument in arguments if argument.startswith("--config=")]
    if name == "rgbd_jax.main" and "--mode=eval" not in arguments:
        assert configs[0].split(":")[0] == f"--config={path.relative_to(ROOT)}"


@pytest.mark.parametrize("path", sorted((ROOT / "configs" / "rgbd").glob("*.py")), ids=lambda path: path.name)
def test_each_rgbd_config_says_how_each_of_its_networks_is_trained(path):
    """FusionNet from both trunks; and from Jester what was published so."""
    text = path.read_text()
    lines = {case.values[1] for case in CONFIG_COMMANDS if case.values[0] == path}
    variants = {"rgb"} if path.stem == "jester" else {"rgb", "depth", "fusion"}
    found = {match[1] for line in lines if (match := re.search(r"\.py:(\w+)", line))}
    assert found == variants
    trunks = f"init_trunks=('runs/{path.stem}_rgb', 'runs/{path.stem}_depth')"
    assert any(trunks in line for line in lines) == ("fusion" in variants)
    starts = sum("--config.init_from=runs/jester_rgb" in line for line in lines)
    assert starts == (2 if "after this pre-training" in text else 0)


def check_script(script, arguments):
    assert (ROOT / script).is_file()
    if script == "launch/demo.sh":
        override(load_file("configs/demo.py"), arguments)
    elif script == "launch/environment.sh":
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert set(arguments) <= project["optional-dependencies"].keys()
    elif script in ("launch/hosts.sh", "launch/slurm.sh", "launch/kubernetes.sh"):
        assert "--print" in arguments
        subprocess.run(["bash", script, *arguments], check=True, capture_output=True)
        check_module("rgbd_jax.main", arguments[arguments.index("--") + 1 :])
    else:
        assert script == "launch/test.sh"
        for argument in arguments:
            if argument.startswith("tests/"):
                assert (ROOT / argument).exists()


def check_module(name, arguments):
    """Parse the arguments and load the config, but do not run."""
    config_arguments, rest = ConfigArguments.split_from(arguments)
    given = importlib.import_module(name).parser().parse_args(rest)
    if config_arguments.file is not None:
        config_arguments.load()
        return
    without = name in WITHOUT_CONFIG or getattr(given, "direction", "") == "to_torch"
    assert without or given.mode == "eval", "--config is missing"
    overrides = [argument for argument in arguments if argument.startswith("--config.")]
    assert any(is_understood(default(), overrides) for default in DEFAULTS), overrides


def is_understood(config, overrides):
    with contextlib.suppress(UserError):
        override(config, overrides)
        return True
    return False


@pytest.mark.parametrize("line", BENCHMARKS)
def test_each_benchmark_has_its_flags(line):
    """Their synopses too, where a flag may stand in brackets."""
    command = line[line.index("python ") :].removeprefix("python ")
    text = (ROOT / command.split()[0]).read_text()
    flags = set(re.findall(r"--\w+", command))
    if "ConfigArguments" in text:
        flags.discard("--config")
    assert [flag for flag in sorted(flags) if f'"{flag}"' not in text] == []


@pytest.mark.parametrize("name", MODULES)
def test_each_flag_is_described(name):
    section = (ROOT / "docs" / "commands.md").read_text().split(f"\n## {name}\n")[1].split("\n## ")[0]
    table = set(re.findall(r"^\| `([^`]+)` \|", section, flags=re.MULTILINE))
    parser = importlib.import_module(name).parser()
    flags = {(action.option_strings or [action.metavar])[-1] for action in parser._actions}
    assert table == flags - {"--help"}


@pytest.mark.parametrize("name", MODULES)
def test_each_command_prints_its_arguments(name):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), pytest.raises(SystemExit) as exit:
        importlib.import_module(name).main(["--help"])
    assert exit.value.code == 0
    assert f"python -m {name}" in printed.getvalue()


def keys_described(title):
    """The table that follows a title of the page of configs: default by key."""
    text = re.split(r"\n#+ ", (ROOT / "docs" / "configs.md").read_text().partition(f"# {title}\n")[2])[0]
    return dict(re.findall(r"^\| `([a-z_.]+)` \| `([^`]*)` \|", text, flags=re.MULTILINE))


@pytest.mark.parametrize(
    "titles, config",
    [
        (["All configs"], general_config()),
        (["All configs", "Skeletons"], skeleton_config()),
        (["All configs", "Colour and depth", "One modality"], rgbd_config("rgb")),
        (["All configs", "Colour and depth", "Both modalities"], rgbd_config("fusion")),
    ],
    ids=["all", "skeleton", "rgb", "fusion"],
)
def test_each_key_is_described_with_its_default(titles, config):
    described = {key: value for title in titles for key, value in keys_described(title).items()}
    if config.task.name == "fusion":
        # The common table states these of one modality, and says so.
        described |= {"task.name": "'fusion'", "data.modalities": "('rgb', 'depth')"}
    assert {key: value.replace('"', "'") for key, value in described.items()} == {
        key: repr(value) for key, value in leaves(config).items()
    }


def test_each_config_file_is_listed():
    page = (ROOT / "docs" / "configs.md").read_text()
    files = {str(path.relative_to(ROOT)) for path in (ROOT / "configs").rglob("*.py")}
    assert set(re.findall(r"^\| `(configs/[^`]+)` \|", page, flags=re.MULTILINE)) == files


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_link_within_the_repository_leads_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_each_page_that_the_code_names_exists():
    sources = [path for folder in ("rgbd_jax", "configs", "tests") for path in (ROOT / folder).rglob("*.py")]
    named = {page for path in sources for page in re.findall(r"docs/\w+\.md", path.read_text())}
    assert [page for page in sorted(named) if not (ROOT / page).is_file()] == []

"""No line of the package runs what a file or a person says, or unpacks what may lie anywhere.

Config files alone are programs, and are run as such.
"""

import ast
from pathlib import Path

import pytest

import rgbd_jax

PACKAGE = Path(rgbd_jax.__file__).parent
# Where something stands that would be a danger elsewhere, and why it is none there.
EXCUSED = {
    # The config file that is named on the command line.
    ("config.py", "exec_module"),
    # From here on, only what the restricted unpickler allows.
    ("pickles.py", "pickle._Unpickler"),
}
CALLS = {
    "eval": "runs text",
    "exec": "runs text",
    "compile": "may run text",
    "__import__": "imports by text",
    "exec_module": "runs a file",
    "run_path": "runs a file",
    "import_module": "imports by text",
    "system": "runs a shell",
    "popen": "runs a shell",
    "getoutput": "runs a shell",
    "getstatusoutput": "runs a shell",
    "extractall": "unpacks to paths that the archive names",
    "extract": "unpacks to a path that the archive names",
    "unpack_archive": "unpacks to paths that the archive names",
}
MODULES = {"marshal", "shelve", "dill", "cloudpickle", "joblib"}  # read as they write: with programs in them
UNPICKLERS = {"load", "loads", "Unpickler", "_Unpickler"}


def dangers(source: str) -> set[str]:
    """What in a program runs or unpacks more than it may, by the name of the danger."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names if alias.name.split(".")[0] in MODULES}
            case ast.ImportFrom(module=str(module), names=names):
                found |= {module} if module.split(".")[0] in MODULES else set()
                if module in ("pickle", "os", "subprocess", "builtins", "importlib", "runpy"):
                    found |= {name.name for name in names if name.name in CALLS.keys() | UNPICKLERS}
            case ast.Attribute(value=ast.Name(id="pickle"), attr=name) if name in UNPICKLERS:
                found.add(f"pickle.{name}")
            case ast.Call(func=ast.Name(id=name)) if name in CALLS:
                found.add(name)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="re"), attr="compile")):
                pass
            case ast.Call(func=ast.Attribute(attr=name)) if name in CALLS and name != "compile":
                found.add(name)
            case ast.keyword(arg="allow_pickle" | "shell" as name, value=value) if _may_be_true(value):
                found.add(name)
            case ast.keyword(arg="weights_only", value=value) if not _is(value, True):
                found.add("weights_only")
    return found


def _is(node: ast.expr, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _may_be_true(node: ast.expr) -> bool:
    return not _is(node, False)


def test_the_package_runs_nothing_that_it_is_given():
    found = {
        (str(path.relative_to(PACKAGE)), danger)
        for path in PACKAGE.rglob("*.py")
        for danger in dangers(path.read_text(encoding="utf-8"))
    }
    assert found == EXCUSED


@pytest.mark.parametrize(
    ("line", "danger"),
    [
        ("np.load(path, allow_pickle=True)", "allow_pickle"),
        ("np.load(path, allow_pickle=flag)", "allow_pickle"),
        ("pickle.load(file)", "pickle.load"),
        ("class Mine(pickle.Unpickler): pass", "pickle.Unpickler"),
        ("from pickle import loads", "loads"),
        ("import joblib", "joblib"),
        ("from cloudpickle import load", "cloudpickle"),
        ("eval(text)", "eval"),
        ("def f():\n    exec(text)", "exec"),
        ("spec.loader.exec_module(module)", "exec_module"),
        ("importlib.import_module(text)", "import_module"),
        ("subprocess.run(text, shell=True)", "shell"),
        ("os.system(text)", "system"),
        ("from os import popen", "popen"),
        ("zipfile.ZipFile(path).extractall(folder)", "extractall"),
        ("tarfile.open(path).extract(name)", "extract"),
        ("shutil.unpack_archive(path)", "unpack_archive"),
        ("torch.load(path, weights_only=False)", "weights_only"),
    ],
)
def test_each_danger_would_be_found(line, danger):
    assert dangers(line) == {danger}


@pytest.mark.parametrize(
    "line",
    [
        "np.load(path, allow_pickle=False)",
        "pickle.dumps(content)",
        "re.compile(text)",
        "traced.lower().compile()",
        "subprocess.run(['git', 'status'], shell=False)",
        "torch.load(path, weights_only=True)",
    ],
)
def test_what_is_harmless_is_let_pass(line):
    assert dangers(line) == set()

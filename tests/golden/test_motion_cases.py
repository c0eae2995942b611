"""No case of the reference numbers lies there unread."""

import importlib.util
from pathlib import Path

from golden import motion_cases

TESTS = Path(__file__).parents[1]
# The tests that go through cases by their parameter `name`.
MODULES = (
    "losses/test_classification.py",
    "models/test_fusion.py",
    "models/test_i3dwtrans.py",
    "models/test_inception.py",
    "models/test_recoupling.py",
    "models/test_temporal_network.py",
    "models/test_transformer.py",
    "models/test_video_layers.py",
    "preprocess/test_dynamic_image.py",
    "preprocess/test_video.py",
)
# Lists of many small questions, which the tests of sampling and of schedules read whole.
LISTS = {"frame_sampling", "schedules"}
# The files that it describes are read in weights/test_pytorch.py.
UNREAD = {"checkpoint_format"}


def names_in(path: str) -> set[str]:
    """What stands for the parameter `name` of the tests in a file."""
    spec = importlib.util.spec_from_file_location(f"names_in_{Path(path).stem}", TESTS / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = set()
    for test in vars(module).values():
        for mark in getattr(test, "pytestmark", []):
            if mark.name == "parametrize" and mark.args[0] == "name":
                found |= {value if isinstance(value, str) else value.values[0] for value in mark.args[1]}
    return found


def test_every_case_is_asked_for():
    asked = set().union(*map(names_in, MODULES))
    assert asked | LISTS | UNREAD == set(motion_cases.all_names())


def test_every_case_has_its_file():
    stored = {path.stem for path in motion_cases.FOLDER.glob("*.npz")}
    assert stored == set(motion_cases.all_names()) - UNREAD

"""How a command ends, also where nobody listens to it any more."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import rgbd_jax

START = "import sys\nfrom rgbd_jax.command import run_command\n"


@pytest.fixture(params=["", "1"], ids=["buffered", "unbuffered"])
def command(request):
    """Runs a command whose `main` is of these lines, with these streams; returns its status."""

    def command(*lines, **streams):
        program = "".join(f"    {line}\n" for line in lines)
        return subprocess.run(
            [sys.executable, "-c", f"{START}def main(argv):\n{program}run_command(main)"],
            env=os.environ | {"PYTHONUNBUFFERED": request.param},
            timeout=60,
            **streams,
        ).returncode

    return command


@pytest.fixture
def unread():
    """A pipe that nobody reads."""
    read, write = os.pipe()
    os.close(read)
    yield write
    os.close(write)


@pytest.fixture
def done(tmp_path):
    """What a command makes that comes to its end."""
    return tmp_path / "done"


SKIPS = (
    "from rgbd_jax.data.clip_errors import ClipErrors",
    "errors = ClipErrors('skip')",
    "errors.report('a', 'it is gone', of=10)",
    "errors.report('b', 'it is gone', of=10)",
)


def test_work_goes_on_where_nobody_reads_its_warnings(command, unread, done):
    assert command(*SKIPS, f"open('{done}', 'x')", stderr=unread) == 0
    assert done.exists()


def test_work_goes_on_when_its_terminal_has_gone(command, done):
    lines = (
        "import os, pty",
        "from tqdm import tqdm",
        "from rgbd_jax.report.logs import ProgressLine",
        "terminal, output = pty.openpty()",
        "os.dup2(output, 2); os.close(output)",
        "with ProgressLine(0, 4) as progress:",
        "    for step in tqdm(range(4), mininterval=0, disable=None, leave=False):",
        "        if step == 2: os.close(terminal)",
        "        progress.show(step, 0, {})",
    )
    assert command(*lines, *SKIPS, f"open('{done}', 'x')") == 0
    assert done.exists()


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["from rgbd_jax.errors import UserError", "raise UserError('no')"], 2),
        (["from rgbd_jax.errors import OutsideError", "raise OutsideError('no')"], 3),
        (["raise ValueError"], 1),
        (["sys.exit(5)"], 5),
    ],
)
def test_the_status_is_the_same_where_nobody_reads_the_message(command, unread, lines, status):
    assert command(*lines, stderr=unread, stdout=unread) == status


def test_who_reads_no_more_results_has_enough(command, unread, done):
    assert command("print('a result')", stdout=unread) == 0
    many = ("for _ in range(10_000): print('a result', flush=True)", f"open('{done}', 'x')")
    assert command(*many, stdout=unread) == 0
    assert not done.exists()


def test_another_pipe_that_breaks_is_trouble(command, unread):
    """Such as a loader's; also where nobody reads the output."""
    breaks = ("import os", "read, write = os.pipe()", "os.close(read)", "os.write(write, b'x')")
    assert command(*breaks) == 3
    assert command(*breaks, stdout=unread, stderr=unread) == 3


def test_results_that_find_no_room_are_trouble(command):
    with open("/dev/full", "w") as full:
        assert command("print('a result')", stdout=full) == 3


def test_all_say_what_they_have_to_say_in_the_same_way():
    """Else a message that nobody reads may end the work."""
    package = Path(rgbd_jax.__file__).parent
    speaking = {
        str(path.relative_to(package)) for path in package.rglob("*.py") if "stderr" in path.read_text()
    }
    # Beside `say`: the line of progress, which sees to that itself.
    assert speaking == {"leaving.py", "report/logs.py"}

"""GAP's own text files give the published prompts."""

import pytest

from rgbd_jax.errors import UserError
from rgbd_jax.text.gap_prompts import read_gap_prompts

PARTS = "wave; head up; hand open; arm raised; hip still; leg still; foot still\r\nrun; a; b; c; d; e; f"
SYNONYMS = "wave,wave hello, greet\nrun,sprint\n"


@pytest.fixture
def files(tmp_path):
    def write(parts, synonyms):
        paths = tmp_path / "parts.txt", tmp_path / "synonyms.txt"
        for path, text in zip(paths, (parts, synonyms), strict=True):
            path.write_bytes(text.encode())
        return paths

    return write


def test_the_published_strings(files):
    wave, run = read_gap_prompts(*files(PARTS, SYNONYMS)).classes
    assert wave.whole == ("wave", "wave hello", " greet")
    assert wave.parts == (
        "wave, head up",
        "wave hand open, arm raised",
        "wave, hip still",
        "wave, leg still, foot still",
    )
    assert run.name == "run"


@pytest.mark.parametrize(
    "parts, synonyms, message",
    [
        (PARTS.replace("; d;", ";"), SYNONYMS, "parts.txt, line 2: found 6 fields between semicolons"),
        (PARTS.replace("; d;", "; ;"), SYNONYMS, "parts.txt, line 2: the class 'run' lacks hip"),
        (PARTS, "wave,greet", "synonyms.txt: has 1 lines, "),
        (PARTS, "wave,greet\nwalk,go", "synonyms.txt, line 2: found the class 'walk'"),
    ],
)
def test_faults(files, parts, synonyms, message):
    with pytest.raises(UserError) as error:
        read_gap_prompts(*files(parts, synonyms))
    assert message in str(error.value)
    assert "\n" not in str(error.value)

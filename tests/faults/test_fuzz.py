"""Files that were changed at random are read, or refused in a proper way; fuzzing.py says which ways are."""

import pytest
from faults import fuzzing
from faults.fuzzing import trial, trials
from faults.readers import Reader, readers

from rgbd_jax.errors import UserError


@pytest.fixture(scope="module")
def all_readers(tmp_path_factory):
    return readers(tmp_path_factory.mktemp("beside"))


def test_what_is_in_order_is_read(all_readers, tmp_path):
    """Else all changes might be refused for one and the same reason."""
    for place, (name, reader) in enumerate(all_readers.items()):
        for number, content in enumerate(reader.examples):
            path = tmp_path / f"{place}_{number}" / reader.file
            assert trial(name, reader, path, content) is None, name
            if name not in ("journal", "frames"):  # these say nothing, or move their file
                path.write_bytes(content)
                reader.read(path)


@pytest.mark.parametrize(
    ("seconds", "cases"), [(6, 8), pytest.param(300, None, marks=pytest.mark.slow)], ids=["short", "long"]
)
def test_changed_files_are_read_or_refused(all_readers, tmp_path, seconds, cases):
    found = list(trials(all_readers, tmp_path, 20260101, seconds=seconds, cases=cases))
    faults = {fault.kind: repr(fault.error)[:200] for _, fault in found if fault is not None}
    assert not faults
    assert len(found) > len(all_readers)


@pytest.mark.parametrize(
    ("read", "fault"),
    [
        (lambda path: int(path.read_bytes()), ValueError),
        (lambda path: bytes(2**40), MemoryError),
        (lambda path: [bytes(2**20) for _ in iter(int, 1)], MemoryError),
        (lambda path: next(None for _ in iter(int, 1) if _), fuzzing.TooSlow),
    ],
    ids=["another exception", "too much memory", "more and more memory", "no end"],
)
def test_faults_are_found(read, fault, tmp_path, monkeypatch):
    monkeypatch.setattr(fuzzing, "SECONDS", 0.5)
    found = trial("a reader", Reader("file", [], read), tmp_path / "file", b"x")
    assert isinstance(found, fault)


def test_a_refusal_for_lack_of_memory_is_a_fault(tmp_path):
    def read(path):
        try:
            bytes(2**40)
        except MemoryError as error:
            raise UserError(f"{path}: is too large") from error

    assert isinstance(trial("a reader", Reader("file", [], read), tmp_path / "file", b"x"), MemoryError)

"""Changes single records where they lie, as a bug in a program that writes them or a bad disk would."""

from collections.abc import Callable
from pathlib import Path

from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter
from tensorflow_datasets.proto import tf_example_pb2

Example = tf_example_pb2.Example


def rewrite(folder: Path, split: str, changes: dict[int, Callable[[bytes], bytes]]) -> None:
    """Change the serialised records of a split, which is stored in one file, by their numbers."""
    (path,) = folder.glob(f"*-{split}.array_record-*")
    reader = ArrayRecordReader(str(path))
    records = reader.read_all()
    reader.close()
    writer = ArrayRecordWriter(str(path), "group_size:1,uncompressed")
    for number, record in enumerate(records):
        writer.write(changes.get(number, bytes)(record))
    writer.close()


def changing(change: Callable[[Example], None]) -> Callable[[bytes], bytes]:
    """Changes a record by its features."""

    def changed(record: bytes) -> bytes:
        example = Example.FromString(record)
        change(example)
        return example.SerializeToString()

    return changed


def without(feature: str) -> Callable[[bytes], bytes]:
    """Removes a feature."""
    return changing(lambda example: example.features.feature.pop(feature))


def with_label(label: int) -> Callable[[bytes], bytes]:
    """Sets the label, whatever is allowed."""

    def change(example: Example) -> None:
        example.features.feature["label"].int64_list.value[:] = [label]

    return changing(change)


def with_joints(change: Callable[[list[float]], list[float]]) -> Callable[[bytes], bytes]:
    """Changes the numbers of the joints, of frame after frame."""

    def changed(example: Example) -> None:
        numbers = example.features.feature["joints"].float_list.value
        numbers[:] = change(list(numbers))

    return changing(changed)


def with_frames(modality: str, change: Callable[[list[bytes]], list[bytes]]) -> Callable[[bytes], bytes]:
    """Changes the encoded frames of a modality."""

    def changed(example: Example) -> None:
        frames = example.features.feature[modality].bytes_list.value
        frames[:] = change(list(frames))

    return changing(changed)


def cut(record: bytes) -> bytes:
    """The first half of a record."""
    return record[: len(record) // 2]

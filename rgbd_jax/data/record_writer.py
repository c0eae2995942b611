"""Writes the records of a split one after another, in files of about a gigabyte.

TensorFlow Datasets' own writer gathers a split before it writes, and needs TensorFlow for one of more than a
gigabyte.
"""

from collections.abc import Iterable
from pathlib import Path

from array_record.python.array_record_module import ArrayRecordWriter
from tensorflow_datasets.core import naming
from tensorflow_datasets.core.splits import SplitInfo

MAX_FILE_BYTES = 2**30


def write_split(name: str, records: Iterable[bytes], files: naming.ShardedFileTemplate) -> SplitInfo:
    """Write the records of a split in their order.

    Args:
      name: of the split.
      records: serialised.
      files: how the files of the split are called.

    Returns:
      The split as `DatasetInfo.set_splits` wants it.

    Raises:
      OSError: a file cannot be written.
    """
    lengths, num_bytes, writer, room = [], 0, None, 0
    folder = Path(files.data_dir)
    for record in records:
        if writer is None or len(record) > room:
            if writer is not None:
                writer.close()
            # Until all are written it is not known how many there are, which is part of their names.
            writer = ArrayRecordWriter(str(folder / f"{name}.{len(lengths)}.unfinished"), "group_size:1")
            lengths.append(0)
            room = MAX_FILE_BYTES
        writer.write(record)
        lengths[-1] += 1
        num_bytes += len(record)
        room -= len(record)
    if writer is not None:
        writer.close()
    for index in range(len(lengths)):
        path = files.sharded_filepath(shard_index=index, num_shards=len(lengths))
        (folder / f"{name}.{index}.unfinished").rename(path)
    return SplitInfo(name=name, shard_lengths=lengths, num_bytes=num_bytes, filename_template=files)

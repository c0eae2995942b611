"""Writes the records of a split one after another, in files of about a gigabyte.

TensorFlow Datasets' own writer gathers a split before it writes, and needs TensorFlow for one of more than a
gigabyte.
"""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from array_record.python.array_record_module import ArrayRecordWriter
from tensorflow_datasets.core import naming
from tensorflow_datasets.core.splits import SplitInfo

from rgbd_jax.errors import one_line

MAX_FILE_BYTES = 2**30

# Records can be read one by one. Pictures are compressed already, and joints would become a tenth smaller for
# five times the time of writing them.
_OPTIONS = "group_size:1,uncompressed"


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
            # Until all are written it is not known how many there are, which is part of their names.
            path = str(folder / f"{name}.{len(lengths)}.unfinished")
            with _said_by_the_system():
                if writer is not None:
                    writer.close()
                writer = ArrayRecordWriter(path, _OPTIONS)
            lengths.append(0)
            room = MAX_FILE_BYTES
        with _said_by_the_system():
            writer.write(record)
        lengths[-1] += 1
        num_bytes += len(record)
        room -= len(record)
    if writer is not None:
        with _said_by_the_system():
            writer.close()
    for index in range(len(lengths)):
        path = files.sharded_filepath(shard_index=index, num_shards=len(lengths))
        (folder / f"{name}.{index}.unfinished").rename(path)
    return SplitInfo(name=name, shard_lengths=lengths, num_bytes=num_bytes, filename_template=files)


@contextlib.contextmanager
def _said_by_the_system() -> Iterator[None]:
    """Makes what ArrayRecord raises, such as for a full disk, the OSError that it is."""
    try:
        yield
    except RuntimeError as error:
        raise OSError(one_line(error)) from error

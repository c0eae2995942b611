"""From a data set's own files to ArrayRecord: what all data sets share.

A data set is a subclass that answers four questions: which classes are there, which items (clips) does the
source hold, to which split does an item belong, and what does it contain. Between them and this class stands
the kind of data, skeletons or video, which says what a record consists of. TensorFlow Datasets makes the
folder (of a temporary name that is renamed at the end) and describes what is in it; TensorFlow itself is not
imported and nothing is downloaded.
"""

import abc
import contextlib
import io
import os
import shutil
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import tensorflow_datasets as tfds
from tensorflow_datasets.core.example_serializer import ExampleSerializer
from tqdm import tqdm

from rgbd_jax.data.clip_errors import ON_ERROR
from rgbd_jax.data.left_out import LeftOut
from rgbd_jax.data.record_writer import write_split
from rgbd_jax.data.records import JOINT, split_names
from rgbd_jax.data.split import Split
from rgbd_jax.errors import OutsideError, UserError

# After so many seconds without a write a preparation is taken for dead: it may run on another machine, where
# its process cannot be asked.
ABANDONED_AFTER = 24 * 3600


class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Base class of all data sets.

    Records have the features `id` and `label`, then those of the clip, and stand in the order of `items`.
    """

    SUMMARY: ClassVar[str]
    CLASS_NAMES: ClassVar[tuple[str, ...]]
    PUBLISHED_SIZES: ClassVar[dict[str, int]]  # by split; what is prepared may be a part of it
    NEEDS_SOURCE: ClassVar[bool] = True  # False: it is generated
    NEEDS_ALL_SPLITS: ClassVar[bool] = True  # False: the source may lack some
    READING: ClassVar[tuple[str, ...]] = ()  # keys of config.data that say how a split is read
    READERS: ClassVar[int] = 1  # threads that read the source, and how many items they read ahead

    url_infos = None  # no downloads, no checksums of downloads

    @classmethod
    def folder(cls, data_dir: str | os.PathLike) -> Path:
        """Where the prepared data set lies."""
        return Path(data_dir) / cls.name / str(cls.VERSION)

    @classmethod
    def is_prepared(cls, data_dir: str | os.PathLike) -> bool:
        """Whether the records lie there, complete."""
        return (cls.folder(data_dir) / "dataset_info.json").is_file()

    @classmethod
    @abc.abstractmethod
    def open_split(cls, data_dir: str | os.PathLike, split: str, *, limit: int = 0, **reading: Any) -> Split:
        """Open a split of what is prepared; arguments and errors are those of `loader.open_split`."""

    def __init__(
        self,
        *,
        data_dir: str | os.PathLike,
        source: str | os.PathLike | None = None,
        on_error: str = "fail",
    ):
        """
        Args:
          data_dir: the folder of all prepared data sets.
          source: the data set's published top folder; needed to prepare and check, not to read.
          on_error: what preparing does about a faulty item: `fail` ends it, `skip` leaves the item out.

        Raises:
          ValueError: `on_error` is something else.
        """
        if on_error not in ON_ERROR:
            raise ValueError(f"on_error={on_error!r}: allowed are {', '.join(ON_ERROR)}")
        self.source = source
        self.on_error = on_error
        self.warnings: list[str] = []  # what was found in the source that is no fault
        self.num_left_out = 0  # of these, items that are no clips
        super().__init__(data_dir=data_dir)

    @property
    def class_names(self) -> tuple[str, ...]:
        """In label order."""
        return self.CLASS_NAMES

    @abc.abstractmethod
    def items(self) -> Sequence[Any]:
        """What the source holds, one item a clip, in a fixed order. UserError if it is not this data set."""

    @abc.abstractmethod
    def split_of(self, item: Any) -> str:
        """The split that an item belongs to; all of them with `JOINT` between, where splits share items.

        UserError if it belongs to none.
        """

    @abc.abstractmethod
    def read(self, item: Any) -> Any:
        """Read one item; the result has its `place` for messages, and `id` and `class_name`.

        UserError if it is faulty, LeftOut if it is no clip but no fault of the source either.
        """

    def pool(self) -> Executor:
        """Where the source is read."""
        return ThreadPoolExecutor(self.READERS)

    def reader(self) -> Callable[[Any], Any]:
        """What is called there, of an item. Where that is in other processes, it is sent to them."""
        return self.read

    def start_reading(self, item: Any, pool: Executor) -> Future:
        """What `read` is going to make of an item, of which a few are started ahead."""
        return pool.submit(self.reader(), item)

    @abc.abstractmethod
    def clip_features(self) -> dict[str, tfds.features.FeatureConnector]:
        """The features of a record beside `id` and `label`."""

    @abc.abstractmethod
    def clip_metadata(self) -> dict[str, Any]:
        """`info.metadata` before the first record, beside `left_out`, the number of items left out."""

    @abc.abstractmethod
    def record(self, sample: Any) -> dict[str, Any]:
        """The record of what `read` returned; what all records have in common goes to `info.metadata`."""

    def compare(self, sample: Any, split: str, seen: dict[Any, Any]) -> None:
        """See that what `read` returned agrees with what was read before it.

        Args:
          split: of the item, see `split_of`.
          seen: what must be known of those before it; empty before the first.

        Raises:
          UserError: a clip of this id was in the split already.
        """
        for name in split.split(JOINT):
            if (name, sample.id) in seen:
                raise UserError(
                    f"{sample.place}: the clip {sample.id} is in the split {name} already,"
                    f" by {seen[name, sample.id]}; once is allowed"
                )
            seen[name, sample.id] = sample.place

    def warnings_of(self, sample: Any) -> Iterable[str]:
        """What is to be said about what `read` returned, although it is no fault; one line each."""
        del sample
        return ()

    def leave_out(self, reason: LeftOut) -> None:
        """Take note of an item that is no clip, or faulty."""
        self.warnings.append(str(reason))
        self.num_left_out += 1
        self.info.metadata["left_out"] += 1

    def _reject(self, fault: UserError) -> None:
        """Leave a faulty item out, if that is wanted; else the fault is raised."""
        if self.on_error == "fail":
            raise fault
        self.leave_out(LeftOut(f"{fault}; the clip is left out"))

    def prepare(self) -> None:
        """Write the records. Nothing is left behind if it fails.

        What an earlier preparation left that was killed is removed first, when it is a day old.

        Raises:
          UserError: the source is faulty, or an item in it that must not be left out.
          OutsideError: the records cannot be written, or a process that reads is lost.
        """
        made = [folder for folder in Path(self.data_dir).parents if not folder.exists()]
        self._remove_abandoned()
        tfds.disable_progress_bar()  # it knows no totals; ours does
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # it announces a download
                self.download_and_prepare(
                    download_config=tfds.download.DownloadConfig(try_download_gcs=False),
                    file_format="array_record",
                )
        except OSError as error:
            if self.is_prepared(
                self._data_dir_root
            ):  # another process was faster, the rename found its folder
                return
            raise OutsideError(
                f"{self.data_dir}: cannot be written ({error.strerror or error}); nothing was saved"
            ) from error
        except BrokenExecutor as error:
            raise _lost_reader() from error
        finally:
            with contextlib.suppress(OSError):  # not empty: prepared, or another version is
                for folder in dict.fromkeys((Path(self.data_dir).parent, *made)):
                    folder.rmdir()

    def check(self) -> list[str]:
        """Read every item of the source and return one line for each fault. Writes nothing.

        Raises:
          OutsideError: a process that reads is lost.
        """
        faults, seen = [], {}
        with self.pool() as pool:
            for item, reading in self._read_all(self.items(), f"checking {self.name}", pool):
                try:
                    split, sample = self.split_of(item), reading.result()
                    self.compare(sample, split, seen)
                    self.warnings += self.warnings_of(sample)
                except LeftOut as reason:
                    self.leave_out(reason)
                except UserError as error:
                    faults.append(str(error))
                except BrokenExecutor as error:
                    raise _lost_reader() from error
        return faults

    def split_sizes(self) -> dict[str, int]:
        """The number of prepared clips of each split that there is."""
        sizes = Counter()
        for stored, info in self.info.splits.items():
            for split in stored.split(JOINT):
                sizes[split] += info.num_examples
        return {split: sizes[split] for split in self.PUBLISHED_SIZES or split_names(sizes) if split in sizes}

    def _remove_abandoned(self) -> None:
        for folder in Path(self.data_dir).parent.glob("incomplete.*"):
            with contextlib.suppress(OSError):  # it is being written or removed by another, or is not ours
                last_write = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
                if time.time() - last_write > ABANDONED_AFTER:
                    shutil.rmtree(folder)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.SUMMARY,
            features=tfds.features.FeaturesDict(
                {
                    "id": tfds.features.Text(),
                    "label": tfds.features.ClassLabel(names=self.class_names or None),
                    **self.clip_features(),
                }
            ),
            disable_shuffling=True,  # the loader shuffles; evaluation keeps the order of `items`
            metadata=tfds.core.MetadataDict({**self.clip_metadata(), "left_out": 0}),
        )

    def _make_download_manager(self, **_: Any) -> "_NoDownloads":
        return _NoDownloads()

    def _split_generators(self, dl_manager: "_NoDownloads", pool: Executor) -> dict[str, Iterator]:
        del dl_manager  # the data is here already
        items = defaultdict(list)
        for item in self.items():
            try:
                items[self.split_of(item)].append(item)
            except UserError as fault:
                self._reject(fault)
        found = split_names(items)
        if self.NEEDS_ALL_SPLITS and (empty := [name for name in self.PUBLISHED_SIZES if name not in found]):
            raise UserError(f"{self.source}: found no clips for the split {empty[0]}")
        seen = {}
        return {split: self._generate_examples(split, items[split], seen, pool) for split in items}

    def _generate_splits(
        self, dl_manager: "_NoDownloads", download_config: tfds.download.DownloadConfig
    ) -> list[tfds.core.SplitInfo]:
        del download_config
        features = self.info.features
        serializer = ExampleSerializer(features.get_serialized_info())
        with self.pool() as pool:
            written = [
                write_split(
                    split,
                    (serializer.serialize_example(features.encode_example(record)) for record in records),
                    self._get_filename_template(split_name=split),
                )
                for split, records in self._split_generators(dl_manager, pool).items()
            ]
        # All of a split may have been left out.
        written = [split for split in written if split.num_examples]
        if not written:
            raise UserError(f"{self.source}: found no clips{', all were left out' * bool(self.warnings)}")
        return written

    def _generate_examples(
        self, split: str, items: Sequence[Any], seen: dict[Any, Any], pool: Executor
    ) -> Iterator[dict[str, Any]]:
        for _, reading in self._read_all(items, f"preparing {self.name}, {split}", pool):
            try:
                sample = reading.result()
                self.compare(sample, split, seen)
            except LeftOut as reason:
                self.leave_out(reason)
                continue
            except UserError as fault:
                self._reject(fault)
                continue
            self.warnings += self.warnings_of(sample)
            yield {"id": sample.id, "label": sample.class_name, **self.record(sample)}

    def _read_all(self, items: Sequence[Any], activity: str, pool: Executor) -> Iterator[tuple[Any, Future]]:
        """Each item and what `read` makes of it, in order, with progress; a few are read ahead."""
        readings = self._read_ahead(items, pool)
        return iter(tqdm(readings, desc=activity, total=len(items), unit="clip", disable=None))

    def _read_ahead(self, items: Sequence[Any], pool: Executor) -> Iterator[tuple[Any, Future]]:
        ahead = deque()
        for item in items:
            ahead.append((item, self.start_reading(item, pool)))
            if len(ahead) > self.READERS:
                yield ahead.popleft()
        yield from ahead


class _NoDownloads:
    """In place of a download manager, which would read the checksums of all data sets that it knows."""

    downloaded_size = 0


def _lost_reader() -> OutsideError:
    return OutsideError("a process that reads the source was lost, such as to a lack of memory")

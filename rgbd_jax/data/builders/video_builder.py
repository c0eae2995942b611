"""What all video data sets share: where frames come from, how they are stored, what is looked at."""

import abc
import dataclasses
import functools
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from rgbd_jax.data import images
from rgbd_jax.data.builders.builder import Builder
from rgbd_jax.data.formats.clip_list import read_lines
from rgbd_jax.data.formats.frame_folder import FrameFolder
from rgbd_jax.data.formats.video_file import VideoFile
from rgbd_jax.data.records import JOINT, damaged, open_records
from rgbd_jax.data.sound_clips import FaultyClip, FrameCheck, check_lengths
from rgbd_jax.data.video_split import FrameFormat, VideoSplit, choose_formats
from rgbd_jax.errors import UserError
from rgbd_jax.numbered_lines import Line

MODALITIES = ("rgb", "depth")

# Where the frames of a clip lie, by modality.
Sources = Mapping[str, FrameFolder | VideoFile]


class Item(NamedTuple):
    """A line of a list of the source, with the layout (a key of `LISTS`) and the split it belongs to."""

    layout: str
    split: str
    line: Line


@dataclasses.dataclass(frozen=True)
class ClipFiles:
    """Where a clip lies.

    Attributes:
      place: the file and line of the list that names it, for messages.
      id: the same in every modality.
      class_name: of the clip.
      frames: by modality.
    """

    place: str
    id: str
    class_name: str
    frames: Sources


class StoredFrame(NamedTuple):
    """A frame as it goes to the record.

    `without_person` is the file in which a person was sought in vain, empty where there was none to seek.
    """

    modality: str
    image: np.ndarray
    encoded: bytes
    without_person: str = ""


@dataclasses.dataclass(frozen=True)
class VideoClip:
    """One clip as it goes to the record.

    Attributes:
      place, id, class_name: see `ClipFiles`.
      frames: image files by modality.
      formats: the largest frame by modality.
      without_person: by modality, the files in which a person was sought in vain; the frames were cropped
        about their centre.
    """

    place: str
    id: str
    class_name: str
    frames: Mapping[str, list[bytes]]
    formats: Mapping[str, FrameFormat]
    without_person: Mapping[str, list[str]]


class VideoBuilder(Builder, skip_registration=True):
    """Base class of the video data sets; a subclass says in `files` where the frames of an item are.

    Records have the encoded frames of each modality: image files as they were published, or JPEG of quality
    95 of the frames of a video. `info.metadata` keeps the largest frame of each modality (`formats`: height,
    width, channels), the longest clip (`max_frames`), what was done to the frames (`preparation`) and in how
    many of each modality a person was sought in vain (`frames_without_person`). A modality that the source
    lacks altogether is left out.
    """

    MODALITIES: ClassVar[tuple[str, ...]] = MODALITIES
    # By layout of the source and by split: where its list may be, relative to the source.
    LISTS: ClassVar[dict[str, dict[str, tuple[str, ...]]]]
    PREPARATION: ClassVar[dict[str, Any]] = {"jpeg_quality": images.JPEG_QUALITY}
    NEEDS_ALL_SPLITS = False
    READING = ("modalities", "num_frames")
    # Modalities whose frames are cut out about people one by one, so that a clip has some of several sizes;
    # and those that are 0 where nobody was found, so that a clip of zeros is no fault.
    CUT_OUT: ClassVar[tuple[str, ...]] = ()
    MASKED: ClassVar[tuple[str, ...]] = ()
    READERS = os.cpu_count() or 1

    @classmethod
    def open_split(
        cls,
        data_dir: str | os.PathLike,
        split: str,
        *,
        limit: int = 0,
        modalities: Sequence[str] = (),
        num_frames: int = 64,
    ) -> VideoSplit:
        """Open a split of what is prepared; arguments and errors are those of `loader.open_split`.

        Args:
          modalities: what is read of a clip, `rgb`, `depth` or both; all that is prepared if empty.
          num_frames: how many frames of a clip are sampled.
        """
        folder = cls.folder(data_dir)
        info, records = open_records(folder, split, limit=limit)
        class_names = info.features["label"].names
        if not class_names:
            raise damaged(folder / "label.labels.txt", "there are no class names")
        try:
            prepared = {name: FrameFormat(*size) for name, size in info.metadata["formats"].items()}
        except (KeyError, TypeError, AttributeError) as error:
            found = info.metadata.get("formats")
            raise damaged(folder / "metadata.json", f"formats is {found!r}") from error
        return VideoSplit(
            name=cls.name,
            version=str(cls.VERSION),
            split=split,
            source=records,
            class_names=tuple(class_names),
            num_frames=num_frames,
            formats=choose_formats(prepared, modalities, f"{cls.name} in {folder}"),
            cut_out=cls.CUT_OUT,
            masked=cls.MASKED,
        )

    @property
    def root(self) -> Path:
        """The source folder."""
        return Path(self.source)

    def items(self) -> list[Item]:
        for layout, lists in self.LISTS.items():
            found = {split: self._first_file(places) for split, places in lists.items()}
            items = [
                Item(layout, split, line)
                for split, path in found.items()
                if path is not None
                for line in read_lines(path)
            ]
            if items:
                return items
        wanted = " or ".join(next(iter(lists.values()))[0] for lists in self.LISTS.values())
        raise UserError(
            f"--source={self.source}: there is no list of clips, such as {wanted}; see docs/data_sets.md"
        )

    def split_of(self, item: Item) -> str:
        return item.split

    @abc.abstractmethod
    def files(self, item: Item) -> ClipFiles:
        """Where the frames of an item are. UserError if the list does not say it properly."""

    @classmethod
    def frames(cls, sources: Sources, modalities: Sequence[str]) -> Iterator[StoredFrame]:
        """The frames of a clip as they are to be stored, of one modality in their order."""
        for modality in modalities:
            for image, content in sources[modality].read():
                yield StoredFrame(modality, image, content or images.encode_jpeg(image))

    @functools.cached_property
    def modalities(self) -> tuple[str, ...]:
        """Those that the source has; all of the data set if it has none, so that what is missing is named."""
        found = set()
        for item in self.items():
            try:
                sources = self.files(item).frames
            except UserError:
                continue  # is said where the item is read
            found |= {name for name, source in sources.items() if name not in found and source.exists()}
            if len(found) == len(self.MODALITIES):
                break
        return tuple(name for name in self.MODALITIES if name in found) or self.MODALITIES

    def read(self, item: Item) -> VideoClip:
        files = self.files(item)
        try:
            return self.read_files(files, self.modalities)
        except UserError as error:
            raise UserError(f"{files.place}: {error}") from error

    @classmethod
    def read_files(cls, files: ClipFiles, modalities: Sequence[str]) -> VideoClip:
        """The clip that lies there. UserError, without the place, if a frame cannot be read, or the clip is
        not sound."""
        frames = {modality: [] for modality in modalities}
        formats, without_person = {}, defaultdict(list)
        check = FrameCheck(cls.CUT_OUT, cls.MASKED)
        try:
            for modality, image, encoded, sought_in in cls.frames(files.frames, modalities):
                check.add(modality, len(frames[modality]), image)
                frames[modality].append(encoded)
                formats[modality] = _larger(formats.get(modality), FrameFormat(*image.shape))
                if sought_in:
                    without_person[modality].append(sought_in)
            check_lengths({modality: len(stored) for modality, stored in frames.items()})
            check.end()
        except FaultyClip as fault:
            raise UserError(str(fault)) from fault
        return VideoClip(files.place, files.id, files.class_name, frames, formats, without_person)

    def compare(self, sample: VideoClip, split: str, seen: dict[Any, Any]) -> None:
        """As of every data set; and measured depth does not go together with depth painted as colour."""
        super().compare(sample, split, seen)
        for modality, frame_format in sample.formats.items():
            kind = images.KINDS[frame_format.channels]
            known, place = seen.setdefault(modality, (kind, sample.place))
            if kind != known:
                raise UserError(
                    f"{sample.place}: the {modality} is {kind}, that of {place} is {known};"
                    " one kind in a data set is allowed"
                )

    def warnings_of(self, sample: VideoClip) -> Iterable[str]:
        if 1 in map(len, sample.frames.values()):
            yield f"{sample.place}: the clip has one frame, which will be repeated"
        for modality, files in sample.without_person.items():
            yield (
                f"{sample.place}: {len(files)} frames of {modality} without a person were cropped about"
                f" their centre; none was found in {files[0]}{' and others' * (len(files) > 1)}"
            )

    def _first_file(self, places: Iterable[str]) -> Path | None:
        paths = (self.root / place for place in places)
        return next((path for path in paths if path.is_file()), None)

    def clip_features(self) -> dict[str, tfds.features.FeatureConnector]:
        frames = tfds.features.Sequence(tfds.features.Scalar(np.object_))
        return dict.fromkeys(self.MODALITIES, frames)

    def clip_metadata(self) -> dict[str, Any]:
        return {
            "max_frames": 0,
            "formats": {},
            "frames_without_person": {},
            "preparation": self.PREPARATION,
        }

    def record(self, sample: VideoClip) -> dict[str, Any]:
        metadata = self.info.metadata
        metadata["max_frames"] = max(metadata["max_frames"], *map(len, sample.frames.values()))
        for modality, files in sample.without_person.items():
            known = metadata["frames_without_person"].get(modality, 0)
            metadata["frames_without_person"][modality] = known + len(files)
        for modality, frame_format in sample.formats.items():
            known = metadata["formats"].get(modality)
            metadata["formats"][modality] = list(_larger(known, frame_format))
        return {modality: sample.frames.get(modality, []) for modality in self.MODALITIES}


def merged(items: Iterable[Item]) -> list[Item]:
    """One item for each clip, where the lists of several protocols name the same clips by the same line."""
    splits, first = defaultdict(list), {}
    for item in items:
        columns = tuple(item.line.text.split())
        splits[columns].append(item.split)
        first.setdefault(columns, item)
    return [item._replace(split=JOINT.join(splits[columns])) for columns, item in first.items()]


def _larger(known: Sequence[int] | None, frame_format: FrameFormat) -> FrameFormat:
    """The smallest format that holds frames of both, which are of one kind."""
    return frame_format if known is None else FrameFormat(*map(max, known, frame_format))

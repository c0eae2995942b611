"""Video clips as rows of a batch: of the stored frames, only those that are sampled are decoded."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from rgbd_jax.data import images
from rgbd_jax.data.records import Record
from rgbd_jax.data.sampling import sample_frames
from rgbd_jax.data.sound_clips import FaultyClip, FrameCheck, check_lengths
from rgbd_jax.data.split import Row, Split
from rgbd_jax.errors import UserError


class FrameFormat(NamedTuple):
    """The frames of one modality of a data set.

    Attributes:
      height, width: of the largest frame in it.
      channels: 3, uint8, of colour (red first) or of depth painted as colour; 1, uint16, of depth as it was
        measured.
    """

    height: int
    width: int
    channels: int

    @property
    def dtype(self) -> type[np.generic]:
        return np.uint16 if self.channels == images.DEPTH else np.uint8


Formats = Mapping[str, FrameFormat]


def choose_formats(formats: Formats, modalities: Sequence[str], place: str) -> Formats:
    """Those of the modalities that are to be read, all of them if none is named.

    Args:
      formats: of the data set, by modality.
      modalities: `config.data.modalities`.
      place: what the data set is called in messages.

    Raises:
      UserError: the data set lacks one.
    """
    if lacking := [name for name in modalities if name not in formats]:
        raise UserError(
            f"config.data.modalities={tuple(modalities)}: {place} has no {lacking[0]};"
            f" it has {', '.join(formats)}"
        )
    return {name: formats[name] for name in modalities or formats}


@dataclasses.dataclass(frozen=True)
class VideoSplit(Split):
    """Records with the encoded frames of each modality, `rgb` and `depth`.

    Attributes:
      num_frames: T, how many frames of a clip are sampled.
      formats: the frames of each modality that is read, over all splits of the data set.
      cut_out: modalities whose frames were cut out about people, so that a clip has some of several sizes.
      masked: modalities that are 0 where nobody was found, in all frames perhaps.
    """

    num_frames: int
    formats: Formats
    cut_out: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()

    @property
    def modalities(self) -> tuple[str, ...]:
        """What is read of a clip: `rgb`, `depth` or both."""
        return tuple(self.formats)

    @property
    def channels(self) -> dict[str, int]:
        return {name: size.channels for name, size in self.formats.items()}

    def clip_row(self, record: Record) -> Row:
        """Sampled frames, zeros beyond the border of those that are smaller than the largest.

        In training the frames are drawn with the random number of the record, in evaluation each is the
        middle one of its segment; all modalities show the same frames. Those of a clip have one size, unless
        they were cut out one by one.

        Returns:
          For each modality uint8 (T, H, W, 3) or uint16 (T, H, W, 1), and `<modality>_size` int32 (T, 2),
          height and width of each frame; `length` int32, how many frames the recording has.
        """
        return self._decoded(record, FrameCheck(self.cut_out, self.masked))

    def sound_row(self, record: Record) -> Row:
        """See `clip_row`; the modalities have equally many frames, and of those that are sampled of each one
        shows something."""
        check_lengths({modality: len(record[modality]) for modality in self.formats})
        check = FrameCheck(self.cut_out, self.masked)
        row = self._decoded(record, check)
        check.end()
        return row

    def empty_clip(self) -> Record:
        return {modality: [] for modality in self.formats}

    def _decoded(self, record: Record, check: FrameCheck) -> Row:
        """The row of a clip, whose sampled frames `check` sees."""
        available = min(len(record[modality]) for modality in self.formats)
        numbers = []
        if available:
            rng = np.random.default_rng(record["seed"]) if "seed" in record else None
            numbers = sample_frames(available, self.num_frames, rng)
        row = {"length": np.int32(available)}
        for modality, frame_format in self.formats.items():
            frames = np.zeros((self.num_frames, *frame_format), frame_format.dtype)
            sizes = np.zeros((self.num_frames, 2), np.int32)
            for place, number in enumerate(numbers):
                if place and number == numbers[place - 1]:  # of a short clip, frames come several times
                    frames[place], sizes[place] = frames[place - 1], sizes[place - 1]
                    continue
                try:
                    frame = images.decode(record[modality][number], frame_format.channels, frames[place])
                except ValueError as error:
                    raise FaultyClip(f"{modality}, frame {number}: {error}") from error
                check.add(modality, number, frame)
                height, width, _ = frame.shape
                if height > frame_format.height or width > frame_format.width:
                    raise FaultyClip(
                        f"{modality}, frame {number}: found {width}×{height}; at most"
                        f" {frame_format.width}×{frame_format.height} is needed, the data set's largest"
                    )
                if not np.may_share_memory(frame, frames):  # it is not in its place already
                    frames[place, :height, :width] = frame
                sizes[place] = height, width
            row |= {modality: frames, f"{modality}_size": sizes}
        return row

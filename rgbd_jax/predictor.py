"""From a checkpoint to what is done in recordings of one's own.

    recording -> part of it -> row, as of evaluation -> [ normalise -> network -> logits ] -> classes

What stands in brackets is the compiled step of evaluation, for one clip at a time: the same shapes are
compiled once.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from rgbd_jax.config import ConfigArguments, from_dict
from rgbd_jax.data import images
from rgbd_jax.data.video_split import FrameFormat
from rgbd_jax.errors import UserError
from rgbd_jax.experiment import compiled_evaluation, trained_network
from rgbd_jax.recordings import (
    FPS,
    Given,
    Recording,
    VideoReader,
    check_fps,
    make_reader,
    parse_given,
)
from rgbd_jax.recordings.video import check_frames
from rgbd_jax.report.predictions import Prediction
from rgbd_jax.report.timeline import Segment, segments, smooth, windows
from rgbd_jax.tasks.task import Outputs, whole_logits
from rgbd_jax.training import sharding
from rgbd_jax.training.checkpoint import describe
from rgbd_jax.training.checkpoint_folders import resolve

# A window of a timeline lasts at least so long where the network sees few frames of a clip.
SHORTEST_WINDOW = 2.0  # seconds
SMOOTHING = 3

_NO_ARGUMENTS = ConfigArguments(None, ())


class Predictor:
    """A trained network that recognises what is done in a recording.

    Attributes:
      checkpoint: the folder that it comes from.
      class_names: what it tells apart.
      reader: reads recordings for it.
    """

    def __init__(
        self,
        path: str | os.PathLike,
        which: str = "newest",
        config_arguments: ConfigArguments = _NO_ARGUMENTS,
    ):
        """
        Args:
          path: a run, one of its checkpoints, or a converted folder.
          which: of a run, the `newest` or the `best` checkpoint.
          config_arguments: overrides of the checkpoint's config.

        Raises:
          UserError: there is no checkpoint, or none that this version reads.
        """
        self.checkpoint = resolve(Path(path), which)
        description = describe(self.checkpoint)
        config = config_arguments.load(default=from_dict(description.config))
        self.class_names = description.class_names
        self.reader = make_reader(config, self.class_names, description.channels)
        self._mesh = sharding.make_mesh(jax.local_devices()[:1])
        self._epoch = description.epoch
        task, network, self._weights = trained_network(config, self.reader.split, self.checkpoint, self._mesh)

        def logits_of(inputs: Any, outputs: Outputs, epoch: jax.Array) -> jax.Array:
            del inputs
            return whole_logits(task.logits(outputs, epoch))

        self._step = compiled_evaluation(config, task, network, self._mesh, logits_of)

    def read(self, clip: Any, *, fps: float | None = None) -> Recording:
        """Read a recording.

        Args:
          clip: a path, as on the command line (`COLOUR,DEPTH` are two, `PATH:FROM:TO` is a part); an array;
            or, of colour and depth, a pair of paths or arrays. Arrays are joints (T, V, 3) or (T, M, V, 3) in
            metres, colour uint8 (T, H, W, 3), or depth, uint16 (T, H, W) as measured or painted as colour.
            What has been read is taken as it is.
          fps: frames a second; what the file states, or 30, if None.

        Raises:
          UserError: it cannot be read, or is not what the network was trained on; or `fps` is not above 0.
        """
        if isinstance(clip, Recording):
            return clip
        if fps is not None:
            check_fps(fps)
        if isinstance(clip, str | os.PathLike):
            clip = parse_given(os.fspath(clip))
        elif isinstance(clip, tuple) and all(isinstance(part, str | os.PathLike) for part in clip):
            clip = Given.of_paths(clip)
        return self.reader.read(clip, fps)

    def predict(self, clip: Any) -> Prediction:
        """What is done in a clip, which is taken as a whole; see `read` for what it may be."""
        recording = self.read(clip)
        batch = sharding.put_batch(self.reader.row(recording), self._mesh)
        logits = self._step(*self._weights, batch, self._epoch)
        return Prediction.of(self.class_names, np.asarray(logits)[0])

    def timeline(
        self,
        clip: Any,
        *,
        window: int | None = None,
        stride: int | None = None,
        smoothing: int = SMOOTHING,
    ) -> list[Segment]:
        """What is done when in a long recording, by windows that slide over it.

        Args:
          clip: see `read`.
          window: frames of a window, as long as the clips of the training were; if None, those that the
            network sees of a clip, and at least two seconds.
          stride: frames from one window to the next; half a window if None.
          smoothing: over so many windows, an odd number, probabilities are averaged.

        Raises:
          UserError: see `read`; or a number is not allowed, or there is nobody in any window.
        """
        recording = self.read(clip)
        window, stride = self._lengths(window, stride, smoothing, recording.fps)
        all_parts = windows(recording.num_frames, window, stride)
        parts = [part for part in all_parts if not self.reader.is_empty(recording.part(*part))]
        if not parts:
            raise UserError(
                f"{recording.name}: found nobody in any of the {len(all_parts)} windows of window={window}"
                f" and stride={stride}; smaller strides or larger windows are needed"
            )
        probabilities = np.stack(
            [
                self.predict(recording.part(*part)).probabilities
                for part in tqdm(parts, desc=recording.name, unit="window", disable=None, leave=False)
            ]
        )
        return segments(
            parts,
            smooth(probabilities, smoothing),
            self.class_names,
            num_frames=recording.num_frames,
            fps=recording.fps,
        )

    def stream(
        self,
        frames: Iterable[np.ndarray],
        *,
        window: int | None = None,
        stride: int | None = None,
        smoothing: int = SMOOTHING,
        fps: float = FPS,
    ) -> Iterator[Prediction]:
        """What is done at the moment, from frames as they come, uint8 (H, W, 3), red first.

        The arguments are those of `timeline`; here the last windows are averaged. `fps`, frames a second,
        says how many are two seconds.

        Yields:
          What is done in the last frames, after every `stride` of them from the first full window on.

        Raises:
          UserError: the network does not read colour alone; or a number or a frame is not allowed.
        """
        if not isinstance(self.reader, VideoReader) or self.reader.modalities != ("rgb",):
            raise UserError("a camera: gives colour alone, which this network does not read")
        check_fps(fps)
        window, stride = self._lengths(window, stride, smoothing, fps)
        seen, probabilities, shape = deque(maxlen=window), deque(maxlen=smoothing), None
        for number, frame in enumerate(frames, start=1):
            (frame,) = check_frames(np.asarray(frame)[None], "rgb")
            shape = shape or frame.shape
            if frame.shape != shape:
                raise UserError(f"frame {number}: has the shape {frame.shape}; those before have {shape}")
            seen.append(images.encode_jpeg(frame))
            if number >= window and (number - window) % stride == 0:
                formats = {"rgb": FrameFormat(*frame.shape)}
                found = self.predict(Recording("camera", {"rgb": list(seen)}, fps, formats))
                probabilities.append(found.probabilities)
                with np.errstate(divide="ignore"):  # of what is impossible
                    yield Prediction.of(self.class_names, np.log(np.mean(probabilities, axis=0)))

    def _lengths(self, window: int | None, stride: int | None, smoothing: int, fps: float) -> tuple[int, int]:
        """Window and stride, where they are not given by default; UserError if a number is not allowed."""
        window = max(self.reader.window, round(SHORTEST_WINDOW * fps)) if window is None else window
        stride = max(window // 2, 1) if stride is None else stride
        for name, value in (("window", window), ("stride", stride)):
            if value < 1:
                raise UserError(f"{name}={value}: a number of frames is needed, 1 or more")
        if smoothing < 1 or smoothing % 2 == 0:
            raise UserError(f"smoothing={smoothing}: an odd number of windows is needed, 1 for none")
        return window, stride

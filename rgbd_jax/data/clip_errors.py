"""What is done about faulty clips: the run ends, or goes on without them, and says so."""

from pathlib import Path
from typing import Any

from rgbd_jax.errors import OutsideError
from rgbd_jax.json_lines import add_object, is_number, read_objects
from rgbd_jax.leaving import say

# What can be done about them: by `data.on_error` in training, by --on_error in preparation.
ON_ERROR = ("fail", "skip")


class ClipErrors:
    """Names each faulty clip of a split once.

    One object serves all batches of a run, so that what was named in an earlier epoch, or before the run was
    resumed, is not named again. Where several processes share the work, each has its own, and they tell each
    other their `news` at the next save: what ends the run before that, the limit too, leaves what others than
    the writing process have met since the last on standard error alone.

    Attributes:
      step: of the training, for which clips are asked for; who trains keeps it up to date.
    """

    def __init__(
        self,
        on_error: str = "fail",
        path: Path | None = None,
        split: str = "",
        *,
        max_share: float = 1.0,
        writes: bool = True,
    ):
        """
        Args:
          on_error: `fail`, the first faulty clip raises an OutsideError; `skip`, it is left out.
          path: file that gets a line `{"split", "id", "reason", "step"}` for each that is left out; those of
            the split that it has already count as named. The splits of a run share it.
          split: what the clips are of.
          max_share: of a split's clips, how many may be left out.
          writes: whether this process adds lines to the file; where several share the work, only one does.

        Raises:
          ValueError: `on_error` is something else.
          UserError: the file cannot be read, or a line of it is no clip.
        """
        if on_error not in ON_ERROR:
            raise ValueError(f"on_error={on_error!r}: allowed are {', '.join(ON_ERROR)}")
        self.step = 0
        self._on_error = on_error
        self._path = path
        self._split = split
        self._max_share = max_share
        self._writes = writes
        self._news: list[tuple[str, str, int]] = []
        self._steps: dict[str, int] = {}
        if path is not None and path.exists():
            lines = read_objects(path, _is_clip, what="clip that was left out")
            # Absent: written before steps were.
            self._steps = {line["id"]: line.get("step", 0) for line in lines if line["split"] == split}

    @property
    def ids(self) -> tuple[str, ...]:
        """The clips that were left out; a record that does not give its id is `record N of SPLIT`."""
        return tuple(self._steps)

    def count(self) -> int:
        """How many were left out up to this step. A run that goes on may know of some of later steps."""
        return sum(step <= self.step for step in self._steps.values())

    def report(self, clip: str, reason: str, *, of: int) -> None:
        """Take note of a faulty clip of a split of so many clips.

        Raises:
          OutsideError: it must not be left out, too many would be, or all are; or the file cannot be written.
        """
        if self._on_error == "fail":
            raise OutsideError(f"{reason}; with data.on_error=skip it is left out, see data.max_unreadable")
        if clip not in self._steps:
            self._news.append((clip, reason, self.step))
            say(f"warning: {reason}; the clip is left out")
        self.learn(clip, reason, self.step, of=of)

    def news(self) -> list[tuple[str, str, int]]:
        """The clips that were reported since this was last asked for, with the reasons and the steps."""
        told, self._news = self._news, []
        return told

    def learn(self, clip: str, reason: str, step: int, *, of: int) -> None:
        """Take note of a faulty clip that is left out, in silence: another process may have reported it.

        Raises:
          OutsideError: too many would be left out, or all are; or the file cannot be written.
        """
        if clip not in self._steps:
            self._steps[clip] = step
            if self._path is not None and self._writes:
                line = {"split": self._split, "id": clip, "reason": reason, "step": step}
                add_object(self._path, line)
        count = len(self._steps)
        if count == of:
            raise OutsideError(f"none of {of} clips can be used, the last one: {reason}")
        if count / of > self._max_share:
            raise OutsideError(
                f"{count} of {of} clips cannot be used, the last one: {reason};"
                f" data.max_unreadable={self._max_share} allows no more than that share"
            )


def _is_clip(line: dict[str, Any]) -> bool:
    texts = (line[name] for name in ("split", "id", "reason"))
    return all(isinstance(text, str) for text in texts) and is_number(line.get("step", 0))

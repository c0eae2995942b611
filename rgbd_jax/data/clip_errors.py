"""What is done about clips that cannot be read: the run ends, or goes on without them, and says so."""

import sys
from pathlib import Path

from tqdm import tqdm

from rgbd_jax.errors import OutsideError
from rgbd_jax.json_lines import add_object, read_objects

# What can be done about them: by `data.on_error` in training, by --on_error in preparation.
ON_ERROR = ("fail", "skip")

_OVERWRITE = "\r\x1b[K"  # a line of progress may stand where a warning is to go


class ClipErrors:
    """Names each unreadable clip of a split once.

    One object serves all batches of a run, so that what was named in an earlier epoch, or before the run was
    resumed, is not named again.
    """

    def __init__(
        self, on_error: str = "fail", path: Path | None = None, split: str = "", *, max_share: float = 1.0
    ):
        """
        Args:
          on_error: `fail`, the first unreadable clip raises an OutsideError; `skip`, it is left out.
          path: file that gets a line `{"split", "id", "reason"}` for each that is left out; those of the
            split that it has already count as named. The splits of a run share it.
          split: what the clips are of.
          max_share: of a split's clips, how many may be left out.

        Raises:
          ValueError: `on_error` is something else.
          UserError: the file cannot be read, or a line of it is no clip.
        """
        if on_error not in ON_ERROR:
            raise ValueError(f"on_error={on_error!r}: allowed are {', '.join(ON_ERROR)}")
        self._on_error = on_error
        self._path = path
        self._split = split
        self._max_share = max_share
        self._reasons: dict[str, str] = {}
        if path is not None and path.exists():
            lines = read_objects(path, _is_clip, what="clip that was left out")
            self._reasons = {line["id"]: line["reason"] for line in lines if line["split"] == split}

    @property
    def ids(self) -> tuple[str, ...]:
        """The clips that were left out; a record that does not give its id is `record N of SPLIT`."""
        return tuple(self._reasons)

    def report(self, clip: str, reason: str, *, of: int) -> None:
        """Take note of an unreadable clip of a split of so many clips.

        Raises:
          OutsideError: it must not be left out, or too many would be; or the file cannot be written.
        """
        if self._on_error == "fail":
            raise OutsideError(f"{reason}; with data.on_error=skip it is left out, see data.max_unreadable")
        if clip not in self._reasons:
            self._reasons[clip] = reason
            if self._path is not None:
                add_object(self._path, {"split": self._split, "id": clip, "reason": reason})
            start = _OVERWRITE if sys.stderr.isatty() else ""
            tqdm.write(f"{start}warning: {reason}; the clip is left out", file=sys.stderr)
        count = len(self._reasons)
        if count / of > self._max_share:
            raise OutsideError(
                f"{count} of {of} clips cannot be read, the last one: {reason};"
                f" data.max_unreadable={self._max_share} allows no more than that share"
            )


def _is_clip(line: dict[str, str]) -> bool:
    return all(isinstance(line[name], str) for name in ("split", "id", "reason"))

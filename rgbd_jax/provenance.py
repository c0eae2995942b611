"""What a program ran on: when, on which devices, with which versions and which commit of this code.

A run notes it in `sessions.jsonl` each time that its training is begun or gone on with.
"""

import datetime
import importlib.metadata
import platform
import subprocess
from pathlib import Path
from typing import Any

import jax

from rgbd_jax import __version__
from rgbd_jax.json_lines import add_object, read_objects

SESSIONS = "sessions.jsonl"

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
_PATIENCE = 10.0  # seconds that git may take


def surroundings() -> dict[str, Any]:
    """What this process runs on.

    Returns:
      started: the time of the call, UTC, to the second.
      device: number and kind.
      processes: how many share the work.
      versions: of this project, Python and the packages that compute.
      commit: of the checkout that this code is run from, with a word if that has changes; "" if it is not run
        from one.
    """
    return {
        "started": f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M:%S}",
        "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
        "processes": jax.process_count(),
        "versions": {"rgbd_jax": __version__, "python": platform.python_version()}
        | {name: importlib.metadata.version(name) for name in _PACKAGES},
        "commit": commit_of(Path(__file__).parent),
    }


def record_session(run: Path, step: int) -> None:
    """Add this process to the sessions of a run, which goes on after `step`.

    Raises:
      OutsideError: if the disk refuses.
    """
    add_object(run / SESSIONS, {"step": step} | surroundings())


def read_sessions(run: Path) -> list[dict[str, Any]]:
    """The sessions of a run, first to last; none if it does not say.

    Raises:
      UserError: if they cannot be read, or a line is none.
    """
    path = run / SESSIONS
    return read_objects(path, _is_session, what="session of a run") if path.exists() else []


def _is_session(session: dict[str, Any]) -> bool:
    if not isinstance(session["step"], int) or not isinstance(session["versions"], dict):
        return False
    texts = (session["started"], session["device"], session.get("commit", ""), *session["versions"].values())
    return all(isinstance(text, str) for text in texts)


def commit_of(folder: Path) -> str:
    """The commit of the checkout that `folder` belongs to, with a word if files of it were changed.

    Returns:
      "" if git knows nothing of the folder: a package that was installed may lie inside another's checkout.
    """
    if _git(folder, "ls-files", "--error-unmatch", "__init__.py") is None:
        return ""
    commit = _git(folder, "rev-parse", "HEAD")
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return f"{commit} with changes" if commit and changes else commit or ""


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints; None if it fails or is not there."""
    try:
        ended = subprocess.run(
            # Without a lock: a commit that is made meanwhile must not fail because a training begins.
            ["git", "--no-optional-locks", "-C", folder, *arguments],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return ended.stdout.strip()

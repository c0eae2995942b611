"""What all commands share: an argument parser with one-line errors, and the exit status."""

import argparse
import contextlib
import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, TextIO

from absl import flags

from rgbd_jax.allocator import share_one_heap
from rgbd_jax.errors import OutsideError, Preempted, SaidByTheFirst, UserError
from rgbd_jax.leaving import leave_at_once, let_go_of_output, say
from rgbd_jax.processes import is_worker

# What the system finds wrong with a path that it was given; everything else is wrong with the system.
_OF_THE_PATH = frozenset(
    (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM)
)


class ArgumentParser(argparse.ArgumentParser):
    """argparse with its complaints in one line, as `UserError`, and no abbreviated flags.

    Flags are named with underscores; `--flag=value` and `--flag value` are both understood.
    """

    def __init__(self, **kwargs):
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs)

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} (--help lists the arguments)")


def output_file(text: str) -> Path:
    """The type of an argument that names a file to be written."""
    if not Path(text).name or text.endswith(os.sep) or os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"{text!r} is a folder; the name of a file is needed")
    return Path(text)


def run_command(main: Callable[[list[str]], None]) -> NoReturn:
    """Run `main` on the command line's arguments and leave with the status of the contract.

    0 done; 2 the user's mistake; 3 trouble from outside; 130 interrupted; 143 after SIGTERM; 1 our own bug.
    """
    share_one_heap()
    # Grain's workers read absl flags, which are complete as they are: no command defines one.
    flags.FLAGS.mark_as_parsed()
    # A name of a file or a class that the terminal has no letters for must not cost the results.
    sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with contextlib.redirect_stdout(_Results(sys.stdout)):
            main(sys.argv[1:])
            sys.stdout.flush()
    except _NobodyReads:
        pass
    except (UserError, OutsideError) as error:
        leave(f"error: {error}", error.status)
    except SaidByTheFirst as error:
        end(error.status)
    except Preempted as stopped:
        leave(str(stopped), stopped.status)
    except KeyboardInterrupt:
        leave("error: interrupted from the keyboard", 128 + signal.SIGINT)
    except OSError as error:
        # A path is looked at in many places, and any look may be refused.
        what = error.filename or "a file"
        leave(f"error: {what}: {error.strerror or error}", 2 if error.errno in _OF_THE_PATH else 3)
    except Exception:
        with contextlib.suppress(OSError):
            traceback.print_exc()
        end(1)
    finally:
        let_go_of_output()
    sys.exit(0)


class _NobodyReads(BrokenPipeError):
    """The reader of our results (head, less) went away: nothing is wrong. Every other broken pipe is."""


class _Results:
    """Standard output, which says so when it is what broke."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        with self._telling():
            return self._stream.write(text)

    def flush(self) -> None:
        with self._telling():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError as error:
            raise _NobodyReads(*error.args) from error


def keep_compiled() -> None:
    """Let JAX keep what it compiles for the next start; where, JAX_COMPILATION_CACHE_DIR may say.

    To be called before JAX is imported.
    """
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(home / "rgbd_jax"))


def leave(message: str, status: int) -> NoReturn:
    """Print one line on standard error, if that takes it, and exit."""
    say(message)
    end(status)


def end(status: int) -> NoReturn:
    """Exit; of a job of several processes without waiting for the others, as JAX does at a usual end."""
    if is_worker():
        leave_at_once(status)
    sys.exit(status)

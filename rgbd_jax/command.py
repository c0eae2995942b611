"""What all commands share: an argument parser with one-line errors, and the exit status."""

import argparse
import errno
import os
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from absl import flags

from rgbd_jax.errors import OutsideError, Preempted, SaidByTheFirst, UserError
from rgbd_jax.leaving import leave_at_once, say
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
    # Grain's workers read absl flags, which are complete as they are: no command defines one.
    flags.FLAGS.mark_as_parsed()
    # A name of a file or a class that the terminal has no letters for must not cost the results.
    sys.stdout.reconfigure(errors="backslashreplace")
    try:
        main(sys.argv[1:])
    except (UserError, OutsideError) as error:
        leave(f"error: {error}", error.status)
    except SaidByTheFirst as error:
        end(error.status)
    except Preempted as stopped:
        leave(str(stopped), stopped.status)
    except KeyboardInterrupt:
        leave("error: interrupted from the keyboard", 128 + signal.SIGINT)
    except BrokenPipeError:
        # The reader of our output (head, less) went away: nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        # A path is looked at in many places, and any look may be refused.
        what = error.filename or "a file"
        leave(f"error: {what}: {error.strerror or error}", 2 if error.errno in _OF_THE_PATH else 3)
    except Exception:
        traceback.print_exc()
        end(1)
    sys.exit(0)


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

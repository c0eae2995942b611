"""The two kinds of trouble that a person running a command can meet, and what others' exceptions say of it.

Everything else that escapes from a command is a fault of this program: a traceback, and status 1.
"""


class UserError(Exception):
    """A mistake in what was asked for or given. Ends a command with status 2.

    The message is one line that names the file, line or key, says what was found and what is allowed.
    """

    status = 2


class OutsideError(Exception):
    """Trouble from outside: a full disk, a lost process, too many faulty samples. Ends with status 3.

    The message is one line that also says what was saved.
    """

    status = 3


class Preempted(Exception):
    """The run was asked to stop by SIGTERM and has saved its state. Ends a command with status 143."""

    status = 143


class SaidByTheFirst(Exception):
    """What all of several processes have met and the first says for all; the others end with its status."""

    def __init__(self, status: int):
        super().__init__(f"status {status}")
        self.status = status


def first_line(error: Exception) -> str:
    """The first line of what an exception says, such as of JAX or Orbax, who add pages to it."""
    return str(error).partition("\n")[0]


def one_line(error: Exception) -> str:
    """All that an exception says, in one line."""
    return " ".join(str(error).split())

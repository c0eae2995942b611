"""The two kinds of trouble that a person running a command can meet.

Everything else that escapes from a command is a fault of this program: it shows a traceback and ends with status 1.
"""


class UserError(Exception):
    """A mistake in what was asked for or given. Ends a command with status 2.

    The message is one line that names the file, line or key, says what was found and what is allowed.
    """


class OutsideError(Exception):
    """Trouble from outside: a full disk, a lost process, too many faulty samples. Ends a command with status 3.

    The message is one line that also says what was saved.
    """

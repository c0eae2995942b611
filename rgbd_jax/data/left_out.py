"""Items of a source that are no fault of it and yet no clips."""


class LeftOut(Exception):
    """An item that a preparation leaves out, and counts; the message is one line, which file and why."""

"""How a command fails: one line saying what, one line saying the way out, and an exit code.

What a person can act on is never told by a traceback.
"""

from typing import Final

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2


class CommandError(Exception):
    """A command can't be carried out.

    Attributes:
        what: what is wrong, in one line.
        way_out: what the person can do about it, in one line.
        exit_code: 1 for a failure, 2 for a wrong use of the command.
    """

    def __init__(self, what: str, way_out: str, *, exit_code: int = EXIT_FAILED) -> None:
        super().__init__(what)
        self.what = what
        self.way_out = way_out
        self.exit_code = exit_code


class WrongUseError(CommandError):
    """The command was called in a way that can't work."""

    def __init__(self, what: str, way_out: str) -> None:
        super().__init__(what, way_out, exit_code=EXIT_USAGE)

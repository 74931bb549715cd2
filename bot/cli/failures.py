"""How a command fails: one line saying what, one line saying the way out, and an exit code.

What a person can act on is never told by a traceback. A setting's fault is one line altogether, because whoever watches
a platform's log sees line by line.
"""

from typing import Final

from typing_extensions import override

from billing.errors import (
    BillingError,
    EntryNotReversibleError,
    HoldEndedError,
    IdempotencyConflictError,
    InsufficientCreditsError,
    InvalidPlanCatalogError,
    InvalidTimeError,
    OutOfBoundsError,
    TemporaryFailureError,
    UnknownCustomerError,
    UnknownEntryError,
    UnknownHoldError,
)

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

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines by which it is told."""
        return (self.what, self.way_out)


class WrongSettingError(CommandError):
    """A setting is missing or wrong."""

    @property
    @override
    def lines(self) -> tuple[str, ...]:
        """The one line by which it is told."""
        return (f"{self.what} {self.way_out}",)


class WrongUseError(CommandError):
    """The command was called in a way that can't work."""

    def __init__(self, what: str, way_out: str) -> None:
        super().__init__(what, way_out, exit_code=EXIT_USAGE)


def explained(error: Exception) -> CommandError | None:
    """Return the failure as a person can act on it; None for a bug."""
    from bot.settings import SettingsError, SettingsFileError

    match error:
        case CommandError():
            return error
        case SettingsError():
            told = _cut(str(error), "Check all of them by `tallyhook doctor --settings-only`")
            return WrongSettingError(told.what, told.way_out)
        case SettingsFileError():
            return _cut(str(error), "Name a file with lines NAME=value, or a Kubernetes secret as JSON")
        case TemporaryFailureError():
            return CommandError(_sentence(error.reason), "Try again in a minute; nothing was done by halves.")
        case BillingError():
            return _refusal(error)
        case _:
            return None


def _refusal(error: BillingError) -> CommandError:
    """Return a refusal with its way out."""
    match error:
        case UnknownCustomerError():
            way_out = "See `tallyhook customers list`; name one by its id, github:ACCOUNT-ID or github:@LOGIN."
        case InsufficientCreditsError():
            way_out = "See `tallyhook credits explain REF` for where they went; take back no more than are left."
        case IdempotencyConflictError():
            way_out = "Repeat the very same command, or take another --key."
        case OutOfBoundsError():
            way_out = "Write it shorter, or without such characters; nothing was done."
        case InvalidTimeError():
            way_out = (
                "Give a time that has passed by --at, of the last 30 days; what is older is set right by"
                " `tallyhook credits adjust`."
            )
        case EntryNotReversibleError():
            way_out = (
                "See `tallyhook credits statement REF`; `tallyhook credits adjust` sets a balance right without it."
            )
        case UnknownEntryError():
            way_out = "See `tallyhook credits statement REF` for the numbers there are."
        case UnknownHoldError() | HoldEndedError():
            way_out = "See `tallyhook credits holds REF --all`."
        case InvalidPlanCatalogError():
            way_out = (
                "Put it right, or name another file by PLANS_FILE; without it, it is plans.toml in this directory."
            )
        case _:
            # The storage tells the way out behind the last semicolon.
            return _cut(str(error), "See `tallyhook doctor`")
    return CommandError(_sentence(str(error)), way_out)


def _cut(text: str, otherwise: str) -> CommandError:
    """Return a text of the form "what; way out" as the two; `otherwise` is the way out of one without."""
    what, _, way_out = text.partition("; ")
    return CommandError(_sentence(what), _sentence(way_out or otherwise))


def _sentence(text: str) -> str:
    """Return the text as a sentence. What begins with a name or a path keeps it as it is."""
    first, _, _ = text.partition(" ")
    is_word = first.isalpha() and first.islower()
    return f"{text[0].upper() if is_word else text[0]}{text[1:].rstrip('.')}." if text else text

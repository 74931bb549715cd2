"""What can be kept and looked up at all: how long texts are, what they are made of, and how large numbers are.

Commands share a transaction, and a database that is handed what it can't hold takes all of them with it. So this is
asked before anything is looked up, once for each command, and decisions rely on it.
"""

import re
from typing import Final, assert_never

from billing.commands import (
    AdjustCredits,
    BackfillGrants,
    CaptureHold,
    CustomerCommand,
    ExtendHold,
    FollowRefund,
    GrantCredits,
    HoldCredits,
    Note,
    RecordUsage,
    ReleaseHold,
    ReverseEntry,
    RevokeCredits,
    ShowFigures,
    SpendCredits,
)
from billing.errors import BillingError, OutOfBoundsError

LONGEST_KEY: Final = 200
LONGEST_ACTOR: Final = 100
LONGEST_REFERENCE: Final = 500
LONGEST_NOTE: Final = 2_000
LONGEST_NAME: Final = 200
"""The most characters of each text."""

MOST_NUMBERED: Final = 2**63 - 1
"""The largest number that a row can have on either engine."""

_UNFIT_FOR_NOTES: Final = re.compile(r"[^\t\n\r -~\u00a0-\ud7ff\ue000-\U0010ffff]")
"""Control characters, of which PostgreSQL can't keep the zero, and halves of characters, which no UTF-8 can hold."""


def out_of_bounds(command: CustomerCommand) -> BillingError | None:
    """Why the command can't be kept or looked up; None if it can. Its key stays free."""
    if not 0 <= command.customer_id <= MOST_NUMBERED:
        return _no_number("customer")
    match command:
        case SpendCredits() | HoldCredits():
            return _ids(command.key, command.actor, command.reference)
        case CaptureHold() | ReleaseHold() | ExtendHold():
            return _number("hold", command.hold_id) or _ids(command.key, command.actor)
        case GrantCredits() | RecordUsage():
            return _ids(command.key, command.actor, command.reference) or _note(command.note)
        case RevokeCredits() | AdjustCredits():
            return _ids(command.key, command.actor) or _note(command.note)
        case FollowRefund():
            return _number("grant", command.grant_number) or _ids(command.key, command.actor, command.reference)
        case ReverseEntry():
            return _number("entry", command.seq) or _ids(command.key, command.actor) or _note(command.note)
        case BackfillGrants():
            return _ids("", command.actor) or _note(command.note)
        case ShowFigures():
            return None
        case _:
            assert_never(command)


def _ids(key: str, actor: str, reference: str = "") -> BillingError | None:
    """What is wrong with texts that are made of ids: each is one line of what can be seen."""
    for what, text, longest in (
        ("the key", key, LONGEST_KEY),
        ("the actor", actor, LONGEST_ACTOR),
        ("the reference", reference, LONGEST_REFERENCE),
    ):
        if len(text) > longest:
            return _too_long(what, longest)
        if not text.isprintable():
            return _unfit(what, next(character for character in text if not character.isprintable()))
    return None


def _note(note: Note | None) -> BillingError | None:
    """What is wrong with a note, which is for people and may have lines."""
    if note is None:
        return None
    for what, text, longest in (
        ("the note's text", note.text, LONGEST_NOTE),
        ("the name beside the note", note.actor_name, LONGEST_NAME),
    ):
        if len(text) > longest:
            return _too_long(what, longest)
        unfit = _UNFIT_FOR_NOTES.search(text)
        if unfit is not None:
            return _unfit(what, unfit.group())
    return None


def _number(of_what: str, number: int) -> BillingError | None:
    return None if 0 <= number <= MOST_NUMBERED else _no_number(of_what)


def _no_number(of_what: str) -> BillingError:
    return OutOfBoundsError(f"the number of the {of_what}", f"must be from 0 to {MOST_NUMBERED}")


def _too_long(what: str, longest: int) -> BillingError:
    # Without the text, which may have any length.
    return OutOfBoundsError(what, f"is longer than {longest} characters")


def _unfit(what: str, character: str) -> BillingError:
    return OutOfBoundsError(what, f"holds a character that can't be kept, U+{ord(character):04X}")

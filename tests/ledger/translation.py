"""The model's plain commands as the program's, and the program's answers as the model's."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from billing.commands import (
    AdjustCredits,
    Applied,
    CaptureHold,
    ExtendHold,
    FollowRefund,
    GrantCredits,
    HoldCredits,
    KeyedCommand,
    Note,
    Outcome,
    PaidTerms,
    RecordUsage,
    Refused,
    ReleaseHold,
    ReverseEntry,
    RevokeCredits,
    SpendCredits,
)
from billing.values import Credits, CustomerId, HoldId, Origin, from_milliseconds, to_milliseconds
from tests.ledger.model import Answer, Command

NOBODYS_HOLD: Final = HoldId(2**40)
"""No hold has this number."""


SAID: Final = frozenset({"what", "problem", "reason"})
"""Fields of refusals that are words for people."""


KINDS: Final[Mapping[str, type[KeyedCommand]]] = {
    "grant": GrantCredits,
    "spend": SpendCredits,
    "usage": RecordUsage,
    "hold": HoldCredits,
    "capture": CaptureHold,
    "release": ReleaseHold,
    "extend": ExtendHold,
    "revoke": RevokeCredits,
    "adjust": AdjustCredits,
    "refund": FollowRefund,
    "reverse": ReverseEntry,
}

FIELDS: Final[Mapping[str, tuple[str, Callable[[Any], object]]]] = {
    "amount": ("amount", Credits),
    "lasts": ("lasts", lambda milliseconds: timedelta(milliseconds=milliseconds)),
    "occurred": ("occurred_at", from_milliseconds),
    "expires": ("expires_at", from_milliseconds),
    "origin": ("origin", Origin),
    "paid": ("paid", lambda paid: None if paid is None else PaidTerms(units=paid[0], price_cents=paid[1])),
    "note": ("note", lambda note: Note(text=note[0], actor_name="Ada", salt=note[1])),
    "grant": ("grant_number", int),
}
"""What the program calls the fields of a command, and how it has their values; those not named here it has alike."""


def to_command(command: Command, customer_id: CustomerId, holds: Mapping[int, HoldId]) -> KeyedCommand:
    """The program's command. `holds` says how the program numbers the model's holds."""
    fields: dict[str, Any] = {"customer_id": customer_id}
    for name, value in command.items():
        if name == "hold":
            fields["hold_id"] = holds.get(value, NOBODYS_HOLD)
        elif name in FIELDS:
            theirs, made = FIELDS[name]
            fields[theirs] = made(value)
        elif name != "do":
            fields[name] = value
    return KINDS[command["do"]](**fields)


def to_answer(outcome: Outcome | BaseException, holds: Mapping[int, HoldId]) -> Answer:
    """The model's answer for what the program answered."""
    match outcome:
        case Applied(entries=entries, replayed=replayed):
            return ("done", entries, replayed)
        case Refused(error=error, replayed=replayed):
            return ("refused", type(error).__name__, _fields(vars(error), holds), replayed)
        case _:
            return ("failed", repr(outcome))


def _fields(fields: Mapping[str, object], holds: Mapping[int, HoldId]) -> tuple[tuple[str, object], ...]:
    numbers = {hold_id: number for number, hold_id in holds.items()}
    plain: dict[str, object] = {}
    for name, value in fields.items():
        if name in SAID:
            continue
        if name == "hold_id" and isinstance(value, int):
            plain[name] = numbers.get(HoldId(value), 0)
        else:
            plain[name] = to_milliseconds(value) if isinstance(value, datetime) else value
    return tuple(sorted(plain.items()))

"""Places: what a move from one to another does to a grant and to its account, and which kind of entry may make it.

A grant's columns are the balances of its places, so this one table says how they follow from the journal: for whoever
posts entries, for whoever checks them, and for whoever asks how things stood back then
(docs/decisions/0070-credits-are-in-places.md).
"""

from collections.abc import Mapping
from itertools import product
from typing import Final, NamedTuple

from billing.state import Grant
from billing.values import EntryKind, Place, copied

Route = tuple[str, str]
"""From which place to which."""

Line = tuple[Place, Place, int, int]
"""A move to be posted: from, to, the grant's number (0 if it concerns none), and how many credits."""

COLUMNS: Final[Mapping[Place, str]] = {
    Place.GRANT: "remaining",
    Place.HELD: "held",
    Place.USED: "spent",
    Place.EXPIRED: "expired",
    Place.REVOKED: "revoked",
    Place.LENT: "owed",
}
"""The places of a grant, and what its columns call them."""


class Effect(NamedTuple):
    """What one credit moved changes: of a grant the columns, of the account what is posted, held and owed."""

    columns: tuple[tuple[str, int], ...]
    posted: int
    held: int
    debt: int


def _effect(debit: Place, credit: Place) -> Effect:
    columns: dict[str, int] = {}
    for place, sign in ((debit, -1), (credit, 1)):
        if place in COLUMNS:
            columns[COLUMNS[place]] = sign
    # Credits that repay a debt are used up by what was owed.
    if (debit, credit) == (Place.GRANT, Place.DEBT):
        columns["spent"] = 1
    if (debit, credit) == (Place.DEBT, Place.GRANT):
        columns["spent"] = -1
    return Effect(
        columns=tuple(columns.items()),
        posted=columns.get("remaining", 0) + columns.get("held", 0),
        held=columns.get("held", 0),
        debt=(debit is Place.DEBT) - (credit is Place.DEBT),
    )


EFFECTS: Final[Mapping[Route, Effect]] = {
    (debit, credit): _effect(debit, credit) for debit, credit in product(Place, Place) if debit is not credit
}

_PAID_UNIT: Final = {(Place.ISSUED, Place.GRANT), (Place.GRANT, Place.USED)}

ROUTES: Final[Mapping[EntryKind, frozenset[Route]]] = {
    EntryKind.GRANT: frozenset({(Place.ISSUED, Place.GRANT)}),
    EntryKind.SPEND: frozenset({*_PAID_UNIT, (Place.EXPIRED, Place.USED), (Place.DEBT, Place.USED)}),
    EntryKind.HOLD: frozenset({(Place.GRANT, Place.HELD)}),
    EntryKind.CAPTURE: frozenset(
        {*_PAID_UNIT, (Place.HELD, Place.USED), (Place.HELD, Place.GRANT), (Place.WAIVED, Place.USED)}
    ),
    EntryKind.RELEASE: frozenset({(Place.HELD, Place.GRANT)}),
    EntryKind.EXTEND: frozenset(),
    EntryKind.EXPIRE: frozenset({(Place.GRANT, Place.EXPIRED)}),
    EntryKind.REVOKE: frozenset({(Place.GRANT, Place.REVOKED)}),
    EntryKind.CLAWBACK: frozenset({(Place.GRANT, Place.REVOKED), (Place.DEBT, Place.LENT)}),
    EntryKind.REINSTATE: frozenset(
        {
            (Place.LENT, Place.DEBT),
            (Place.DEBT, Place.GRANT),
            (Place.DEBT, Place.USED),
            (Place.REVOKED, Place.GRANT),
        }
    ),
    EntryKind.REPAY: frozenset({(Place.GRANT, Place.DEBT)}),
    EntryKind.ADJUST: frozenset({(Place.LENT, Place.DEBT), (Place.GRANT, Place.REVOKED), (Place.DEBT, Place.LENT)}),
    EntryKind.WAIVE: frozenset({(Place.WAIVED, Place.USED)}),
    EntryKind.REVERSE: frozenset(
        {
            (Place.USED, Place.GRANT),
            (Place.USED, Place.EXPIRED),
            (Place.USED, Place.DEBT),
            (Place.USED, Place.WAIVED),
            (Place.REVOKED, Place.GRANT),
            (Place.LENT, Place.DEBT),
            (Place.DEBT, Place.LENT),
            (Place.GRANT, Place.REVOKED),
        }
    ),
}
"""The moves that each kind of entry may make."""

REFUNDS: Final = frozenset({EntryKind.CLAWBACK, EntryKind.REINSTATE, EntryKind.REVERSE})
"""Kinds of entries that take credits of a grant because it, or its payment, was taken back; and not by hand."""


def taken_by(kind: EntryKind, debit: str, credit: str) -> int:
    """How much of each credit moved counts as taken because a payment, or the grant itself, was taken back."""
    if kind in REFUNDS and (debit, credit) == (Place.GRANT, Place.REVOKED):
        return 1
    # What a reversal puts back was revoked by hand.
    if kind is EntryKind.REINSTATE and (debit, credit) == (Place.REVOKED, Place.GRANT):
        return -1
    return 0


def moved(grant: Grant, kind: EntryKind, debit: str, credit: str, amount: int) -> Grant:
    """The grant after so many of its credits were moved."""
    columns = EFFECTS[debit, credit].columns
    if sign := taken_by(kind, debit, credit):
        columns = (*columns, ("taken", sign))
    after = copied(grant)
    for column, sign in columns:
        setattr(after, column, getattr(grant, column) + sign * amount)
    return after

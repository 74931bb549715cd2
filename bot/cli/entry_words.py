"""Grants and entries of the ledger in words, for whoever wants to know why a balance is what it is."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, assert_never

from billing.commands import Note
from billing.ledger.entries import Entry
from billing.state import Grant
from billing.values import EntryKind, Origin, Place
from bot.cli.output import credits_in_words, readable_day

TOLD: Final[Mapping[tuple[Place, Place], str]] = {
    (Place.GRANT, Place.USED): "used",
    (Place.HELD, Place.USED): "used",
    (Place.EXPIRED, Place.USED): "used that had expired since",
    (Place.ISSUED, Place.GRANT): "charged for",
    (Place.GRANT, Place.HELD): "held",
    (Place.HELD, Place.GRANT): "no longer held",
    (Place.GRANT, Place.EXPIRED): "expired",
    (Place.GRANT, Place.REVOKED): "taken back",
    (Place.GRANT, Place.DEBT): "made up for debt",
    (Place.DEBT, Place.USED): "used and owed",
    (Place.DEBT, Place.LENT): "owed",
    (Place.LENT, Place.DEBT): "owed no longer",
    (Place.DEBT, Place.GRANT): "given back that had made up for debt",
    (Place.REVOKED, Place.GRANT): "given back",
    (Place.USED, Place.GRANT): "given back",
    (Place.USED, Place.EXPIRED): "expired after all",
    (Place.USED, Place.DEBT): "owed no longer",
    (Place.WAIVED, Place.USED): "used for nothing, as billing was off",
    (Place.USED, Place.WAIVED): "waived no longer",
}
"""What a move does, by where it leads from and to, behind a number of credits."""


def origin_in_words(grant: Grant) -> str:
    """Tell why a grant was made."""
    amount = credits_in_words(grant.amount)
    match grant.origin:
        case Origin.SIGNUP:
            return f"{amount} for signing up"
        case Origin.PAYMENT_METHOD:
            return f"{amount} for a payment method"
        case Origin.PLAN:
            return f"{amount} of the plan, for the period from {readable_day(grant.period_starts_at)}"
        case Origin.PURCHASE:
            return f"{amount} bought"
        case Origin.CHARGED:
            return f"{amount} charged for by itself"
        case Origin.GOODWILL:
            return f"{amount} given by hand"
        case Origin.REFUND_REVERSAL:
            return f"{amount} given back"
        case Origin.MIGRATION:
            return f"{amount} brought along"
        case _:
            assert_never(grant.origin)


def entry_in_words(entry: Entry, grants: Mapping[int, Grant], note: Note | None) -> str:
    """Tell where an entry of the ledger came from.

    Args:
        entry: the entry.
        grants: the account's, by number, used-up ones too.
        note: the entry's, unless it has none or was erased.
    """
    text = _what(entry, grants)
    return f"{text}: {note.text}" if note else text


def _what(entry: Entry, grants: Mapping[int, Grant]) -> str:
    """Tell what an entry is, and what it did."""
    did = moves_in_words(entry)
    match entry.kind:
        case EntryKind.GRANT:
            return origin_in_words(grants[entry.moves[0].grant_number])
        case EntryKind.SPEND | EntryKind.EXPIRE | EntryKind.REVOKE | EntryKind.WAIVE | EntryKind.REPAY:
            return did
        case EntryKind.HOLD:
            return f"hold {entry.hold_id}{_behind(did)}"
        case EntryKind.CAPTURE:
            return f"hold {entry.hold_id} captured{_behind(did)}"
        case EntryKind.RELEASE:
            how = "timed out" if entry.key == f"timeout:{entry.hold_id}" else "released"
            return f"hold {entry.hold_id} {how}{_behind(did)}"
        case EntryKind.EXTEND:
            return f"hold {entry.hold_id} extended"
        case EntryKind.CLAWBACK:
            return f"to be given back{_behind(did)}"
        case EntryKind.REINSTATE:
            return f"not to be given back after all{_behind(did)}"
        case EntryKind.ADJUST:
            return f"set right by hand{_behind(did)}"
        case EntryKind.REVERSE:
            return f"entry {entry.reverses} taken back{_behind(did)}"
        case _:
            assert_never(entry.kind)


def moves_in_words(entry: Entry) -> str:
    """Tell what an entry's moves did, such as `3 used, of grant 2`; "" if it moves nothing.

    A further fix is charged for and used at once; it is told once.
    """
    amounts: Counter[str] = Counter()
    grants: dict[str, set[int]] = {}
    charged = {move.grant_number for move in entry.moves if move.debit == Place.ISSUED}
    for move in entry.moves:
        if move.grant_number in charged and move.credit == Place.USED:
            continue
        told = TOLD[Place(move.debit), Place(move.credit)]
        amounts[told] += move.amount
        if move.grant_number and move.grant_number not in charged:
            grants.setdefault(told, set()).add(move.grant_number)
    return "; ".join(f"{count} {told}{_of(grants.get(told, ()))}" for told, count in amounts.items())


def _of(numbers: Iterable[int]) -> str:
    """Tell which grants."""
    return ", of " + " and ".join(f"grant {number}" for number in sorted(numbers)) if numbers else ""


def _behind(text: str) -> str:
    """Return a text behind a colon, if there is one."""
    return f": {text}" if text else ""

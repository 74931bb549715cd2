"""The words for every origin of a grant, and for every kind of entry with all the moves that it may make."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from billing.commands import Note
from billing.ledger.entries import Entry, Move
from billing.ledger.places import ROUTES
from billing.state import Grant
from billing.values import NEVER, AccountId, Category, EntryKind, HoldId, Origin, Place
from bot.cli.entry_words import TOLD, entry_in_words, moves_in_words, origin_in_words

NOON = datetime(2026, 1, 10, 12, tzinfo=UTC)

GRANT = Grant(
    number=2,
    origin=Origin.PLAN,
    category=Category.PAID,
    priority=50,
    amount=5,
    remaining=0,
    effective_at=NOON,
    expires_at=NEVER,
    period_starts_at=NOON.replace(hour=0),
)

GIVEN, HELD, USED, ISSUED, DEBT, LENT = Place.GRANT, Place.HELD, Place.USED, Place.ISSUED, Place.DEBT, Place.LENT


def entry(kind: EntryKind, *lines: tuple[Place, Place, int, int], key: str = "k") -> Entry:
    """An entry with these moves: from, to, grant and amount."""
    return Entry(
        account_id=AccountId(1),
        seq=9,
        kind=kind,
        amount=0,
        balance_after=0,
        key=key,
        request_hash=b"",
        occurred_at=NOON,
        recorded_at=NOON,
        actor="operator",
        reference="",
        note_hash=b"",
        moves=tuple(
            Move(line=line, debit=debit, credit=credit, grant_number=number, amount=amount)
            for line, (debit, credit, number, amount) in enumerate(lines)
        ),
        previous_hash=b"",
        hash=b"",
        hold_id=HoldId(7),
        reverses=4,
    )


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        (Origin.SIGNUP, "5 credits for signing up"),
        (Origin.PAYMENT_METHOD, "5 credits for a payment method"),
        (Origin.PLAN, "5 credits of the plan, for the period from 2026-01-10"),
        (Origin.PURCHASE, "5 credits bought"),
        (Origin.CHARGED, "5 credits charged for by itself"),
        (Origin.GOODWILL, "5 credits given by hand"),
        (Origin.REFUND_REVERSAL, "5 credits given back"),
        (Origin.MIGRATION, "5 credits brought along"),
    ],
)
def test_each_origin_has_its_words(origin: Origin, words: str) -> None:
    assert origin_in_words(replace(GRANT, origin=origin)) == words


def test_every_move_that_there_can_be_has_its_words() -> None:
    assert set(TOLD) == set().union(*ROUTES.values())


@pytest.mark.parametrize(
    ("booked", "words"),
    [
        (entry(EntryKind.GRANT, (ISSUED, GIVEN, 2, 5)), "5 credits of the plan, for the period from 2026-01-10"),
        (entry(EntryKind.SPEND, (GIVEN, USED, 2, 1), (GIVEN, USED, 3, 2)), "3 used, of grant 2 and grant 3"),
        (
            entry(EntryKind.SPEND, (GIVEN, USED, 2, 1), (ISSUED, GIVEN, 4, 1), (GIVEN, USED, 4, 1)),
            "1 used, of grant 2; 1 charged for",
        ),
        (
            entry(EntryKind.SPEND, (Place.EXPIRED, USED, 2, 1), (DEBT, USED, 0, 2)),
            "1 used that had expired since, of grant 2; 2 used and owed",
        ),
        (entry(EntryKind.HOLD, (GIVEN, HELD, 2, 3)), "hold 7: 3 held, of grant 2"),
        (entry(EntryKind.HOLD), "hold 7"),
        (
            entry(EntryKind.CAPTURE, (HELD, USED, 2, 2), (HELD, GIVEN, 2, 1)),
            "hold 7 captured: 2 used, of grant 2; 1 no longer held, of grant 2",
        ),
        (entry(EntryKind.RELEASE, (HELD, GIVEN, 2, 3)), "hold 7 released: 3 no longer held, of grant 2"),
        (
            entry(EntryKind.RELEASE, (HELD, GIVEN, 2, 3), key="timeout:7"),
            "hold 7 timed out: 3 no longer held, of grant 2",
        ),
        (entry(EntryKind.EXTEND), "hold 7 extended"),
        (entry(EntryKind.EXPIRE, (GIVEN, Place.EXPIRED, 2, 3)), "3 expired, of grant 2"),
        (entry(EntryKind.REVOKE, (GIVEN, Place.REVOKED, 2, 3)), "3 taken back, of grant 2"),
        (
            entry(EntryKind.CLAWBACK, (GIVEN, Place.REVOKED, 2, 3), (DEBT, LENT, 2, 1)),
            "to be given back: 3 taken back, of grant 2; 1 owed, of grant 2",
        ),
        (
            entry(EntryKind.REINSTATE, (LENT, DEBT, 2, 1), (Place.REVOKED, GIVEN, 2, 3)),
            "not to be given back after all: 1 owed no longer, of grant 2; 3 given back, of grant 2",
        ),
        (entry(EntryKind.REPAY, (GIVEN, DEBT, 2, 1)), "1 made up for debt, of grant 2"),
        (entry(EntryKind.ADJUST, (LENT, DEBT, 0, 2)), "set right by hand: 2 owed no longer"),
        (entry(EntryKind.WAIVE, (Place.WAIVED, USED, 0, 2)), "2 used for nothing, as billing was off"),
        (entry(EntryKind.REVERSE, (USED, GIVEN, 2, 2)), "entry 4 taken back: 2 given back, of grant 2"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.kind.value,
)
def test_each_kind_of_entry_has_its_words(booked: Entry, words: str) -> None:
    assert entry_in_words(booked, {2: GRANT}, None) == words


def test_the_reason_comes_behind() -> None:
    note = Note(text="booked twice", actor_name="Ada", salt=b"")

    assert entry_in_words(entry(EntryKind.WAIVE, (Place.WAIVED, USED, 0, 1)), {}, note) == (
        "1 used for nothing, as billing was off: booked twice"
    )
    assert moves_in_words(entry(EntryKind.EXTEND)) == ""

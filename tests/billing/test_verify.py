"""The ledger's checks find any field that was changed and any entry that is missing, also in a forged chain."""

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.commands import Note
from billing.ledger.chain import hash_entry
from billing.ledger.entries import Entry, Move
from billing.ledger.verify import Audit, Offence, verify_account
from billing.state import CreditAccount, Grant
from billing.values import AccountId, Category, EntryKind, Origin
from tests.billing.builders import ACCOUNT_ID, PRO, History, day, grant, revoke, spend, truth


def eventful() -> History:
    """A history with every kind of entry, notes, used up and open grants."""
    history = History()
    history.install()
    history.follow(truth(PRO, billed_at=day(12, 20)), effective_at=day(12, 1))
    history.do(grant(4, key="g", expires_at=day(12, 5)))
    history.do(spend(6, key="s"))
    history.do(grant(2, key="h", expires_at=day(12, 6)))
    history.now = day(12, 7)
    history.do(revoke(3, key="r"))
    assert {entry.kind for entry in history.journal} == set(EntryKind)
    return history


HISTORY = eventful()
ACCOUNT = HISTORY.customer.account
GRANTS = tuple(HISTORY.all_grants.values())
JOURNAL = tuple(HISTORY.journal)


def offence(
    *,
    account: CreditAccount = ACCOUNT,
    grants: tuple[Grant, ...] = GRANTS,
    journal: tuple[Entry, ...] = JOURNAL,
    notes: dict[int, Note] = HISTORY.notes,
) -> Offence | None:
    """What the checks say of this ledger."""
    return verify_account(account, grants, journal, notes)


def others(value: object) -> Iterator[object]:
    """Values that differ from this one as little as possible."""
    match value:
        case bytes():
            yield value + b"\0"
            for place in range(len(value)):
                yield value[:place] + bytes([value[place] ^ 1]) + value[place + 1 :]
        case EntryKind() | Origin() | Category():
            yield from (each for each in type(value) if each is not value)
        case str():
            yield value + " "
            if value:
                yield value[1:]
        case int():
            yield from (value + 1, value - 1)
        case datetime():
            yield from (value + timedelta(milliseconds=1), value - timedelta(milliseconds=1))
        case None:
            yield day(12, 1)
        case tuple():
            yield value[:-1]
            yield (*value, *value)
            for place, move in enumerate(value):
                for changed in changes(move):
                    yield (*value[:place], changed, *value[place + 1 :])
        case _:
            raise AssertionError(value)


def changes(record: Any) -> Iterator[Any]:
    """The record with one field changed, in every way."""
    for field in fields(record):
        for other in others(getattr(record, field.name)):
            yield replace(record, **{field.name: other})


def test_the_ledger_verifies_as_it_is() -> None:
    assert offence() is None
    assert offence(notes={}) is None
    assert verify_account(HISTORY.customer.account, reversed(GRANTS), JOURNAL, {}) is None


def test_an_account_without_entries_verifies() -> None:
    history = History(account=HISTORY.account)
    history.follow(truth(9999))
    assert verify_account(history.customer.account, (), (), {}) is None


def test_every_change_of_an_entry_is_found() -> None:
    for place, entry in enumerate(JOURNAL):
        for changed in changes(entry):
            found = offence(journal=(*JOURNAL[:place], changed, *JOURNAL[place + 1 :]))
            assert found is not None, changed
            assert found.account_id == ACCOUNT_ID
            assert found.seq in (entry.seq, changed.seq), found


@given(st.data())
def test_any_flipped_bit_of_an_entry_is_found(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(JOURNAL) - 1))
    entry = JOURNAL[place]
    name = data.draw(st.sampled_from(["request_hash", "previous_hash", "hash"]))
    content = bytearray(getattr(entry, name))
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    field: dict[str, Any] = {name: bytes(content)}
    changed = replace(entry, **field)
    assert offence(journal=(*JOURNAL[:place], changed, *JOURNAL[place + 1 :])) is not None


def test_every_change_of_the_account_is_found() -> None:
    for changed in changes(ACCOUNT):
        # The unit names the account for people; no amount hangs on it.
        if changed.unit == ACCOUNT.unit:
            assert offence(account=changed) is not None, changed


def test_every_change_of_a_grant_is_found() -> None:
    for place, each in enumerate(GRANTS):
        for changed in changes(each):
            assert offence(grants=(*GRANTS[:place], changed, *GRANTS[place + 1 :])) is not None, changed


def test_a_missing_and_an_invented_grant_are_found() -> None:
    for place in range(len(GRANTS)):
        assert offence(grants=(*GRANTS[:place], *GRANTS[place + 1 :])) is not None
    assert offence(grants=(*GRANTS, GRANTS[0])) is not None
    assert offence(grants=(*GRANTS, replace(GRANTS[0], number=len(GRANTS) + 1))) is not None


def test_every_change_of_a_note_is_found() -> None:
    for seq, note in HISTORY.notes.items():
        for changed in changes(note):
            found = offence(notes={**HISTORY.notes, seq: changed})
            assert found is not None
            assert found.seq == seq
    assert offence(notes={1: HISTORY.notes[3]}) is not None, "a note where none was booked"


def test_every_missing_repeated_or_moved_entry_is_found() -> None:
    for place in range(len(JOURNAL)):
        assert offence(journal=(*JOURNAL[:place], *JOURNAL[place + 1 :])) is not None
        assert offence(journal=(*JOURNAL[: place + 1], *JOURNAL[place:])) is not None
    for place in range(len(JOURNAL) - 1):
        moved = (*JOURNAL[:place], JOURNAL[place + 1], JOURNAL[place], *JOURNAL[place + 2 :])
        assert offence(journal=moved) is not None


def test_every_deleted_tail_is_found() -> None:
    for length in range(len(JOURNAL)):
        found = offence(journal=JOURNAL[:length])
        assert found is not None
        assert found.seq == 0
        assert "by its head" in found.problem


def test_a_ledger_set_back_as_a_whole_is_not_found_by_itself() -> None:
    # Whoever owns the database can set everything back to a moment at which it was right. Only a head that is kept
    # elsewhere shows that it went on; the checks say so of themselves.
    earlier = History()
    earlier.install()
    assert earlier.customer.account.head == JOURNAL[0].hash
    assert verify_account(earlier.customer.account, GRANTS[:1], JOURNAL[:1], {}) is None


def forged(place: int, **changed: Any) -> tuple[tuple[Entry, ...], CreditAccount]:
    """The journal with one entry changed and all hashes from there on made to fit, as one who knows how would."""
    journal = list(JOURNAL)
    journal[place] = replace(journal[place], **changed)
    for index in range(place, len(journal)):
        head = journal[index - 1].hash if index else journal[index].previous_hash
        journal[index] = replace(journal[index], previous_hash=head)
        journal[index] = replace(journal[index], hash=hash_entry(journal[index]))
    return tuple(journal), replace(ACCOUNT, head=journal[-1].hash)


def moved(entry: Entry, **changed: Any) -> tuple[Move, ...]:
    """The entry's moves with the first one changed."""
    return (replace(entry.moves[0], **changed), *entry.moves[1:])


@pytest.mark.parametrize(
    ("place", "changed", "problem"),
    [
        (0, {"amount": 6, "balance_after": 6, "moves": moved(JOURNAL[0], amount=6)}, "makes 6 and 38 a balance of 43"),
        (0, {"amount": 6}, "makes 0 and 6 a balance of 5"),
        (0, {"balance_after": 6}, "makes 0 and 5 a balance of 6"),
        (3, {"amount": -600, "balance_after": -553}, "makes 47 and -600 a balance of -553"),
        (0, {"moves": ()}, "moves 0 but says 5"),
        (0, {"moves": moved(JOURNAL[0], amount=6)}, "moves 6 but says 5"),
        (0, {"moves": moved(JOURNAL[0], line=1)}, "has a malformed move 0"),
        (0, {"moves": moved(JOURNAL[0], amount=-5)}, "has a malformed move 0"),
        (0, {"moves": moved(JOURNAL[0], grant_number=2)}, "makes grant 2 where grant 1 is due"),
        (0, {"moves": moved(JOURNAL[0], debit="used")}, "grants from the wrong place"),
        (0, {"kind": EntryKind.SPEND}, "takes to the wrong place"),
        (3, {"moves": moved(JOURNAL[3], credit="expired")}, "takes to the wrong place"),
        (3, {"moves": moved(JOURNAL[3], grant_number=9)}, "takes 4 from grant 9, which has less"),
        (3, {"moves": moved(JOURNAL[3], amount=5)}, "takes 5 from grant 3, which has less"),
        (1, {"recorded_at": day(11, 1)}, "was booked before its predecessor"),
        (1, {"reference": "plan:pro"}, "grant 2 has other terms than its entry"),
    ],
)
def test_a_forged_chain_still_has_to_add_up(place: int, changed: dict[str, Any], problem: str) -> None:
    journal, account = forged(place, **changed)
    found = verify_account(account, GRANTS, journal, {})
    assert found is not None
    assert found.problem == problem


def test_a_forgery_that_adds_up_is_not_found_by_itself() -> None:
    # A chain without a key proves order, not authorship: of one who rewrites it whole only a head kept elsewhere tells.
    journal, account = forged(3, actor="key:2")
    assert verify_account(account, GRANTS, journal, {}) is None


def test_a_grant_that_a_forger_made_longer_is_found() -> None:
    longer = (replace(GRANTS[1], expires_at=day(12, 31)), *GRANTS[:1], *GRANTS[2:])
    found = offence(grants=longer)
    assert found is not None
    assert found.problem == "grant 2 has other terms than its entry"


def test_a_journal_is_read_page_by_page() -> None:
    audit = Audit(ACCOUNT_ID)
    for start in range(0, len(JOURNAL), 2):
        assert audit.read(JOURNAL[start : start + 2], HISTORY.notes) is None
    assert audit.close(ACCOUNT, GRANTS) is None
    assert audit.read([replace(JOURNAL[0], account_id=AccountId(99))], {}) == Offence(
        account_id=ACCOUNT_ID, seq=1, problem="belongs to account 99"
    )

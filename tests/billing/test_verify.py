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
from billing.state import Charge, CreditAccount, Grant, Hold
from billing.values import AccountId, Category, EntryKind, HoldId, HoldState, Origin
from tests.billing.builders import ACCOUNT_ID, PRO, History, day, grant, revoke, spend, truth
from tests.billing.looks import held
from tests.billing.requests import adjust, buy, capture, extend, hold, paid, refund, release, reverse, usage


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
    history.do(buy(30, key="pack"))
    work = held(history, history.do(hold(9, key="work")))
    history.do(extend(work, key="longer", lasts=timedelta(days=2)))
    history.do(capture(work, 5, key="done"))
    history.do(reverse(len(history.journal)))
    history.do(release(held(history, history.do(hold(2, key="given up"))), key="release"))
    history.do(hold(3, key="forgotten"))
    history.now = day(12, 9)
    history.do(refund(5, 600, key="refunded"))
    history.do(refund(5, 200, key="failed"))
    history.do(replace(spend(history.available + 2, key="all"), paid=paid(2)))
    history.do(usage(4, key="late", at=history.now))
    history.do(adjust(1, key="forgiven"))
    history.do(buy(9, key="repaying"))
    history.do(hold(8, key="open", terms=paid(2), lasts=timedelta(days=3)))
    history.is_billing_on = False
    history.do(hold(3, key="waived", lasts=timedelta(days=4)))
    history.do(spend(1, key="nothing left"))
    assert {entry.kind for entry in history.journal} == set(EntryKind)
    assert {each.state for each in history.all_holds.values()} == set(HoldState)
    assert history.charges
    return history


HISTORY = eventful()
ACCOUNT = HISTORY.customer.account
GRANTS = tuple(HISTORY.all_grants.values())
HOLDS = tuple(HISTORY.all_holds.values())
CHARGES = tuple(HISTORY.charges)
JOURNAL = tuple(HISTORY.journal)


def offence(
    *,
    account: CreditAccount = ACCOUNT,
    grants: tuple[Grant, ...] = GRANTS,
    journal: tuple[Entry, ...] = JOURNAL,
    notes: dict[int, Note] = HISTORY.notes,
    holds: tuple[Hold, ...] = HOLDS,
    charges: tuple[Charge, ...] = CHARGES,
) -> Offence | None:
    """What the checks say of this ledger."""
    return verify_account(account, grants, journal, notes, holds, charges)


def others(value: object) -> Iterator[object]:
    """Values that differ from this one as little as possible."""
    match value:
        case bytes():
            yield value + b"\0"
            for place in range(len(value)):
                yield value[:place] + bytes([value[place] ^ 1]) + value[place + 1 :]
        case EntryKind() | Origin() | Category() | HoldState():
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
            yield from other_tuples(value)
        case _:
            raise AssertionError(value)


def other_tuples(value: tuple[Any, ...]) -> Iterator[object]:
    """One part fewer, all twice, and one part changed in every way."""
    if value:
        yield value[:-1]
        yield (*value, *value)
    for place, part in enumerate(value):
        for changed in changes(part):
            yield (*value[:place], changed, *value[place + 1 :])


def changes(record: Any) -> Iterator[Any]:
    """The record with one field changed, in every way."""
    for field in fields(record):
        for other in others(getattr(record, field.name)):
            yield replace(record, **{field.name: other})


def test_the_ledger_verifies_as_it_is() -> None:
    assert offence() is None
    assert offence(notes={}) is None
    assert verify_account(ACCOUNT, reversed(GRANTS), JOURNAL, {}, reversed(HOLDS), reversed(CHARGES)) is None


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
        # Time-outs may be looked for too early.
        if changed.next_timeout >= ACCOUNT.next_timeout:
            assert offence(account=changed) is not None, changed


def test_every_change_of_a_grant_is_found() -> None:
    for place, each in enumerate(GRANTS):
        for changed in changes(each):
            assert offence(grants=(*GRANTS[:place], changed, *GRANTS[place + 1 :])) is not None, changed


def test_every_change_of_a_hold_is_found() -> None:
    for place, each in enumerate(HOLDS):
        for changed in changes(each):
            assert offence(holds=(*HOLDS[:place], changed, *HOLDS[place + 1 :])) is not None, changed


def test_every_change_of_a_charge_is_found() -> None:
    for place, each in enumerate(CHARGES):
        for changed in changes(each):
            assert offence(charges=(*CHARGES[:place], changed, *CHARGES[place + 1 :])) is not None, changed


def test_missing_and_invented_holds_and_charges_are_found() -> None:
    for place in range(len(HOLDS)):
        assert offence(holds=(*HOLDS[:place], *HOLDS[place + 1 :])) is not None
    assert offence(holds=(*HOLDS, replace(HOLDS[0], id=HoldId(5)))) is not None
    for place in range(len(CHARGES)):
        assert offence(charges=(*CHARGES[:place], *CHARGES[place + 1 :])) is not None
    assert offence(charges=(*CHARGES, replace(CHARGES[0], number=9))) is not None


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
    assert verify_account(earlier.customer.account, earlier.all_grants.values(), JOURNAL[:1], {}) is None


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


def entry(kind: EntryKind, number: int = 0) -> int:
    """The place of the entry of this kind, of several the so manieth."""
    return [place for place, each in enumerate(JOURNAL) if each.kind is kind][number]


def forgeries() -> Iterator[tuple[int, dict[str, Any], str]]:
    """A place, what is changed there, and what is found."""
    first, spent = JOURNAL[0], JOURNAL[3]
    yield 0, {"amount": 6}, "moves 5 but says 6"
    yield 0, {"balance_after": 6}, "makes 0 and 5 a balance of 6"
    yield 0, {"held_after": 1}, "makes 0 and 0 held credits of 1"
    yield 0, {"debt_after": 1}, "makes 0 and 0 a debt of 1"
    yield 3, {"moves": moved(spent, amount=50), "amount": -52}, "takes 50 from grant 3, which has less"
    yield 0, {"moves": ()}, "moves nothing"
    yield 0, {"moves": moved(first, amount=6)}, "moves 6 but says 5"
    yield 0, {"moves": moved(first, line=1)}, "has a malformed move 0"
    yield 0, {"moves": moved(first, amount=-5)}, "has a malformed move 0"
    yield 0, {"moves": moved(first, amount=0), "amount": 0}, "has a malformed move 0"
    yield 0, {"moves": moved(first, grant_number=2)}, "makes grant 2 where grant 1 is due"
    yield 0, {"moves": moved(first, debit="used")}, "moves credits from used to grant, which no grant does"
    yield 0, {"kind": EntryKind.HOLD}, "moves credits from issued to grant, which no hold does"
    yield 3, {"moves": moved(spent, credit="expired")}, "moves credits from grant to expired, which no spend does"
    yield 3, {"moves": moved(spent, grant_number=9)}, "moves credits of grant 9, which there isn't"
    yield 3, {"moves": moved(spent, grant_number=0)}, "moves credits of no grant"
    yield 3, {"moves": moved(spent, amount=5)}, "takes 5 from grant 3, which has less"
    yield 1, {"recorded_at": day(11, 1)}, "was booked before its predecessor"
    yield 1, {"reference": "plan:pro"}, "grant 2 has other terms than its entry"
    yield 3, {"hold_id": HoldId(7)}, "names a hold that it can't concern"
    yield 3, {"reverses": 1}, "names the wrong entry as taken back"
    yield 3, {"unit": "fix"}, "has entries of another unit than credit"
    reversal = entry(EntryKind.REVERSE)
    yield reversal, {"reverses": 0}, "names the wrong entry as taken back"
    yield reversal, {"reverses": reversal + 1}, "names the wrong entry as taken back"
    yield reversal, {"key": "another"}, "names the wrong entry as taken back"
    for itself_or_none in (reversal + 1, 0):
        named = {"reverses": itself_or_none, "key": f"reverse:{itself_or_none}"}
        yield reversal, named, "names the wrong entry as taken back"
    forgiven = entry(EntryKind.ADJUST)
    yield forgiven, {"moves": moved(JOURNAL[forgiven], amount=9), "debt_after": -5}, "makes 4 and -9 a debt of -5"
    yield from forged_holds()
    refunded = entry(EntryKind.CLAWBACK)
    yield refunded, {"reference": "grant:5 reversed:2"}, ""
    yield (
        entry(EntryKind.REINSTATE),
        {"reference": "grant:5 reversed:21"},
        "grant 5 has reversed: 10, 21 by the journal",
    )
    yield entry(EntryKind.REINSTATE), {"reference": "reversed:21"}, "moves credits of grant 0, which there isn't"


def forged_holds() -> Iterator[tuple[int, dict[str, Any], str]]:
    """The same of holds."""
    made, last = entry(EntryKind.HOLD), entry(EntryKind.HOLD, -1)
    work, gone = JOURNAL[made].hold_id, JOURNAL[entry(EntryKind.HOLD, 1)].hold_id
    yield made, {"hold_id": 0}, "makes hold 0, which it can't"
    yield last, {"hold_id": work}, f"makes hold {work}, which it can't"
    yield last, {"reference": "repository:7#12"}, "makes a hold without saying until when"
    yield last, {"reference": "until:soon"}, "makes a hold without saying until when"
    captured = entry(EntryKind.CAPTURE)
    yield captured, {"hold_id": 5}, "concerns hold 5, which isn't open"
    yield entry(EntryKind.RELEASE), {"hold_id": work}, f"concerns hold {work}, which isn't open"
    fewer = JOURNAL[entry(EntryKind.RELEASE)].moves[:-1]
    yield entry(EntryKind.RELEASE), {"moves": fewer}, f"ends hold {gone} with other credits than it held"
    yield entry(EntryKind.EXTEND), {"reference": ""}, f"hold {work} has expires_at: 2026-12-09 00:00:00+00:00, "
    timed_out = entry(EntryKind.RELEASE, 1)
    lost = JOURNAL[timed_out].hold_id
    yield timed_out, {"key": "release"}, f"hold {lost} has state: timed_out, released by the journal"
    bought = next(place for place, each in enumerate(JOURNAL) if each.key == "all")
    yield bought, {"hold_id": 0}, "makes hold 0, which it can't"


@pytest.mark.parametrize(("place", "changed", "problem"), list(forgeries()))
def test_a_forged_chain_still_has_to_add_up(place: int, changed: dict[str, Any], problem: str) -> None:
    journal, account = forged(place, **changed)
    found = offence(account=account, journal=journal, notes={})
    assert (found is None) == (not problem)
    if found is not None:
        assert found.problem.startswith(problem)
        assert found.seq == (0 if problem.startswith(("grant ", "hold ", "has entries of")) else place + 1)


def test_a_forgery_that_adds_up_is_not_found_by_itself() -> None:
    # A chain without a key proves order, not authorship: of one who rewrites it whole only a head kept elsewhere tells.
    journal, account = forged(3, actor="key:2")
    assert offence(account=account, journal=journal, notes={}) is None


def test_a_grant_that_a_forger_made_longer_is_found() -> None:
    longer = (replace(GRANTS[1], expires_at=day(12, 31)), *GRANTS[:1], *GRANTS[2:])
    found = offence(grants=longer)
    assert found is not None
    assert found.problem == "grant 2 has other terms than its entry"


def test_a_journal_is_read_page_by_page() -> None:
    audit = Audit(ACCOUNT_ID)
    for start in range(0, len(JOURNAL), 2):
        assert audit.read(JOURNAL[start : start + 2], HISTORY.notes) is None
    assert audit.close(ACCOUNT, GRANTS, HOLDS, CHARGES) is None
    assert audit.read([replace(JOURNAL[0], account_id=AccountId(99))], {}) == Offence(
        account_id=ACCOUNT_ID, seq=1, problem="belongs to account 99"
    )


def test_an_older_encoding_does_not_come_back() -> None:
    """It leaves more of an entry out of its hash: whoever could go back to it could forge the rest."""
    history = History()
    history.install()
    for number in range(2):
        history.do(spend(1, key=f"s{number}"))
    account, (first, second, third) = history.customer.account, history.journal

    def found(*versions: int) -> Offence | None:
        journal: list[Entry] = []
        for entry, version in zip((first, second, third), versions, strict=True):
            head = journal[-1].hash if journal else entry.previous_hash
            linked = replace(entry, hash_version=version, previous_hash=head)
            journal.append(replace(linked, hash=hash_entry(linked)))
        grants = tuple(history.all_grants.values())
        return verify_account(replace(account, head=journal[-1].hash), grants, journal, {})

    assert [found(*versions) for versions in ((1, 1, 1), (1, 1, 2), (1, 2, 2), (2, 2, 2))] == [None] * 4
    problem = "is of an older encoding than the one before it"
    assert found(1, 2, 1) == Offence(account_id=account.id, seq=3, problem=problem)
    assert found(2, 1, 2) == Offence(account_id=account.id, seq=2, problem=problem)

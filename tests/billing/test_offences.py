"""The words of an offence: they say what is stored and what the journal says, so that whoever reads them can look."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from billing.ledger.chain import hash_entry
from billing.ledger.entries import Entry, Move
from billing.ledger.tracks import Tracks
from billing.ledger.verify import Audit, Offence, verify_account
from billing.values import NEVER, AccountId, HoldState, Origin
from tests.billing.builders import ACCOUNT_ID, History, day, spend
from tests.billing.looks import held
from tests.billing.requests import buy, capture, hold, release
from tests.billing.test_verify import ACCOUNT, CHARGES, GRANTS, HISTORY, HOLDS, JOURNAL, offence

T = TypeVar("T")


def with_one(records: tuple[T, ...], place: int, **changed: Any) -> tuple[T, ...]:
    """The records with one of them changed."""
    record: Any = records[place]
    return (*records[:place], replace(record, **changed), *records[place + 1 :])


def broken_accounts() -> Iterator[tuple[dict[str, Any], str]]:
    """What is changed of the account, and what is found."""
    yield {"version": 27}, "has 27 entries by its head, 26 in fact"
    yield {"head": bytes(32)}, "has another head than its last entry"
    yield {"posted": 7}, "has 7 posted, 6 by its journal"
    yield {"held": 5}, "has 5 held, 6 by its journal"
    yield {"debt": 1}, "has 1 debt, 0 by its journal"
    yield {"unit": "fix"}, "has entries of another unit than fix"
    yield {"booked_at": day(12, 10)}, "was booked at another time than its last entry"
    yield {"grants_made": 9}, "made 9 grants by its head, 8 in fact"
    yield (
        {"next_expiry": day(12, 23)},
        "expires next at 2026-12-23 00:00:00+00:00, 9999-12-31 23:59:59+00:00 by its grants",
    )
    yield (
        {"next_timeout": day(12, 13)},
        "looks for time-outs at 2026-12-13 00:00:00+00:00, one is due at 2026-12-12 00:00:00+00:00",
    )
    yield (
        {"next_timeout": NEVER},
        "looks for time-outs at 9999-12-31 23:59:59+00:00, one is due at 2026-12-12 00:00:00+00:00",
    )


@pytest.mark.parametrize(("changed", "problem"), list(broken_accounts()))
def test_an_account_that_differs_is_told_with_both_figures(changed: dict[str, Any], problem: str) -> None:
    account = replace(ACCOUNT, **changed)
    assert offence(account=account) == Offence(account_id=ACCOUNT_ID, seq=0, problem=problem)


def test_another_account_is_not_taken_for_the_audited_one() -> None:
    audit = Audit(ACCOUNT_ID)
    assert audit.read(JOURNAL, HISTORY.notes) is None
    found = audit.close(replace(ACCOUNT, id=AccountId(99)), GRANTS, HOLDS, CHARGES)
    assert found == Offence(account_id=ACCOUNT_ID, seq=0, problem="is account 99")


def broken_tables() -> Iterator[tuple[dict[str, Any], str]]:
    """Grants, holds or charges that differ from the journal, and what is found."""
    yield {"grants": GRANTS[:-1]}, "has grants missing or too many"
    yield {"grants": with_one(GRANTS, 4, origin=Origin.PLAN)}, "grant 5 has other terms than its entry"
    yield {"grants": with_one(GRANTS, 4, spent=19)}, "grant 5 has spent: 19, 20 by the journal"
    yield {"grants": with_one(GRANTS, 4, reversed=0)}, "grant 5 has reversed: 0, 10 by the journal"
    yield {"holds": HOLDS[:-1]}, "has holds missing or too many"
    yield {"holds": with_one(HOLDS, 4, account_id=AccountId(99))}, "hold 1023 belongs to account 99"
    yield {"holds": with_one(HOLDS, 4, paid_units=3)}, "hold 1023 has other terms than its entry"
    yield (
        {"holds": with_one(HOLDS, 4, shares=())},
        "hold 1023 has shares: (), (HoldShare(grant_number=8, amount=6),) by the journal",
    )
    yield {"holds": with_one(HOLDS, 4, state=HoldState.RELEASED)}, "hold 1023 has state: released, open by the journal"
    yield {"holds": with_one(HOLDS, 0, captured=4)}, "hold 1008 has captured: 4, 5 by the journal"
    yield (
        {"holds": with_one(HOLDS, 4, expires_at=day(12, 14))},
        "hold 1023 has expires_at: 2026-12-14 00:00:00+00:00, 2026-12-12 00:00:00+00:00 by the journal",
    )
    yield {"charges": CHARGES[:-1]}, "has charges missing or too many"
    yield {"charges": with_one(CHARGES, 1, amount_cents=1)}, "charge 2 of hold 1018 differs from its entry"


@pytest.mark.parametrize(("tables", "problem"), list(broken_tables()))
def test_a_row_that_differs_is_told_with_its_number(tables: dict[str, Any], problem: str) -> None:
    assert offence(**tables) == Offence(account_id=ACCOUNT_ID, seq=0, problem=problem)


def test_of_what_doesnt_differ_nothing_is_said() -> None:
    tracks = Tracks()
    for entry in JOURNAL:
        tracks.follow(entry)
    assert [tracks.grants[grant.number].differs(grant) for grant in GRANTS] == [""] * len(GRANTS)
    assert [tracks.holds[hold.id].differs(hold) for hold in HOLDS] == [""] * len(HOLDS)


def broken_journals() -> Iterator[tuple[tuple[Entry, ...], str]]:
    """Journals whose entry 4 is broken, and what is found there."""
    yield (*JOURNAL[:3], *JOURNAL[4:]), "follows entry 3: those between are missing"
    yield with_one(JOURNAL, 3, account_id=AccountId(99)), "belongs to account 99"
    yield with_one(JOURNAL, 3, previous_hash=bytes(32)), "doesn't follow the entry before it"
    yield with_one(JOURNAL, 3, hash_version=3), "is of an encoding that there isn't"
    yield with_one(JOURNAL, 3, amount=-7), "was changed: its hash is another"


@pytest.mark.parametrize(("journal", "problem"), list(broken_journals()))
def test_an_entry_that_is_no_link_of_the_chain_is_told(journal: tuple[Entry, ...], problem: str) -> None:
    # Of a missing entry the next one tells.
    seq = next(entry.seq for place, entry in enumerate(journal) if entry != JOURNAL[place])
    assert offence(journal=journal) == Offence(account_id=ACCOUNT_ID, seq=seq, problem=problem)


def test_another_note_is_told_with_its_entry() -> None:
    notes = {3: replace(HISTORY.notes[3], text="another")}
    problem = "has another note than it was booked with"
    assert offence(notes=notes) == Offence(account_id=ACCOUNT_ID, seq=3, problem=problem)


def test_a_release_gives_back_nothing_that_another_hold_holds() -> None:
    history = History()
    history.install()
    first = held(history, history.do(hold(5, key="first")))
    history.do(buy(3, key="pack"))
    history.do(hold(3, key="second"))
    history.do(release(first, key="release"))
    *before, last = history.journal
    more = Move(line=1, debit="held", credit="grant", grant_number=2, amount=1)
    last = replace(last, moves=(*last.moves, more), held_after=2)
    last = replace(last, hash=hash_entry(last))
    account = replace(history.customer.account, head=last.hash, held=2)
    found = verify_account(account, history.all_grants.values(), (*before, last), {}, history.all_holds.values())
    problem = f"ends hold {first} with other credits than it held"
    assert found == Offence(account_id=ACCOUNT_ID, seq=last.seq, problem=problem)


def test_a_caller_whose_reference_imitates_our_words_breaks_nothing() -> None:
    history = History()
    history.install()
    imitated = f"grant:1 reversed:3 until:1 hold:{'0' * 32} terms:{'0' * 32}"
    history.do(spend(1, key="spend", reference=imitated))
    work = held(history, history.do(hold(2, key="work", reference=imitated)))
    history.do(capture(work, 1, key="done"))
    assert history.journal[-1].reference == imitated
    assert offence_of(history) is None


def offence_of(history: History) -> Offence | None:
    """What the checks say of the history's ledger."""
    account, grants = history.customer.account, history.all_grants.values()
    return verify_account(account, grants, history.journal, history.notes, history.all_holds.values(), history.charges)

"""How an account stood back then: rebuilt from the journal, it is what was stored at that time."""

import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from billing.explain import Told
from billing.ledger.balance import Balance
from billing.ledger.entries import Entry
from billing.ledger.history import Rereading
from billing.values import EPOCH, NEVER
from tests.billing.builders import History, grant, spend
from tests.billing.random_requests import random_request
from tests.billing.requests import hold
from tests.billing.retelling import as_of, balance_at, booked_by


@pytest.mark.parametrize("seed", range(8))
def test_what_the_journal_tells_is_what_was_stored_then(seed: int) -> None:
    random, history = Random(seed), History()
    history.install()
    stored = {}
    for number in range(100):
        history.do(random_request(random, number, history.now, sorted(history.all_holds)))
        stored[len(history.journal)] = (history.customer.account, dict(history.all_grants), dict(history.all_holds))
        history.wait(hours=random.randint(0, 3))
    account, grants, holds = history.customer.account, history.all_grants.values(), history.all_holds.values()
    assert len(stored) > 20
    for seq, (account_then, grants_then, holds_then) in stored.items():
        past = as_of(account, grants, holds, history.journal[:seq])
        assert replace(past.account, next_timeout=NEVER) == replace(account_then, next_timeout=NEVER)
        assert past.account.next_timeout >= account_then.next_timeout, "the stored one is a lower bound"
        assert {each.number: each for each in past.grants} == grants_then
        assert {each.id: each for each in past.holds} == holds_then


def test_a_moment_counts_what_was_due_by_then_but_booked_later() -> None:
    history = History()
    history.install()
    start = history.now
    history.do(grant(4, key="a", expires_at=start + timedelta(hours=6)))
    history.do(hold(3, key="b", lasts=timedelta(hours=2)))
    history.wait(hours=10)
    history.do(spend(1, key="c"))
    account, grants, holds = history.customer.account, history.all_grants.values(), history.all_holds.values()

    def available(hours: float) -> tuple[int, int]:
        moment = start + timedelta(hours=hours)
        past = as_of(account, grants, holds, booked_by(history.journal, moment))
        balance = balance_at(past, moment)
        return balance.available, balance.held

    assert available(1) == (6, 3)
    assert available(2) == (9, 0), "the hold had timed out"
    assert available(6) == (5, 0), "and the credits had expired"
    assert available(10) == (4, 0)


def test_before_the_first_entry_there_was_nothing() -> None:
    history = History()
    history.install()
    past = as_of(history.customer.account, history.all_grants.values(), (), booked_by(history.journal, EPOCH))
    assert (past.account.version, past.account.posted, past.grants, past.holds) == (0, 0, (), ())
    assert balance_at(past, history.now) == Balance(available=0, held=0, debt=0)


@pytest.mark.parametrize("follower", [Rereading, Told])
def test_what_is_kept_of_a_journal_does_not_grow_with_its_entries(follower: type[Rereading | Told]) -> None:
    history = History()
    history.install()
    history.do(spend(1, key="k"))
    first, second = history.journal

    def journal(count: int) -> Iterator[Entry]:
        yield first
        for seq in range(2, count + 1):
            yield replace(second, seq=seq, moves=())

    def peak(work: Callable[[Iterable[Entry]], object]) -> int:
        """The most bytes that were in use while a long journal went by."""
        tracemalloc.start()
        try:
            work(journal(10_000))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(follower().read) < 50_000
    assert peak(list) > 1_000_000, "that is how much a whole one takes"

"""Whoever crosses a threshold on the way down is told once, in the spend's own transaction; recovery arms it again."""

import pytest

from billing.commands import Command
from billing.records import LowBalance
from tests.billing.builders import ACCOUNT_ID, CUSTOMER_ID, PRO, ROLLING, History, day, grant, revoke, spend, truth
from tests.billing.looks import held, since
from tests.billing.requests import adjust, buy, capture, hold, refund


@pytest.fixture
def history() -> History:
    """Five credits on the trial plan, which tells at 1 and at 0."""
    history = History()
    history.install()
    return history


def told(history: History) -> list[tuple[int, int]]:
    """The thresholds that were told of, with the balance by then."""
    return [(each.threshold, each.balance) for each in history.told]


def test_crossing_is_told_with_the_entry_by_which_it_happened(history: History) -> None:
    decision = history.do(spend(4, key="a"))
    assert decision.low_balances == (
        LowBalance(customer_id=CUSTOMER_ID, account_id=ACCOUNT_ID, threshold=1, balance=1, seq=2, at=history.now),
    )


def test_nothing_is_told_above_or_again_below(history: History) -> None:
    history.do(spend(3, key="a"))
    assert told(history) == []
    history.do(spend(1, key="b"))
    history.do(spend(1, key="c"))
    assert told(history) == [(1, 1), (0, 0)]
    history.do(spend(1, key="refused"))
    assert len(told(history)) == 2


def test_of_several_thresholds_at_once_the_lowest_is_told(history: History) -> None:
    history.do(spend(5, key="a"))
    assert told(history) == [(0, 0)]


def test_a_recovery_arms_it_again(history: History) -> None:
    history.do(spend(4, key="a"))
    history.do(grant(1, key="b"))
    history.do(spend(1, key="c"))
    assert told(history) == [(1, 1), (1, 1)]


def test_reaching_a_threshold_from_below_tells_nothing(history: History) -> None:
    history.do(spend(5, key="a"))
    history.do(grant(1, key="b"))
    assert told(history) == [(0, 0)]


def test_holding_tells_nothing_and_capturing_does(history: History) -> None:
    work = held(history, history.do(hold(5, key="work")))
    assert told(history) == []
    history.do(capture(work, 4, key="done"))
    assert told(history) == [(1, 1)]


@pytest.mark.parametrize("command", [revoke(5, key="k"), adjust(-5, key="k")])
def test_credits_taken_back_tell_too(history: History, command: Command) -> None:
    history.do(command)
    assert told(history) == [(0, 0)]


def test_a_refund_tells_too(history: History) -> None:
    history.do(spend(5, key="all"))
    history.do(buy(9, key="pack"))
    history.do(refund(2, 600, key="r"))
    assert told(history) == [(0, 0), (0, 0)]


def test_an_expiry_tells_when_it_is_booked(history: History) -> None:
    history.do(grant(9, key="a", expires_at=day(12, 2)))
    history.do(spend(8, key="b"))
    history.do(spend(1, key="c"))
    history.do(spend(4, key="d"))
    assert told(history) == [(1, 1)]
    history.do(grant(9, key="e", expires_at=day(12, 3)))
    history.now = day(12, 4)
    history.do(spend(9, key="refused"))
    assert told(history) == [(1, 1), (1, 1)]
    assert history.told[-1].seq == len(history.journal)


def test_the_thresholds_are_those_of_the_effective_plan(history: History) -> None:
    history.follow(truth(PRO), effective_at=day(12, 1))
    history.do(spend(54, key="a"))
    assert told(history) == []
    history.do(spend(1, key="b"))
    history.do(spend(1, key="below it already"))
    assert told(history) == [(10, 10)]


def test_what_is_repaid_from_a_new_grant_tells_nothing(history: History) -> None:
    history.do(spend(5, key="a"))
    history.told.clear()
    history.do(adjust(-3, key="b"))
    history.do(buy(2, key="c"))
    assert told(history) == []


def test_a_new_month_tells_only_what_it_comes_to(history: History) -> None:
    history.follow(truth(ROLLING, billed_at=day(12, 20)), effective_at=day(11, 20))
    history.now = day(12, 21)
    history.follow(truth(ROLLING, billed_at=day(1, 20, year=2027)), "changed")
    assert told(history) == []


def test_what_is_waived_is_not_what_crossed(history: History) -> None:
    history.is_billing_on = False
    seq = len(history.journal)
    history.do(spend(9, key="a"))
    assert since(history, seq) == [("spend", -5), ("waive", 0)]
    assert [each.seq for each in history.told] == [seq + 1]

"""Rule 1: whole credits, never below zero; a shortfall is debt, which what was paid for repays and gifts don't."""

from dataclasses import replace

import pytest

from billing.commands import KeyedCommand
from billing.values import Origin
from tests.billing.builders import PRO, History, day, grant, spend, truth
from tests.billing.looks import figures, moves, places, since
from tests.billing.requests import adjust, buy, hold, usage


def owing(count: int) -> History:
    """A customer without credits, who owes so many."""
    history = History()
    history.install()
    history.do(spend(5, key="all"))
    history.do(usage(count, key="late", at=history.now))
    assert figures(history) == (0, 0, count)
    return history


def test_rule_01_a_shortfall_is_debt_and_never_a_negative_balance() -> None:
    history = owing(3)
    entry = history.journal[-1]
    assert (entry.kind, entry.amount, entry.balance_after, entry.debt_after) == ("spend", 0, 0, 3)
    assert moves(history, entry.seq) == [("debt", "used", 0, 3)]
    assert history.customer.account.debt == 3


def test_rule_01_what_was_bought_repays_debt_before_it_can_be_spent() -> None:
    history = owing(3)
    history.do(buy(10, key="pack"))
    granted, repaid = history.journal[-2:]
    assert since(history, 3) == [("grant", 10), ("repay", -3)]
    assert (repaid.key, repaid.actor, repaid.reference) == (f"repay:{repaid.seq}", "clock", "grant:2")
    assert moves(history, repaid.seq) == [("grant", "debt", 2, 3)]
    assert (granted.debt_after, repaid.debt_after) == (3, 0)
    assert places(history, 2) == {"remaining": 7, "spent": 3}, "what repays a debt counts as spent"
    assert figures(history) == (7, 0, 0)


def test_rule_01_a_purchase_smaller_than_the_debt_goes_into_it_whole() -> None:
    history = owing(3)
    history.do(buy(2, key="pack"))
    assert figures(history) == (0, 0, 1)
    assert places(history, 2) == {"spent": 2}


def test_rule_01_plan_credits_repay_debt_first() -> None:
    history = owing(4)
    history.follow(truth(PRO), effective_at=day(12, 1))
    assert since(history, 3) == [("grant", 60), ("repay", -4)]
    assert figures(history) == (56, 0, 0)


def test_rule_01_sign_up_credits_repay_nothing() -> None:
    history = History()
    history.follow(truth(PRO), effective_at=day(12, 1))
    history.do(spend(60, key="all"))
    history.do(usage(2, key="late", at=history.now))
    history.install()
    assert figures(history) == (5, 0, 2)


@pytest.mark.parametrize("gift", [grant(3, key="gift"), adjust(5, key="gift")])
def test_rule_01_goodwill_repays_nothing(gift: KeyedCommand) -> None:
    history = owing(2)
    history.do(gift)
    # An adjustment forgives debt, which is another thing: nobody's credits are used for it.
    assert history.balance.available == 3
    assert not [entry for entry in history.journal if entry.kind == "repay"]


def test_rule_01_credits_brought_along_repay_nothing() -> None:
    history = owing(2)
    history.do(replace(buy(3, key="moved"), origin=Origin.MIGRATION))
    assert figures(history) == (3, 0, 2)


def test_rule_01_what_is_available_is_the_balance_less_what_is_held() -> None:
    history = History()
    history.install()
    history.do(hold(4, key="work"))
    assert figures(history) == (1, 4, 0)
    assert history.customer.account.posted == 5


def test_rule_01_debt_doesnt_keep_given_credits_from_being_spent() -> None:
    history = owing(2)
    history.do(grant(3, key="gift"))
    history.do(spend(3, key="fix"))
    assert figures(history) == (0, 0, 2)

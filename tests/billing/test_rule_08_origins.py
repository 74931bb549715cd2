"""Rule 8: what can be granted by request, and what each origin of credits counts as."""

from dataclasses import replace

import pytest

from billing.errors import InvalidOriginError
from billing.values import NEVER, Category, Origin
from tests.billing.builders import History, grant, spend
from tests.billing.looks import moves, refusal, written
from tests.billing.requests import buy


@pytest.mark.parametrize(
    ("origin", "category"),
    [
        (Origin.GOODWILL, Category.PROMOTIONAL),
        (Origin.PURCHASE, Category.PAID),
        (Origin.MIGRATION, Category.PAID),
    ],
)
def test_rule_08_what_can_be_granted_by_request(origin: Origin, category: Category) -> None:
    history = History()
    history.install()
    seq = written(history.do(replace(buy(20, key="k"), origin=origin)))
    made = history.all_grants[2]
    assert (made.origin, made.category, made.expires_at, made.priority) == (origin, category, NEVER, 50)
    assert history.journal[seq - 1].reference.startswith("payment:1 terms:")


@pytest.mark.parametrize(
    "origin", [Origin.SIGNUP, Origin.PAYMENT_METHOD, Origin.PLAN, Origin.CHARGED, Origin.REFUND_REVERSAL]
)
def test_rule_08_what_comes_about_by_itself_cant_be_asked_for(origin: Origin) -> None:
    history = History()
    history.install()
    error = refusal(history.do(replace(grant(20, key="k"), origin=origin)))
    assert isinstance(error, InvalidOriginError)
    assert error.origin == origin.value


def test_rule_08_bought_credits_have_a_note_only_if_somebody_wrote_one() -> None:
    history = History()
    history.install()
    seq = written(history.do(buy(20, key="k")))
    assert seq not in history.notes
    assert history.journal[seq - 1].note_hash == b""


def test_rule_08_given_credits_burn_before_bought_ones() -> None:
    history = History()
    history.do(buy(2, key="nobody"))
    history.install()
    history.do(buy(2, key="bought"))
    history.do(grant(2, key="given"))
    seq = written(history.do(spend(8, key="s")))
    assert [move[2] for move in moves(history, seq)] == [1, 3, 2]

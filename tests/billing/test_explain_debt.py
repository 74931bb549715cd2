"""What debt tells of a balance: which entries made it, and what made up for it."""

from tests.billing.builders import FREE, History, day, grant, spend, truth
from tests.billing.requests import buy, refund, usage
from tests.billing.test_explain import story, taken_apart


def test_the_first_entry_of_all_can_make_debt() -> None:
    history = History()
    history.follow(truth(FREE), effective_at=day(12, 1))
    history.do(usage(1, key="late", at=history.now))
    history.do(grant(2, key="goodwill"))
    assert [each.seq for each in taken_apart(history).debt_entries] == [1], "what was given makes up for no debt"


def test_what_others_made_up_for_comes_back_to_the_refunded_grant() -> None:
    history = History()
    history.install()
    history.do(buy(10, key="pack"))
    history.do(spend(12, key="fix"))
    history.do(refund(2, 600, key="refunded"))
    assert taken_apart(history).debt == 7
    history.do(buy(20, key="another"))
    assert taken_apart(history).stories[-1] == story(history, 3, repaid=7, left=13)
    history.do(refund(2, 0, key="failed"))
    assert story(history, 2, used=7, repaid=-7, left=10) in taken_apart(history).stories

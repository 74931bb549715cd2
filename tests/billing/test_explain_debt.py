"""What debt tells of a balance: which entries made it, and what made up for it."""

from billing.explain import Told
from tests.billing.builders import FREE, History, day, grant, spend, truth
from tests.billing.requests import buy, refund, usage
from tests.billing.test_explain import story, taken_apart


def test_the_first_entry_of_all_can_make_debt() -> None:
    history = History()
    history.follow(truth(FREE), effective_at=day(12, 1))
    history.do(usage(1, key="late", at=history.now))
    history.do(grant(2, key="goodwill"))
    assert [each.seq for each in taken_apart(history).debt_entries] == [1], "what was given makes up for no debt"


def repaid_by_another() -> History:
    """Grant 2 was refunded when seven of its credits were spent, which grant 3 made up for; then its refund failed."""
    history = History()
    history.install()
    history.do(buy(10, key="pack"))
    history.do(spend(12, key="fix"))
    history.do(refund(2, 600, key="refunded"))
    assert taken_apart(history).debt == 7
    history.do(buy(20, key="another"))
    assert taken_apart(history).stories[-1] == story(history, 3, repaid=7, left=13)
    history.do(refund(2, 0, key="failed"))
    return history


def test_what_others_made_up_for_comes_back_to_the_refunded_grant() -> None:
    history = repaid_by_another()
    assert story(history, 2, used=7, repaid=-7, left=10) in taken_apart(history).stories


def test_what_comes_back_twice_is_added_up() -> None:
    history = repaid_by_another()
    history.do(spend(8, key="another fix"))
    history.do(refund(2, 600, key="refunded again"))
    assert taken_apart(history).debt == 8
    history.do(buy(20, key="a third"))
    history.do(refund(2, 0, key="failed again"))
    assert story(history, 2, used=15, repaid=-15, left=10) in taken_apart(history).stories


def test_looking_ahead_leaves_what_the_journal_tells_as_it_is() -> None:
    journal = repaid_by_another().journal
    whole = Told()
    whole.read(journal)
    for count in range(len(journal)):
        told, same = Told(), Told()
        told.read(journal[:count])
        same.read(journal[:count])
        assert told.and_then(journal[count:]) == whole
        assert told == same

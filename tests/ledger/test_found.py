"""What the simulation found, each in as few steps as it takes."""

from datetime import timedelta

from billing.values import EntryKind
from tests.billing.builders import ROLLING, History, day, spend, truth
from tests.billing.requests import buy, hold, usage

HOUR = timedelta(hours=1)


def test_what_expired_before_a_hold_timed_out_expired_at_its_own_time() -> None:
    history = History()
    history.install()
    start = history.now
    history.do(spend(5, key="what the sign-up gave"))
    history.do(buy(10, key="bought", expires_at=start + HOUR))
    history.do(hold(4, key="work", lasts=3 * HOUR))
    history.wait(hours=9)
    history.do(buy(1, key="later"))

    expiries = [entry for entry in history.journal if entry.kind is EntryKind.EXPIRE]
    assert [(entry.occurred_at, entry.amount) for entry in expiries] == [(start + HOUR, -6), (start + 3 * HOUR, -4)]


def test_usage_is_not_paid_by_credits_of_the_month_before_once_the_next_one_had_them_expire() -> None:
    history = History(now=day(11, 20))
    history.follow(truth(ROLLING, billed_at=day(12, 20)), effective_at=day(11, 20))
    history.now = day(12, 20, 1)
    history.follow(truth(ROLLING, billed_at=day(1, 20, year=2027)), "changed")
    assert history.available == 85
    history.wait(hours=1)
    history.do(usage(3, key="now", at=history.now))
    history.do(usage(2, key="in the old month", at=day(12, 19)))

    moves = [[(move.debit, move.grant_number) for move in entry.moves] for entry in history.journal[-2:]]
    assert moves == [[("grant", 2)], [("expired", 1)]]
    assert history.available == 82

"""Rule 8: the next month's grant ends the month before, for what is left over and for what returns later."""

from datetime import datetime, timedelta

from billing.ledger.months import months_by
from billing.values import HoldId, Origin
from tests.billing.builders import FREE, PRO, ROLLING, History, day, spend, truth
from tests.billing.looks import figures, held, places, since, written
from tests.billing.requests import capture, hold, refund, release, reverse, usage
from tests.billing.retelling import as_of, balance_at, booked_by

LONG = timedelta(days=20)
RENEWED_AT = day(12, 10, 1)


def begun(plan: int = PRO) -> History:
    """A month of 60 credits from November 10th (grant 1); now is December 9th, a day before it ends."""
    history = History(now=day(11, 11))
    history.follow(truth(plan, billed_at=day(12, 10)), effective_at=day(11, 10))
    history.now = day(12, 9)
    return history


def renew(history: History, plan: int = PRO) -> None:
    """The next month: the first by its own clock would live to December 13th."""
    history.now = RENEWED_AT
    history.follow(truth(plan, billed_at=day(1, 10, year=2027)), "changed")


def with_hold(count: int, plan: int = PRO, *, lasts: timedelta = LONG) -> tuple[History, HoldId]:
    """A month begun, and a hold on it."""
    history = begun(plan)
    return history, held(history, history.do(hold(count, key="work", lasts=lasts)))


def shown_at(history: History, moment: datetime) -> tuple[int, int, int]:
    """What the journal tells of a moment."""
    account, grants, holds = history.customer.account, history.all_grants.values(), history.all_holds.values()
    balance = balance_at(as_of(account, grants, holds, booked_by(history.journal, moment)), moment)
    return balance.available, balance.held, balance.debt


def test_rule_08_the_newest_month_counts_in_whatever_order_the_grants_are_read() -> None:
    history = begun()
    renew(history)
    grants = sorted(history.all_grants.values(), key=lambda grant: grant.number)
    assert months_by(grants) == months_by(grants[::-1]) == {"github_marketplace": day(12, 10)}


def test_rule_08_credits_held_at_the_renewal_expire_when_they_are_released() -> None:
    history, work = with_hold(10)
    renew(history)
    assert figures(history) == (60, 10, 0)
    history.now = day(12, 10, 2)
    seq = written(history.do(release(work, key="given up")))
    assert since(history, seq - 1) == [("release", 0), ("expire", -10)]
    assert history.journal[-1].occurred_at == day(12, 10, 2)
    assert figures(history) == (60, 0, 0)
    assert places(history, 1) == {"expired": 60}


def test_rule_08_a_hold_that_is_released_before_the_renewal_gives_its_credits_back() -> None:
    history, work = with_hold(10)
    history.now = day(12, 10)
    seq = written(history.do(release(work, key="given up")))
    assert since(history, seq - 1) == [("release", 0)]
    assert figures(history) == (60, 0, 0), "the month is over, but nothing has ended it"
    renew(history)
    assert since(history, seq) == [("expire", -60), ("grant", 60)]


def test_rule_08_without_a_renewal_what_returns_lives_on_for_three_days() -> None:
    history, work = with_hold(10)
    history.now = day(12, 12)
    history.do(release(work, key="given up"))
    assert figures(history) == (60, 0, 0)
    history.now = day(12, 13)
    assert figures(history) == (0, 0, 0)


def test_rule_08_the_rest_of_a_capture_after_the_renewal_expires() -> None:
    history, work = with_hold(10)
    renew(history)
    seq = written(history.do(capture(work, 4, key="done")))
    assert since(history, seq - 1) == [("capture", -4), ("expire", -6)]
    assert figures(history) == (60, 0, 0)
    assert places(history, 1) == {"spent": 4, "expired": 56}


def test_rule_08_a_time_out_after_the_renewal_returns_nothing() -> None:
    history, _ = with_hold(10, lasts=timedelta(days=2))
    renew(history)
    timeout = day(12, 11)
    history.now = timeout - timedelta(milliseconds=1)
    assert figures(history) == (60, 10, 0)
    history.now = timeout
    assert figures(history) == (60, 0, 0), "nothing of it is booked yet"
    history.now = day(12, 12)
    assert shown_at(history, history.now) == (60, 0, 0)
    history.do(spend(1, key="fix"))
    assert since(history, 4) == [("release", 0), ("expire", -10), ("spend", -1)]
    assert [entry.occurred_at for entry in history.journal[4:6]] == [timeout, timeout]
    assert shown_at(history, timeout - timedelta(milliseconds=1)) == (60, 10, 0)
    assert shown_at(history, timeout) == (60, 0, 0)


def test_rule_08_a_time_out_before_the_renewal_returns_what_the_renewal_ends() -> None:
    history, _ = with_hold(30, ROLLING, lasts=timedelta(days=1))
    renew(history, ROLLING)
    assert since(history, 2) == [("release", 0), ("expire", -60), ("grant", 25), ("grant", 60)]
    assert history.journal[2].occurred_at == day(12, 10)


def test_rule_08_held_credits_roll_over_into_no_month() -> None:
    history, work = with_hold(30, ROLLING)
    renew(history, ROLLING)
    assert figures(history) == (85, 30, 0)
    history.do(release(work, key="given up"))
    assert figures(history) == (85, 0, 0)
    assert since(history, 5) == [("release", 0), ("expire", -30)]


def test_rule_08_what_rolled_over_is_ended_by_the_renewal_after_it() -> None:
    history = begun(ROLLING)
    renew(history, ROLLING)
    rolled, month = history.all_grants[2], history.all_grants[3]
    assert (rolled.origin, rolled.amount, month.amount) == (Origin.PLAN, 25, 60)
    assert rolled.period_starts_at == month.period_starts_at == day(12, 10)
    history.now = day(1, 9, year=2027)
    work = held(history, history.do(hold(30, key="work", lasts=LONG)))
    assert (places(history, 2), places(history, 3)) == ({"held": 25}, {"remaining": 55, "held": 5})
    history.now = day(1, 10, 1, year=2027)
    history.follow(truth(ROLLING, billed_at=day(2, 10, year=2027)), "changed")
    assert figures(history) == (85, 30, 0)
    history.do(release(work, key="given up"))
    assert figures(history) == (85, 0, 0)
    assert (places(history, 2), places(history, 3)) == ({"expired": 25}, {"expired": 60})


def test_rule_08_the_renewal_doesnt_end_what_rolled_over_with_it() -> None:
    history = begun(ROLLING)
    renew(history, ROLLING)
    work = held(history, history.do(hold(30, key="work")))
    history.do(release(work, key="given up"))
    assert figures(history) == (85, 0, 0)
    assert (places(history, 2), places(history, 3)) == ({"remaining": 25}, {"remaining": 60})


def test_rule_08_two_renewals_end_both_months() -> None:
    history, work = with_hold(10)
    history.now = RENEWED_AT
    # The billing date moves, so that the second month has two days: neither is over by its own clock at the third.
    history.follow(truth(PRO, billed_at=day(12, 12)), "changed")
    assert figures(history) == (4, 10, 0)
    another = held(history, history.do(hold(3, key="more work", lasts=LONG)))
    history.now = day(12, 12, 1)
    history.follow(truth(PRO, billed_at=day(1, 12, year=2027)), "changed")
    assert figures(history) == (60, 13, 0)
    history.do(release(work, key="given up"))
    history.do(release(another, key="given up, too"))
    assert figures(history) == (60, 0, 0)
    assert (places(history, 1), places(history, 2)) == ({"expired": 60}, {"expired": 4})


def test_rule_08_a_spend_that_is_reversed_after_the_renewal_gives_nothing_back() -> None:
    history = begun()
    seq = written(history.do(spend(60, key="all of it")))
    renew(history)
    assert figures(history) == (60, 0, 0)
    history.do(reverse(seq))
    assert since(history, seq + 1) == [("reverse", 60), ("expire", -60)]
    assert figures(history) == (60, 0, 0)


def test_rule_08_a_spend_that_is_reversed_before_the_renewal_comes_back() -> None:
    history = begun()
    history.do(reverse(written(history.do(spend(20, key="fix")))))
    assert figures(history) == (60, 0, 0)
    assert places(history, 1) == {"remaining": 60}


def test_rule_08_a_failed_refund_gives_back_what_the_renewal_has_ended() -> None:
    history = begun()
    history.do(refund(1, 300, key="refunded"))
    assert figures(history) == (30, 0, 0)
    renew(history)
    history.do(refund(1, 0, key="failed"))
    assert figures(history) == (60, 0, 0)
    assert places(history, 1) == {"expired": 60}


def test_rule_08_a_plan_without_credits_ends_no_month() -> None:
    history, work = with_hold(10)
    renew(history, FREE)
    history.do(release(work, key="given up"))
    assert figures(history) == (60, 0, 0), "until its own end: no grant has come"
    history.now = day(12, 13)
    assert figures(history) == (0, 0, 0)


def test_rule_08_usage_between_the_renewal_and_a_late_return_is_paid_by_the_new_month() -> None:
    history, work = with_hold(10)
    renew(history)
    history.now = day(12, 10, 5)
    history.do(release(work, key="given up"))
    history.do(usage(3, key="late", at=day(12, 10, 3)))
    assert places(history, 2) == {"remaining": 57, "spent": 3}
    history.do(usage(2, key="later", at=day(12, 8)))
    assert places(history, 1) == {"spent": 2, "expired": 58}

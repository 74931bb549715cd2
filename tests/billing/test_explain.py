"""Why a balance is what it is, as data."""

from collections.abc import Iterator
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from billing.explain import (
    Breakdown,
    GrantStory,
    PeriodAwaited,
    PeriodProrated,
    PlanEnded,
    PlanOnTrial,
    PlanUnconfirmed,
    PlanUnknown,
    Reason,
    SignupAwaited,
    SignupWithheld,
    Told,
    break_down,
    reasons_why_not_more,
)
from billing.records import SignupSlot
from billing.values import CustomerId, GitHubAccountId, HoldId, Provider
from tests.billing.builders import PRO, UNKNOWN, History, day, grant, revoke, spend, truth
from tests.billing.requests import adjust, buy, hold, refund, reverse, usage

MARKETPLACE = Provider.GITHUB_MARKETPLACE
BILLED = day(12, 20)


def taken_apart(history: History) -> Breakdown:
    """The balance of the moment, taken apart."""
    grants, holds = history.all_grants.values(), history.all_holds.values()
    told = Told()
    told.read(history.journal)
    return break_down(history.customer.account, grants, holds, told, history.now)


def reasons(history: History) -> tuple[Reason, ...]:
    """Why there isn't more at the moment."""
    return reasons_why_not_more(history.customer, history.now)


def story(history: History, number: int, **parts: int) -> GrantStory:
    """What became of a grant; of what isn't named, nothing."""
    nothing = {"used": 0, "repaid": 0, "revoked": 0, "expired": 0, "held": 0, "left": 0, "owed": 0}
    grant = next(story.grant for story in taken_apart(history).stories if story.grant.number == number)
    return GrantStory(grant=grant, amount=grant.amount, **nothing | parts)


def test_each_grant_tells_what_became_of_it() -> None:
    history = History()
    history.install()
    history.do(grant(10, key="a", expires_at=day(12, 5)))
    history.do(spend(3, key="fix:1"))
    history.do(revoke(2, key="r"))
    assert taken_apart(history).stories == (
        story(history, 2, used=3, revoked=2, left=5),
        story(history, 1, left=5),
    )
    history.now = day(12, 6)
    unbooked = taken_apart(history)
    assert unbooked.stories == (story(history, 2, used=3, revoked=2, expired=5), story(history, 1, left=5))
    assert (unbooked.seq, unbooked.available, unbooked.at) == (len(history.journal), 5, history.now)
    history.do(spend(1, key="fix:2"))
    assert taken_apart(history).stories == (
        story(history, 2, used=3, revoked=2, expired=5),
        story(history, 1, used=1, left=4),
    )
    assert taken_apart(history).available == 4


def test_signup_credits_that_wait_or_are_withheld() -> None:
    bought, farmed = History(), History()
    bought.follow(truth(PRO), effective_at=day(12, 1))
    assert reasons(bought) == (SignupAwaited(),)
    taken = (
        SignupSlot(installer_id=GitHubAccountId(77), slot=slot, customer_id=CustomerId(90), taken_at=farmed.now)
        for slot in (1, 2, 3)
    )
    farmed.install(slots=tuple(taken))
    assert reasons(farmed) == (SignupWithheld(),)


def subscribed() -> Iterator[History]:
    """Customers with Pro since the 1st, signed up, one after another."""
    while True:
        history = History()
        history.install()
        history.follow(truth(PRO, billed_at=BILLED), effective_at=day(12, 1))
        yield history


def test_why_a_plan_gives_less_than_its_month() -> None:
    customers = subscribed()
    prorated = PeriodProrated(provider=MARKETPLACE, starts_at=day(12, 1), ends_at=BILLED, target=38, allowance=60)
    assert reasons(next(customers)) == (prorated,)

    unknown = next(customers)
    unknown.follow(truth(UNKNOWN, billed_at=BILLED), "changed")
    assert reasons(unknown) == (
        PlanUnknown(provider=MARKETPLACE, marketplace_plan_id=UNKNOWN),
        prorated,
    )

    missing = next(customers)
    missing.follow(None, "pending_change")
    unconfirmed = PlanUnconfirmed(provider=MARKETPLACE, plan="pro", missing_since=missing.now, ends_at=day(12, 2, 9))
    assert reasons(missing) == (unconfirmed, prorated)

    ended = next(customers)
    ended.follow(None, "cancelled", hinted=PRO)
    assert reasons(ended) == (
        PlanEnded(provider=MARKETPLACE, plan="pro", ended_at=ended.now),
        prorated,
    )
    ended.now = BILLED
    assert reasons(ended) == (PlanEnded(provider=MARKETPLACE, plan="pro", ended_at=day(12, 1, 9)),)

    awaited = next(customers)
    awaited.now = BILLED
    awaited.follow(truth(PRO, billed_at=BILLED), "pending_change")
    assert reasons(awaited) == (PeriodAwaited(provider=MARKETPLACE, ended_at=BILLED, next_billing_date=BILLED),)


def test_a_trial_gives_nothing_yet() -> None:
    history = History()
    history.install()
    history.follow(truth(PRO, on_free_trial=True), effective_at=day(12, 1))
    assert reasons(history) == (PlanOnTrial(provider=MARKETPLACE, plan="pro"),)


def test_holds_are_told_until_they_time_out() -> None:
    history = History()
    history.install()
    history.hold_id = HoldId(7)
    history.do(hold(2, key="h7", lasts=timedelta(hours=3)))
    history.hold_id = HoldId(8)
    history.do(hold(1, key="h8", lasts=timedelta(hours=1)))
    both = taken_apart(history)
    assert [each.id for each in both.holds] == [8, 7]
    assert (both.available, both.held, both.stories) == (2, 3, (story(history, 1, held=3, left=2),))
    history.wait(hours=1)
    one = taken_apart(history)
    assert [each.id for each in one.holds] == [7]
    assert (one.available, one.held, one.stories) == (3, 2, (story(history, 1, held=2, left=3),))


def test_what_a_renewal_has_ended_is_told_as_expired_once_its_hold_times_out() -> None:
    history = History(now=day(11, 11))
    history.follow(truth(PRO, billed_at=day(12, 10)), effective_at=day(11, 10))
    history.now = day(12, 9)
    history.do(hold(10, key="work", lasts=timedelta(days=2)))
    history.now = day(12, 10, 1)
    history.follow(truth(PRO, billed_at=day(1, 10, year=2027)), "changed")
    assert story(history, 1, expired=50, held=10) in taken_apart(history).stories
    history.now = day(12, 12)
    assert story(history, 1, expired=60) in taken_apart(history).stories, "by itself it would live to the 13th"


def test_debt_is_told_by_the_entries_since_there_last_was_none() -> None:
    history = History()
    history.install()
    history.do(usage(6, key="late", at=history.now))
    history.do(adjust(1, key="forgiven"))
    assert taken_apart(history).debt_entries == ()
    history.do(adjust(-2, key="counted late"))
    history.do(spend(1, key="refused"))
    history.do(adjust(1, key="half of it"))
    broken_down = taken_apart(history)
    assert [(each.kind, each.debt_after) for each in broken_down.debt_entries] == [("adjust", 2), ("adjust", 1)]
    assert broken_down.debt == 1


def test_what_a_grant_made_up_for_is_told_apart_from_what_it_was_used_for() -> None:
    history = History()
    history.install()
    history.do(usage(8, key="late", at=history.now))
    history.do(buy(10, key="bought"))
    history.do(spend(2, key="fix"))
    assert taken_apart(history).stories[-1] == story(history, 2, used=2, repaid=3, left=5)
    history.do(refund(2, 600, key="refunded"))
    assert taken_apart(history).stories[-1] == story(history, 2, used=2, repaid=3, revoked=5, owed=5)


def test_what_was_waived_is_counted_unless_it_was_taken_back() -> None:
    history = History(is_billing_on=False)
    history.install()
    history.do(spend(7, key="waived"))
    assert taken_apart(history).waived == 2
    history.do(reverse(len(history.journal)))
    assert taken_apart(history).waived == 0


@given(st.lists(st.tuples(st.sampled_from(["grant", "spend", "revoke", "wait"]), st.integers(1, 12)), max_size=20))
def test_the_stories_always_add_up_to_the_balance(steps: list[tuple[str, int]]) -> None:
    history = History()
    history.install()
    for index, (step, count) in enumerate(steps):
        match step:
            case "grant":
                history.do(grant(count, key=f"k{index}", expires_at=history.now + timedelta(days=count)))
            case "spend":
                history.do(spend(count, key=f"k{index}"))
            case "revoke":
                history.do(revoke(count, key=f"k{index}"))
            case _:
                history.wait(days=count)
    breakdown = taken_apart(history)
    assert breakdown.available == history.available == sum(story.left for story in breakdown.stories)
    for each in breakdown.stories:
        assert each.amount == each.used + each.repaid + each.revoked + each.expired + each.held + each.left

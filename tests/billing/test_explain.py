"""Why a balance is what it is, as data."""

from collections.abc import Iterator
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from billing.explain import (
    Explanation,
    GrantStory,
    PeriodAwaited,
    PeriodProrated,
    PlanEnded,
    PlanOnTrial,
    PlanUnconfirmed,
    PlanUnknown,
    SignupAwaited,
    SignupWithheld,
    explain,
)
from billing.records import SignupSlot
from billing.values import CustomerId, GitHubAccountId, Provider
from tests.billing.builders import PRO, UNKNOWN, History, day, grant, revoke, spend, truth

MARKETPLACE = Provider.GITHUB_MARKETPLACE
BILLED = day(12, 20)


def explained(history: History) -> Explanation:
    """The balance of the moment, taken apart."""
    return explain(history.customer, history.all_grants.values(), history.journal, history.plans, history.now)


def test_each_grant_tells_what_became_of_it() -> None:
    history = History()
    history.install()
    history.do(grant(10, key="a", expires_at=day(12, 5)))
    history.do(spend(3, key="fix:1"))
    history.do(revoke(2, key="r"))
    history.now = day(12, 6)
    due, signup = explained(history).stories
    assert due == GrantStory(grant=history.all_grants[2], amount=10, spent=3, revoked=2, expired=0, due=5, left=0)
    assert signup == GrantStory(grant=history.all_grants[1], amount=5, spent=0, revoked=0, expired=0, due=0, left=5)
    history.do(spend(1, key="fix:2"))
    booked, signup = explained(history).stories
    assert (booked.expired, booked.due, booked.left) == (5, 0, 0)
    assert (signup.spent, signup.left) == (1, 4)
    assert explained(history).available == 4


def test_the_effective_plan_is_told() -> None:
    history = History()
    history.install()
    assert explained(history).plan.id == "trial"
    history.follow(truth(PRO), effective_at=day(12, 1))
    assert explained(history).plan.id == "pro"
    assert explained(history).reasons == ()


def test_signup_credits_that_wait_or_are_withheld() -> None:
    bought, farmed = History(), History()
    bought.follow(truth(PRO), effective_at=day(12, 1))
    assert explained(bought).reasons == (SignupAwaited(),)
    taken = (
        SignupSlot(installer_id=GitHubAccountId(77), slot=slot, customer_id=CustomerId(90), taken_at=farmed.now)
        for slot in (1, 2, 3)
    )
    farmed.install(slots=tuple(taken))
    assert explained(farmed).reasons == (SignupWithheld(),)


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
    assert explained(next(customers)).reasons == (prorated,)

    unknown = next(customers)
    unknown.follow(truth(UNKNOWN, billed_at=BILLED), "changed")
    assert explained(unknown).reasons == (
        PlanUnknown(provider=MARKETPLACE, marketplace_plan_id=UNKNOWN),
        prorated,
    )

    missing = next(customers)
    missing.follow(None, "pending_change")
    unconfirmed = PlanUnconfirmed(provider=MARKETPLACE, plan="pro", missing_since=missing.now, ends_at=day(12, 2, 9))
    assert explained(missing).reasons == (unconfirmed, prorated)

    ended = next(customers)
    ended.follow(None, "cancelled", hinted=PRO)
    assert explained(ended).reasons == (
        PlanEnded(provider=MARKETPLACE, plan="pro", ended_at=ended.now),
        prorated,
    )
    ended.now = BILLED
    assert explained(ended).reasons == (PlanEnded(provider=MARKETPLACE, plan="pro", ended_at=day(12, 1, 9)),)

    awaited = next(customers)
    awaited.now = BILLED
    awaited.follow(truth(PRO, billed_at=BILLED), "pending_change")
    assert explained(awaited).reasons == (
        PeriodAwaited(provider=MARKETPLACE, ended_at=BILLED, next_billing_date=BILLED),
    )


def test_a_trial_gives_nothing_yet() -> None:
    history = History()
    history.install()
    history.follow(truth(PRO, on_free_trial=True), effective_at=day(12, 1))
    assert explained(history).reasons == (PlanOnTrial(provider=MARKETPLACE, plan="pro"),)


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
    explanation = explained(history)
    assert explanation.available == history.available == sum(story.left for story in explanation.stories)
    for story in explanation.stories:
        assert story.amount == story.spent + story.revoked + story.expired + story.due + story.left

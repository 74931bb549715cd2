"""What an observation leaves behind: every field that is told, cleared or kept, and what the operator reads."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from billing.commands import Applied, Refused, ShowFigures
from billing.conversation import balance_now
from billing.errors import UnknownCustomerError
from billing.periods import utc_date
from billing.values import CustomerId, DeliveryId, SubscriptionState, to_the_millisecond
from tests.billing.builders import (
    ACCOUNT,
    CUSTOMER_ID,
    PLANS,
    PRO,
    STARTER,
    TEAM,
    UNKNOWN,
    WHOLE,
    History,
    day,
    pending_end,
    pending_plan,
    truth,
)

BILLED = day(12, 20)
NOTHING_BOOKED = Applied(customer_id=CUSTOMER_ID, entries=())


def with_pro() -> History:
    """A customer with Pro, to end with its period."""
    history = History()
    history.follow(truth(PRO, billed_at=BILLED, pending=pending_end(BILLED)), effective_at=day(12, 1), hinted=PRO)
    return history


def test_an_absence_is_noted_with_its_delivery_and_books_nothing() -> None:
    history = with_pro()
    decision = history.follow(None, "pending_change", observation=7)
    assert decision.outcome == NOTHING_BOOKED
    assert history.subscription.state is SubscriptionState.UNCONFIRMED
    assert history.subscription.last_delivery_id == DeliveryId(7)


def test_an_end_clears_the_plan_that_was_to_come() -> None:
    history = History()
    history.follow(
        truth(PRO, billed_at=BILLED, pending=pending_plan(STARTER, BILLED)), effective_at=day(12, 1), hinted=PRO
    )
    assert history.subscription.pending_plan == "starter"
    history.follow(None, "cancelled", hinted=PRO)
    assert (history.subscription.state, history.subscription.pending_plan) == (SubscriptionState.ENDED, "")


def test_an_end_clears_what_was_scheduled_and_a_new_purchase_clears_the_end() -> None:
    history = with_pro()
    assert history.subscription.cancel_at_period_end
    assert history.follow(None, "cancelled", hinted=PRO).outcome == NOTHING_BOOKED
    ended = history.subscription
    assert (ended.pending_plan, ended.pending_effective_at, ended.cancel_at_period_end) == ("", None, False)
    assert ended.ended_at == history.now
    history.follow(truth(PRO, billed_at=BILLED), hinted=PRO)
    assert history.subscription.ended_at is None


def test_an_unknown_plan_leaves_the_units_as_they_were() -> None:
    history = History()
    history.follow(truth(TEAM, billed_at=BILLED, units=3), effective_at=day(12, 1))
    shown = replace(truth(UNKNOWN, billed_at=BILLED, units=7), per_unit=True)
    history.follow(shown, "changed", effective_at=day(12, 1))
    assert history.subscription.unit_count == 3


def test_a_change_scheduled_for_an_unknown_plan_is_none_of_the_plan_that_is_told() -> None:
    history = History()
    history.follow(truth(UNKNOWN, billed_at=BILLED, pending=pending_end(BILLED)), effective_at=day(12, 1))
    told = balance_now(history.customer, PLANS, history.now)
    assert (told.plan, told.change, told.has_unknown_plan) == ("Trial", None, True)


def test_what_github_shows_of_the_account_is_newer_than_what_the_delivery_told() -> None:
    history = History()
    history.follow(truth(PRO, billed_at=BILLED, account=replace(ACCOUNT, login="renamed")), effective_at=day(12, 1))
    customer = history.customer.customer
    assert (customer.github_login, customer.created_at) == ("renamed", history.now)


def test_a_delivery_alone_changes_no_type_that_is_known() -> None:
    history = History()
    history.install()
    history.install(2, is_there=False, account=replace(ACCOUNT, login="old", type="User"))
    assert (history.customer.customer.github_login, history.customer.customer.github_type) == (
        ACCOUNT.login,
        ACCOUNT.type,
    )


def test_the_alarm_of_an_unknown_plan_says_what_to_do() -> None:
    (alarm,) = History().follow(truth(UNKNOWN, billed_at=BILLED), effective_at=day(12, 1)).alarms
    assert alarm.detail == (
        "customers have the Marketplace plan 9999 ('Plan 9999'), which the catalogue doesn't know: add the number to "
        "marketplace_plan_ids of a plan in plans.toml and restart; until then they keep what they had without new "
        "credits, then they are caught up by themselves"
    )


def test_the_alarm_of_too_many_losses_says_what_to_do() -> None:
    (alarm,) = with_pro().follow(None, "cancelled", hinted=PRO, losses=20, living=1).alarms
    assert alarm.detail == (
        "20 Marketplace subscriptions ended within an hour because GitHub no longer shows them; look at the listing "
        "and its plans: further ones wait, and go on by themselves as the hour passes"
    )


@pytest.mark.parametrize("later", [timedelta(0), timedelta(hours=1)])
def test_a_purchase_at_the_very_end_of_a_period_begins_a_chain_anew(later: timedelta) -> None:
    history = History()
    history.follow(truth(WHOLE, billed_at=BILLED), effective_at=day(12, 1), hinted=WHOLE)
    history.now = BILLED + later
    # Continued it would be a bridging period with a share of the month; this plan's first period is a full one.
    history.follow(truth(WHOLE, billed_at=day(1, 5, year=2027)), effective_at=BILLED, hinted=WHOLE)
    assert (history.period.starts_at, history.period.target) == (BILLED, 60)


def test_the_choice_of_figures_is_nobodys_without_a_customer() -> None:
    decision = History().do(ShowFigures(customer_id=CustomerId(9), shown=True))
    assert isinstance(decision.outcome, Refused)
    assert isinstance(decision.outcome.error, UnknownCustomerError)
    assert decision.outcome.error.reference == "9"


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose own time is fourteen hours before UTC's."""
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("far_east")
def test_times_are_utc_wherever_the_machine_stands() -> None:
    evening = datetime(2026, 1, 31, 23, 30, tzinfo=timezone(timedelta(hours=-2)))
    assert utc_date(evening) == datetime(2026, 2, 1, tzinfo=UTC).date()
    # Where the machine stands it is the next day by then.
    assert utc_date(datetime(2026, 1, 31, 23, 30, tzinfo=UTC)) == datetime(2026, 1, 31, tzinfo=UTC).date()
    assert to_the_millisecond(evening).tzinfo is UTC
    assert to_the_millisecond(datetime(2026, 1, 1, 0, 0, 0, 1_000, tzinfo=UTC)).microsecond == 1_000
    for told, kept in ((1_001, 1_000), (1_999, 1_000), (5_001, 5_000)):
        assert to_the_millisecond(datetime(2026, 1, 1, 0, 0, 0, told, tzinfo=UTC)).microsecond == kept

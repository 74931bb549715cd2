"""Rule 11: scheduled changes change what is shown, as GitHub says it, and never credits."""

from tests.billing.builders import MAX, PRO, STARTER, UNKNOWN, History, day, pending_end, pending_plan, truth

BILLED = day(12, 20)


def with_pro() -> History:
    """A customer who bought Pro on the 1st."""
    history = History()
    history.follow(truth(PRO, billed_at=BILLED), effective_at=day(12, 1), hinted=PRO)
    return history


def test_rule_11_a_pending_change_changes_what_is_shown_never_credits() -> None:
    history = with_pro()
    history.follow(truth(PRO, billed_at=BILLED, pending=pending_plan(STARTER, BILLED)), "pending_change", hinted=PRO)
    subscription = history.subscription
    assert (subscription.plan, subscription.pending_plan) == ("pro", "starter")
    assert (subscription.pending_effective_at, subscription.cancel_at_period_end) == (BILLED, False)
    assert len(history.journal) == 1


def test_rule_11_a_pending_end_is_shown_as_such() -> None:
    history = with_pro()
    history.follow(truth(PRO, billed_at=BILLED, pending=pending_end(BILLED)), "pending_change", hinted=PRO)
    subscription = history.subscription
    assert (subscription.pending_plan, subscription.cancel_at_period_end) == ("", True)
    assert len(history.journal) == 1


def test_rule_11_a_pending_plan_that_the_catalogue_does_not_know_is_shown_by_githubs_name() -> None:
    history = with_pro()
    history.follow(truth(PRO, billed_at=BILLED, pending=pending_plan(UNKNOWN, BILLED)), "pending_change")
    assert history.subscription.pending_plan == "Plan 9999"


def test_rule_11_what_was_pending_is_withdrawn() -> None:
    history = with_pro()
    history.follow(truth(PRO, billed_at=BILLED, pending=pending_end(None)), "pending_change")
    history.follow(truth(PRO, billed_at=BILLED), "pending_change_cancelled", effective_at=BILLED)
    subscription = history.subscription
    assert (subscription.pending_plan, subscription.pending_effective_at) == ("", None)
    assert not subscription.cancel_at_period_end
    assert len(history.journal) == 1


def test_rule_11_the_date_of_a_pending_change_dates_no_grant() -> None:
    history = with_pro()
    history.now = day(12, 10)
    # GitHub shows Max by now, though its delivery was lost; the pending change's own date says nothing about that.
    history.follow(truth(MAX, billed_at=BILLED), "pending_change", effective_at=day(12, 2))
    assert history.journal[-1].amount == 20, "60 more a month, for 10 days of 30"

"""Rule 5: expiry is exact, booked before anything else, and what is shown subtracts it without booking."""

from datetime import timedelta

from billing.commands import Refused
from billing.errors import InsufficientCreditsError
from billing.ledger.balance import available
from billing.values import NEVER
from tests.billing.builders import PRO, History, day, grant, revoke, spend, truth

MILLISECOND = timedelta(milliseconds=1)


def with_expiring_credits() -> History:
    """Five credits that never expire, and three that do on the 10th."""
    history = History()
    history.install()
    history.do(grant(3, key="a", expires_at=day(12, 10)))
    return history


def test_rule_05_credits_can_be_spent_up_to_their_expiry_and_not_at_it() -> None:
    history = with_expiring_credits()
    state = history.customer
    assert state.account.next_expiry == day(12, 10)
    assert available(state, day(12, 10) - MILLISECOND).count == 8
    assert available(state, day(12, 10)).count == 5
    assert available(state, day(12, 11)).count == 5


def test_rule_05_what_is_shown_subtracts_what_is_due_without_booking() -> None:
    history = with_expiring_credits()
    history.now = day(12, 10)
    assert history.available == 5
    assert history.customer.account.posted == 8
    assert len(history.journal) == 2


def test_rule_05_what_is_due_is_booked_before_anything_is_spent() -> None:
    history = with_expiring_credits()
    history.now = day(12, 10)
    decision = history.do(spend(4, key="fix:1"))
    assert history.lines()[2:] == [("expire", -3), ("spend", -4)]
    expiry, spent = history.journal[2:]
    assert (expiry.key, expiry.actor, expiry.reference) == ("expire:2:3", "clock", "grant:2")
    assert (expiry.occurred_at, expiry.recorded_at) == (day(12, 10), day(12, 10))
    assert [(move.grant_number, move.amount) for move in spent.moves] == [(1, 4)]
    assert decision.outcome.entries == (spent.seq,)  # type: ignore[union-attr]
    assert history.customer.account.next_expiry == NEVER


def test_rule_05_an_expiry_that_is_booked_late_happened_in_time() -> None:
    history = with_expiring_credits()
    history.now = day(12, 12)
    decision = history.do(spend(6, key="fix:1"))
    (expiry,) = decision.entries
    assert (expiry.occurred_at, expiry.recorded_at) == (day(12, 10), day(12, 12))
    assert [row.recorded_at for row in decision.refusals] == [day(12, 12)]


def test_rule_05_a_refused_spend_leaves_what_was_due_booked() -> None:
    history = with_expiring_credits()
    history.now = day(12, 10)
    decision = history.do(spend(6, key="fix:1"))
    assert isinstance(decision.outcome, Refused)
    assert isinstance(decision.outcome.error, InsufficientCreditsError)
    assert (decision.outcome.error.requested, decision.outcome.error.available) == (6, 5)
    assert history.lines()[2:] == [("expire", -3)]
    assert history.available == 5


def test_rule_05_expired_credits_can_be_revoked_no_more() -> None:
    history = with_expiring_credits()
    history.now = day(12, 10)
    assert isinstance(history.do(revoke(8, key="r")).outcome, Refused)


def test_rule_05_a_plan_grant_books_what_is_due_first() -> None:
    history = with_expiring_credits()
    history.now = day(12, 10)
    history.follow(truth(PRO), effective_at=day(12, 10))
    assert history.lines()[2:] == [("expire", -3), ("grant", 60)]


def test_rule_05_a_first_installation_books_what_is_due_first() -> None:
    history = History()
    history.follow(truth(PRO), effective_at=day(12, 1))
    history.do(grant(3, key="a", expires_at=day(12, 10)))
    history.now = day(12, 10)
    history.install()
    assert history.lines()[2:] == [("expire", -3), ("grant", 5)]


def test_rule_05_each_due_grant_has_an_entry_of_its_own_in_burn_order() -> None:
    history = with_expiring_credits()
    history.do(grant(2, key="b", expires_at=day(12, 9)))
    history.now = day(12, 11)
    history.do(spend(1, key="fix:1"))
    assert [entry.key for entry in history.journal[3:]] == ["expire:3:4", "expire:2:5", "fix:1"]


def test_rule_05_a_half_spent_grant_expires_with_its_rest() -> None:
    history = with_expiring_credits()
    history.do(spend(2, key="fix:1"))
    history.now = day(12, 10)
    history.do(spend(1, key="fix:2"))
    assert history.lines()[2:] == [("spend", -2), ("expire", -1), ("spend", -1)]


def test_rule_05_time_never_runs_backwards_for_an_account() -> None:
    history = with_expiring_credits()
    history.now = day(12, 10)
    history.do(spend(1, key="fix:1"))
    history.now = day(12, 2)
    history.do(spend(1, key="fix:2"))
    assert history.journal[-1].recorded_at == day(12, 10)
    # A clock that was set back brings nothing back to life.
    assert history.available == 3
    assert available(history.customer, day(12, 2)).count == 3

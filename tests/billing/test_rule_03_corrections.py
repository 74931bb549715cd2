"""Rule 3: a correction is a new entry that unwinds the recorded allocation in reverse order, not by today's rules."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.commands import Applied, Refused
from billing.decide.reversals import WHY_NOT
from billing.errors import EntryNotReversibleError, UnknownEntryError
from billing.values import NEVER, EntryKind, Origin
from tests.billing.builders import CUSTOMER_ID, PRO, History, day, grant, revoke, spend, truth
from tests.billing.looks import figures, held, moves, places, refusal, since, written
from tests.billing.requests import (
    adjust,
    buy,
    capture,
    extend,
    hold,
    paid,
    refund,
    release,
    reverse,
    usage,
)


@pytest.fixture
def history() -> History:
    """Five credits that never expire, and three that do on the 10th: those burn first."""
    history = History()
    history.install()
    history.do(grant(3, key="a", expires_at=day(12, 10)))
    return history


def reversed_last(history: History) -> int:
    """Take the last entry back; returns the sequence number of that."""
    return written(history.do(reverse(len(history.journal))))


def test_rule_03_a_spend_is_unwound_by_its_recorded_allocation_in_reverse_order(history: History) -> None:
    spent = written(history.do(spend(4, key="s")))
    assert moves(history, spent) == [("grant", "used", 2, 3), ("grant", "used", 1, 1)]
    # By today's rules these would burn first; what paid then gets it back.
    history.do(grant(9, key="sooner", expires_at=day(12, 2)))
    seq = written(history.do(reverse(spent)))
    assert moves(history, seq) == [("used", "grant", 1, 1), ("used", "grant", 2, 3)]
    entry = history.journal[seq - 1]
    assert (entry.kind, entry.amount, entry.key, entry.reverses) == ("reverse", 4, f"reverse:{spent}", spent)
    assert (entry.actor, entry.reference, history.notes[seq].text) == (
        "operator",
        f"entry:{spent}",
        "booked by mistake",
    )
    assert (places(history, 1), places(history, 2)) == ({"remaining": 5}, {"remaining": 3})


def test_rule_03_what_returns_to_an_expired_grant_expires(history: History) -> None:
    spent = written(history.do(spend(4, key="s")))
    history.now = day(12, 11)
    history.do(reverse(spent))
    assert since(history, spent) == [("reverse", 4), ("expire", -3)]
    assert figures(history) == (5, 0, 0)


def test_rule_03_a_capture_returns_to_the_grants_and_not_to_the_hold(history: History) -> None:
    work = held(history, history.do(hold(6, key="work")))
    captured = written(history.do(capture(work, 4, key="done")))
    seq = written(history.do(reverse(captured)))
    assert moves(history, seq) == [("used", "grant", 1, 1), ("used", "grant", 2, 3)]
    assert figures(history) == (8, 0, 0)
    assert history.all_holds[work].state == "captured"


def test_rule_03_a_revocation_by_hand_is_given_back(history: History) -> None:
    history.do(revoke(4, key="r"))
    seq = reversed_last(history)
    assert moves(history, seq) == [("revoked", "grant", 1, 1), ("revoked", "grant", 2, 3)]
    assert figures(history) == (8, 0, 0)


def test_rule_03_late_usage_goes_back_where_it_came_from(history: History) -> None:
    history.now = day(12, 11)
    used = written(history.do(usage(12, key="u", at=day(12, 9))))
    assert moves(history, used) == [
        ("expired", "used", 2, 3),
        ("grant", "used", 1, 5),
        ("debt", "used", 0, 4),
    ]
    seq = written(history.do(reverse(used)))
    assert moves(history, seq) == [
        ("used", "debt", 0, 4),
        ("used", "grant", 1, 5),
        ("used", "expired", 2, 3),
    ]
    assert figures(history) == (5, 0, 0)


def test_rule_03_debt_that_was_repaid_meanwhile_is_granted_anew(history: History) -> None:
    used = written(history.do(usage(12, key="u", at=history.now)))
    history.do(buy(3, key="pack"))
    assert figures(history) == (0, 0, 1)
    seq = written(history.do(reverse(used)))
    assert since(history, seq - 1) == [("reverse", 8), ("grant", 3)]
    anew = history.journal[-1]
    assert (anew.key, anew.actor) == (f"refund_reversal:{anew.seq}", "clock")
    assert anew.reference.startswith(f"entry:{seq} terms:")
    made = history.all_grants[4]
    assert (made.origin, made.category, made.expires_at) == (Origin.REFUND_REVERSAL, "paid", NEVER)
    assert figures(history) == (11, 0, 0)


def test_rule_03_an_adjustment_downwards_is_given_back(history: History) -> None:
    history.do(adjust(-10, key="down"))
    assert figures(history) == (0, 0, 2)
    seq = reversed_last(history)
    assert moves(history, seq) == [("lent", "debt", 0, 2), ("revoked", "grant", 1, 5), ("revoked", "grant", 2, 3)]
    assert figures(history) == (8, 0, 0)


def test_rule_03_debt_that_was_forgiven_is_owed_again(history: History) -> None:
    history.do(usage(12, key="u", at=history.now))
    history.do(adjust(3, key="up"))
    assert figures(history) == (0, 0, 1)
    seq = reversed_last(history)
    assert moves(history, seq) == [("debt", "lent", 0, 3)]
    assert figures(history) == (0, 0, 4)


def test_rule_03_a_waiver_is_only_marked(history: History) -> None:
    history.is_billing_on = False
    history.do(spend(10, key="s"))
    seq = reversed_last(history)
    assert moves(history, seq) == [("used", "waived", 0, 2)]
    assert figures(history) == (0, 0, 0)


def test_rule_03_of_a_grant_what_remains_is_taken_and_what_was_spent_is_owed(history: History) -> None:
    given = written(history.do(buy(10, key="pack")))
    history.do(spend(9, key="s"))
    work = held(history, history.do(hold(4, key="work")))
    seq = written(history.do(reverse(given)))
    assert moves(history, seq) == [("grant", "revoked", 3, 5), ("debt", "lent", 3, 1)]
    assert history.journal[seq - 1].reference == f"entry:{given} grant:3 reversed:10"
    assert figures(history) == (0, 4, 1)
    history.do(release(work, key="given up"))
    assert figures(history) == (0, 0, 1), "what was held is taken when it returns"
    assert places(history, 3)["taken"] == 9


def test_rule_03_a_plan_grant_taken_back_is_not_granted_again() -> None:
    # The operator's word stands: the period counts the grant as made.
    history = History()
    history.follow(truth(PRO, billed_at=day(12, 31)), effective_at=day(12, 1))
    reversed_last(history)
    history.follow(truth(PRO, billed_at=day(12, 31)), "changed")
    assert figures(history) == (0, 0, 0)


def test_rule_03_an_entry_is_taken_back_once(history: History) -> None:
    spent = written(history.do(spend(4, key="s")))
    first = history.do(reverse(spent))
    again = history.do(reverse(spent))
    assert isinstance(first.outcome, Applied)
    assert again.outcome == replace(first.outcome, replayed=True)
    other = refusal(history.do(reverse(spent, text="another reason")))
    assert isinstance(other, EntryNotReversibleError)
    assert (other.seq, other.reason) == (spent, f"entry {spent + 1} has taken it back already")
    assert figures(history) == (8, 0, 0)


def eventful() -> History:
    """A history with each kind of entry that can't be reversed."""
    history = History()
    history.install()
    history.do(grant(3, key="a", expires_at=day(12, 3)))
    work = held(history, history.do(hold(1, key="work", lasts=timedelta(days=9))))
    history.do(extend(work, key="longer"))
    history.do(release(work, key="given up"))
    history.now = day(12, 4)
    history.do(buy(60, key="pack"))
    history.do(refund(3, 600, key="r"))
    history.do(refund(3, 0, key="failed"))
    history.do(spend(65, key="all"))
    history.do(usage(1, key="u", at=history.now))
    history.do(buy(2, key="more"))
    reversed_last_kind(history, EntryKind.SPEND)
    return history


def reversed_last_kind(history: History, kind: EntryKind) -> None:
    """Take back the last entry of this kind."""
    history.do(reverse(max(entry.seq for entry in history.journal if entry.kind is kind)))


@pytest.mark.parametrize("kind", WHY_NOT)
def test_rule_03_what_follows_from_other_entries_is_not_reversed_by_itself(kind: EntryKind) -> None:
    history = eventful()
    seq = next(entry.seq for entry in history.journal if entry.kind is kind)
    before = figures(history)
    decision = history.do(reverse(seq))
    error = refusal(decision)
    assert isinstance(error, EntryNotReversibleError)
    assert (error.seq, error.reason) == (seq, WHY_NOT[kind])
    assert [row.key for row in decision.refusals] == [f"reverse:{seq}"]
    again = history.do(reverse(seq, text="please", actor="another"))
    assert isinstance(again.outcome, Refused)
    assert (again.outcome.replayed, str(again.outcome.error)) == (True, str(error))
    assert figures(history) == before


def test_rule_03_every_kind_is_either_reversible_or_says_why_not() -> None:
    reversible = {
        EntryKind.GRANT,
        EntryKind.SPEND,
        EntryKind.CAPTURE,
        EntryKind.REVOKE,
        EntryKind.ADJUST,
        EntryKind.WAIVE,
    }
    assert reversible | set(WHY_NOT) == set(EntryKind)
    assert not reversible & set(WHY_NOT)


@pytest.mark.parametrize("at_once", [True, False])
def test_rule_03_what_charged_money_is_not_reversed(history: History, *, at_once: bool) -> None:
    if at_once:
        seq = written(history.do(replace(spend(9, key="s"), paid=paid(1))))
    else:
        work = held(history, history.do(hold(9, key="work", terms=paid(1))))
        seq = written(history.do(capture(work, 9, key="done")))
    error = refusal(history.do(reverse(seq)))
    assert isinstance(error, EntryNotReversibleError)
    assert (error.seq, error.reason) == (seq, "it charged money; refund the charge instead")


def test_rule_03_whoever_asks_for_what_cannot_be_reversed_gets_the_same_reason(history: History) -> None:
    work = held(history, history.do(hold(1, key="work")))
    seq = history.journal[-1].seq
    first = refusal(history.do(reverse(seq)))
    history.do(release(work, key="given up"))
    again = history.do(reverse(seq, text="another reason")).outcome
    assert isinstance(again, Refused)
    assert (vars(again.error), again.replayed) == (vars(first), True)


def test_rule_03_an_entry_that_isnt_there_can_be_reversed_once_it_is(history: History) -> None:
    error = refusal(history.do(reverse(3)))
    assert isinstance(error, UnknownEntryError)
    assert error.seq == 3
    history.do(spend(4, key="s"))
    history.do(reverse(3))
    assert figures(history) == (8, 0, 0)


def test_rule_03_nobody_else_can_take_the_key_of_a_reversal(history: History) -> None:
    history.do(spend(4, key="s"))
    outcome = history.do(grant(1, key="reverse:3")).outcome
    assert isinstance(outcome, Refused)
    assert isinstance(history.do(reverse(3)).outcome, Applied)


class TestAdjustments:
    """Balances set right by hand."""

    def test_more_credits_are_goodwill_for_ever(self, history: History) -> None:
        seq = written(history.do(adjust(4, key="up")))
        entry = history.journal[seq - 1]
        assert (entry.kind, entry.amount, entry.key, history.notes[seq].text) == ("grant", 4, "up", "set right")
        made = history.all_grants[3]
        assert (made.origin, made.category, made.expires_at) == ("goodwill", "promotional", NEVER)

    def test_they_make_up_for_debt_first(self, history: History) -> None:
        history.do(usage(12, key="u", at=history.now))
        seq = written(history.do(adjust(6, key="up")))
        assert since(history, seq - 1) == [("adjust", 0), ("grant", 2)]
        assert moves(history, seq) == [("lent", "debt", 0, 4)]
        rest = history.journal[-1]
        assert (rest.key, rest.actor, rest.note_hash) == (f"adjust:{rest.seq}", "operator", b"")
        assert rest.reference.startswith(f"entry:{seq} terms:")
        assert figures(history) == (2, 0, 0)

    def test_debt_may_take_all_of_it(self, history: History) -> None:
        history.do(usage(12, key="u", at=history.now))
        seq = written(history.do(adjust(4, key="up")))
        assert since(history, seq - 1) == [("adjust", 0)]
        assert figures(history) == (0, 0, 0)

    def test_fewer_credits_are_taken_in_burn_order_and_the_rest_is_owed(self, history: History) -> None:
        seq = written(history.do(adjust(-10, key="down")))
        assert moves(history, seq) == [("grant", "revoked", 2, 3), ("grant", "revoked", 1, 5), ("debt", "lent", 0, 2)]
        assert figures(history) == (0, 0, 2)

    def test_held_credits_are_left_alone(self, history: History) -> None:
        history.do(hold(6, key="work"))
        history.do(adjust(-3, key="down"))
        assert figures(history) == (0, 6, 1)

    @pytest.mark.parametrize("change", [0, True, 1.5])
    def test_a_change_is_a_whole_number_and_not_zero(self, history: History, change: int) -> None:
        assert "must be a whole number" in str(refusal(history.do(replace(adjust(1, key="k"), change=change))))
        assert history.customer.customer.id == CUSTOMER_ID


def spent_of_a_refunded_pack() -> tuple[History, int]:
    """Twenty credits spent of a pack of sixty that was refunded whole since, and the entry that spent them."""
    history = History()
    history.install()
    history.do(spend(5, key="sign-up"))
    history.do(buy(60, key="pack"))
    spent = written(history.do(spend(20, key="fix")))
    history.do(refund(2, 600, key="r"))
    return history, spent


def test_rule_03_what_a_failed_refund_gave_back_already_is_granted_anew() -> None:
    history, spent = spent_of_a_refunded_pack()
    history.do(buy(20, key="another pack"))
    history.do(refund(2, 0, key="failed"))
    assert places(history, 2) == {"remaining": 60}, "20 were paid back, and count as not spent"
    seq = written(history.do(reverse(spent)))
    assert moves(history, seq) == []
    assert since(history, seq - 1) == [("reverse", 0), ("grant", 20)]
    assert figures(history) == (80, 0, 0)


def test_rule_03_debt_that_a_spend_had_made_by_a_refund_goes_with_it() -> None:
    history, spent = spent_of_a_refunded_pack()
    assert figures(history) == (0, 0, 20)
    seq = written(history.do(reverse(spent)))
    assert since(history, seq) == [("reinstate", 0), ("clawback", -20)]
    assert [entry.key for entry in history.journal[seq:]] == [f"reinstate:2:{seq + 1}", f"clawback:2:{seq + 2}"]
    assert figures(history) == (0, 0, 0)

"""Rule 26: a refund takes what is unspent, and the rest is debt; cumulative; a failed one gives everything back."""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from billing.commands import Applied
from billing.errors import InvalidAmountError, UnknownGrantError
from tests.billing.builders import History, day, grant, revoke, spend
from tests.billing.looks import Lines, figures, held, moves, places, refusal, since, written
from tests.billing.requests import adjust, buy, capture, hold, refund, release, reverse, usage

HOUR = timedelta(hours=1)


def with_pack(count: int = 60, *, spent: int = 0) -> History:
    """A customer with a pack of credits (grant 2) bought for 600 cents, and nothing else; some are spent."""
    history = History()
    history.install()
    history.do(spend(5, key="sign-up"))
    history.do(buy(count, key="pack"))
    if spent:
        history.do(spend(spent, key="spent"))
    return history


@dataclass(frozen=True)
class Case:
    """A refund of a pack of 60, of which so many were spent: what is taken, what is owed, what is left."""

    spent: int
    refunded_cents: int
    taken: int
    owed: int
    left: int


@pytest.mark.parametrize(
    "case",
    [
        Case(spent=0, refunded_cents=600, taken=60, owed=0, left=0),
        Case(spent=0, refunded_cents=300, taken=30, owed=0, left=30),
        Case(spent=20, refunded_cents=600, taken=40, owed=20, left=0),
        Case(spent=20, refunded_cents=300, taken=30, owed=0, left=10),
        Case(spent=30, refunded_cents=300, taken=30, owed=0, left=0),
        Case(spent=40, refunded_cents=300, taken=20, owed=10, left=0),
        Case(spent=60, refunded_cents=600, taken=0, owed=60, left=0),
        Case(spent=60, refunded_cents=300, taken=0, owed=30, left=0),
        Case(spent=10, refunded_cents=9, taken=0, owed=0, left=50),
        Case(spent=10, refunded_cents=10, taken=1, owed=0, left=49),
        Case(spent=10, refunded_cents=0, taken=0, owed=0, left=50),
    ],
)
def test_rule_26_taken_back_and_owed(case: Case) -> None:
    history = with_pack(spent=case.spent)
    decision = history.do(refund(2, case.refunded_cents, key="r"))
    target = 60 * case.refunded_cents // 600
    entry = history.journal[written(decision) - 1]
    assert (entry.kind, entry.amount, entry.debt_after) == ("clawback", -case.taken, case.owed)
    assert entry.reference == f"charge:1 grant:2 reversed:{target}"
    assert figures(history) == (case.left, 0, case.owed)
    after = history.all_grants[2]
    assert (after.taken, after.revoked, after.owed, after.reversed) == (case.taken, case.taken, case.owed, target)


def test_rule_26_a_refund_moves_credits_to_revoked_and_debt_to_lent() -> None:
    history = with_pack(spent=20)
    decision = history.do(refund(2, 600, key="r"))
    assert moves(history, written(decision)) == [("grant", "revoked", 2, 40), ("debt", "lent", 2, 20)]


def test_rule_26_refunds_are_cumulative_and_repeats_change_nothing() -> None:
    history = with_pack(spent=20)
    history.do(refund(2, 150, key="first"))
    history.do(refund(2, 300, key="second"))
    assert figures(history) == (10, 0, 0)
    history.do(refund(2, 300, key="told of twice"))
    assert (history.lines()[-1], figures(history)) == (("clawback", 0), (10, 0, 0))
    history.do(refund(2, 600, key="the rest later"))
    assert figures(history) == (0, 0, 20)
    assert places(history, 2) == {"spent": 20, "revoked": 40, "taken": 40, "owed": 20, "reversed": 60}


def test_rule_26_the_same_key_is_answered_alike_whatever_came_since() -> None:
    history = with_pack(spent=20)
    first = history.do(refund(2, 300, key="r"))
    history.do(refund(2, 0, key="failed"))
    again = history.do(refund(2, 300, key="r"))
    assert isinstance(first.outcome, Applied)
    assert again.outcome == replace(first.outcome, replayed=True)
    assert figures(history) == (40, 0, 0)


@pytest.mark.parametrize("spent", [0, 20, 40, 60])
@pytest.mark.parametrize("cents", [100, 300, 600])
def test_rule_26_a_failed_refund_gives_everything_back(spent: int, cents: int) -> None:
    history = with_pack(spent=spent)
    before = figures(history)
    history.do(refund(2, cents, key="r"))
    decision = history.do(refund(2, 0, key="failed"))
    assert history.journal[written(decision) - 1].kind == "reinstate"
    assert figures(history) == before
    assert places(history, 2).get("owed", 0) == places(history, 2).get("taken", 0) == 0


def test_rule_26_a_failed_refund_gives_back_debt_first_then_the_same_grant() -> None:
    history = with_pack(spent=20)
    history.do(refund(2, 600, key="r"))
    decision = history.do(refund(2, 0, key="failed"))
    assert moves(history, written(decision)) == [("lent", "debt", 2, 20), ("revoked", "grant", 2, 40)]


def test_rule_26_a_partly_failed_refund_gives_back_a_part() -> None:
    history = with_pack(spent=20)
    history.do(refund(2, 600, key="r"))
    history.do(refund(2, 450, key="a quarter failed"))
    assert figures(history) == (0, 0, 5)
    history.do(refund(2, 300, key="another"))
    assert figures(history) == (10, 0, 0)


def test_rule_26_a_partly_failed_refund_gives_back_no_more_than_that_part() -> None:
    # More would be collected again at once, and leave entries about nothing.
    history = with_pack(spent=20)
    history.do(refund(2, 600, key="r"))
    seq = len(history.journal)
    for cents in (450, 300, 0):
        history.do(refund(2, cents, key=f"{cents} refunded"))
    assert since(history, seq) == [("reinstate", 0), ("reinstate", 10), ("reinstate", 30)]
    assert moves(history, seq + 1) == [("lent", "debt", 2, 15)]
    assert moves(history, seq + 2) == [("lent", "debt", 2, 5), ("revoked", "grant", 2, 10)]


def test_rule_26_debt_that_was_repaid_meanwhile_comes_back_to_the_same_grant() -> None:
    history = with_pack(spent=20)
    history.do(refund(2, 600, key="r"))
    history.do(buy(15, key="another pack"))
    assert figures(history) == (0, 0, 5)
    decision = history.do(refund(2, 0, key="failed"))
    assert moves(history, written(decision)) == [
        ("debt", "grant", 2, 15),
        ("lent", "debt", 2, 20),
        ("revoked", "grant", 2, 40),
    ]
    assert figures(history) == (55, 0, 0)
    assert places(history, 2) == {"remaining": 55, "spent": 5}


def test_rule_26_a_partly_failed_refund_whose_debt_was_repaid() -> None:
    history = with_pack(spent=60)
    history.do(refund(2, 600, key="r"))
    history.do(buy(40, key="another pack"))
    assert figures(history) == (0, 0, 20)
    history.do(refund(2, 300, key="half failed"))
    assert figures(history) == (10, 0, 0), "60 were used, 30 + 40 were paid for"
    history.do(refund(2, 300, key="told of twice"))
    assert figures(history) == (10, 0, 0)
    history.do(refund(2, 100, key="more failed"))
    assert figures(history) == (30, 0, 0), "50 + 40 were paid for"
    history.do(refund(2, 600, key="refunded after all"))
    assert figures(history) == (0, 0, 20), "only 40 were"


def test_rule_26_held_credits_are_taken_when_they_return() -> None:
    history = with_pack()
    work = held(history, history.do(hold(40, key="work")))
    history.do(refund(2, 600, key="r"))
    assert figures(history) == (0, 40, 0)
    seq = len(history.journal)
    history.do(release(work, key="given up"))
    assert since(history, seq) == [("release", 0), ("clawback", -40)]
    entry = history.journal[-1]
    assert (entry.key, entry.actor, entry.reference) == (f"clawback:2:{entry.seq}", "clock", "grant:2")
    assert figures(history) == (0, 0, 0)


def test_rule_26_held_credits_that_time_out_are_taken_too() -> None:
    history = with_pack()
    history.do(hold(40, key="work"))
    history.do(refund(2, 300, key="r"))
    assert figures(history) == (0, 40, 0)
    history.wait(days=2)
    assert figures(history) == (30, 0, 0), "also where nothing is booked"
    history.do(spend(30, key="fix"))
    assert figures(history) == (0, 0, 0)


def test_rule_26_held_credits_that_are_captured_become_debt() -> None:
    history = with_pack()
    work = held(history, history.do(hold(40, key="work")))
    history.do(refund(2, 600, key="r"))
    seq = len(history.journal)
    history.do(capture(work, 25, key="done"))
    assert since(history, seq) == [("capture", -25), ("clawback", -15)]
    assert moves(history, seq + 2) == [("grant", "revoked", 2, 15), ("debt", "lent", 2, 25)]
    assert figures(history) == (0, 0, 25)


def test_rule_26_a_capture_within_what_one_is_entitled_to_owes_nothing() -> None:
    history = with_pack()
    work = held(history, history.do(hold(40, key="work")))
    history.do(refund(2, 300, key="r"))
    history.do(capture(work, 30, key="done"))
    assert figures(history) == (0, 0, 0)
    assert places(history, 2) == {"spent": 30, "revoked": 30, "taken": 30, "reversed": 30}


def test_rule_26_what_expired_is_neither_taken_nor_owed() -> None:
    history = History()
    history.install()
    history.do(buy(60, key="pack", expires_at=day(12, 10)))
    history.do(spend(20, key="s"))
    history.now = day(12, 11)
    decision = history.do(refund(2, 600, key="r"))
    assert moves(history, written(decision)) == [("debt", "lent", 2, 20)]
    assert figures(history) == (5, 0, 20)
    assert places(history, 2) == {"spent": 20, "expired": 40, "owed": 20, "reversed": 60}


def test_rule_26_what_a_failed_refund_returns_to_an_expired_grant_expires() -> None:
    history = History()
    history.install()
    history.do(buy(60, key="pack", expires_at=day(12, 10)))
    history.do(refund(2, 600, key="r"))
    history.now = day(12, 11)
    seq = len(history.journal)
    history.do(refund(2, 0, key="failed"))
    assert since(history, seq) == [("reinstate", 60), ("expire", -60)]


def test_rule_26_a_refund_of_part_after_the_expiry_takes_nothing_from_anybody_else() -> None:
    history = with_pack()
    history.do(buy(60, key="second", expires_at=day(12, 10)))
    history.now = day(12, 11)
    history.do(refund(3, 600, key="r"))
    assert figures(history) == (60, 0, 0)


def test_rule_26_the_debt_of_a_refund_is_repaid_by_the_next_purchase() -> None:
    history = with_pack(spent=20)
    history.do(refund(2, 600, key="r"))
    history.do(buy(60, key="second"))
    assert figures(history) == (40, 0, 0)


def test_rule_26_credits_that_repaid_a_debt_count_as_spent_when_refunded() -> None:
    history = History()
    history.install()
    history.do(usage(15, key="late", at=history.now))
    history.do(buy(60, key="pack"))
    assert figures(history) == (50, 0, 0)
    history.do(refund(2, 600, key="r"))
    assert figures(history) == (0, 0, 10)


def test_rule_26_what_was_revoked_by_hand_lowers_what_a_refund_takes() -> None:
    history = with_pack()
    history.do(revoke(20, key="by hand"))
    history.do(refund(2, 300, key="r"))
    assert places(history, 2) == {"remaining": 30, "revoked": 30, "taken": 10, "reversed": 30}
    history.do(refund(2, 0, key="failed"))
    assert places(history, 2) == {"remaining": 40, "revoked": 20}, "never more is given back than was taken"


def test_rule_26_what_was_revoked_by_hand_after_a_refund_stays_revoked() -> None:
    history = with_pack()
    history.do(refund(2, 300, key="r"))
    history.do(adjust(-30, key="by hand"))
    history.do(refund(2, 0, key="failed"))
    assert places(history, 2) == {"remaining": 30, "revoked": 30}


def test_rule_26_a_lost_dispute_is_a_refund_of_its_amount_and_a_won_one_is_none() -> None:
    # Who follows a payment counts refunds and lost disputes together; a won dispute leaves them as they were.
    history = with_pack(spent=20)
    history.do(refund(2, 100, key="a refund"))
    history.do(refund(2, 600, key="a dispute over the rest, lost"))
    assert figures(history) == (0, 0, 20)
    history.do(refund(2, 100, key="won after all"))
    assert figures(history) == (30, 0, 0)
    history.do(refund(2, 250, key="another refund, later"))
    assert figures(history) == (15, 0, 0)


def test_rule_26_a_spend_taken_back_of_a_refunded_grant_is_taken_and_no_longer_owed() -> None:
    history = with_pack(spent=20)
    spent = len(history.journal)
    history.do(refund(2, 600, key="r"))
    seq = len(history.journal)
    history.do(reverse(spent))
    assert since(history, seq) == [("reverse", 20), ("reinstate", 0), ("clawback", -20)]
    assert figures(history) == (0, 0, 0)


def test_rule_26_a_spend_taken_back_whose_debt_was_repaid_stays_with_the_customer() -> None:
    history = with_pack(spent=20)
    spent = len(history.journal)
    history.do(refund(2, 600, key="r"))
    history.do(buy(30, key="second"))
    history.do(reverse(spent))
    assert figures(history) == (30, 0, 0), "30 were paid for, none was used"
    history.do(refund(2, 0, key="failed"))
    assert figures(history) == (90, 0, 0), "and now 90 were"
    assert [each.origin.value for each in history.all_grants.values()][-1] == "refund_reversal"


def test_rule_26_debt_that_was_repaid_already_takes_no_later_debt_off() -> None:
    history = with_pack(spent=20)
    spent = len(history.journal)
    history.do(refund(2, 600, key="r"))
    history.do(buy(20, key="repaying"))
    history.do(reverse(spent))
    work = held(history, history.do(hold(1, key="work")))
    seq = len(history.journal)
    history.do(usage(30, key="late", at=history.now))
    history.do(release(work, key="given up"))
    assert since(history, seq) == [("spend", -19), ("release", 0)]
    assert figures(history) == (1, 0, 11)


@pytest.mark.parametrize(
    ("paid_cents", "refunded_cents"), [(0, 0), (-1, 0), (600, 601), (600, -1), (True, 0), (600, True)]
)
def test_rule_26_figures_that_make_no_sense_are_refused(paid_cents: int, refunded_cents: int) -> None:
    request = refund(2, refunded_cents, key="r", paid_cents=paid_cents)
    assert isinstance(refusal(with_pack().do(request)), InvalidAmountError)


def test_rule_26_a_grant_that_isnt_there_leaves_the_key_free() -> None:
    history = with_pack()
    error = refusal(history.do(refund(3, 300, key="r")))
    assert isinstance(error, UnknownGrantError)
    assert error.grant_number == 3
    history.do(buy(10, key="it came late"))
    history.do(refund(3, 300, key="r"))
    assert places(history, 3)["taken"] == 5


def test_rule_26_gifts_beside_stay_untouched() -> None:
    history = with_pack(spent=20)
    history.do(grant(7, key="gift"))
    history.do(refund(2, 600, key="r"))
    expected: Lines = [("grant", 7), ("clawback", -40)]
    assert since(history, 4) == expected
    assert figures(history) == (7, 0, 20)

"""What users of other ledgers complained of, as tests of ours. Each is named by its thread.

Those that need processes or databases to show are in `tests/storage/test_complaints.py`.
"""

from dataclasses import replace
from datetime import timedelta

from billing.commands import Applied, Refused
from billing.errors import HoldEndedError, InsufficientCreditsError
from billing.values import Origin
from tests.billing.builders import MAX, PRO, STARTER, History, day, grant, note, spend, truth
from tests.billing.looks import figures, held, moves, places, refusal, since, written
from tests.billing.requests import adjust, buy, capture, hold, refund, release, reverse, usage
from tests.billing.retelling import as_of


def customer() -> History:
    """Five credits."""
    history = History()
    history.install()
    return history


def test_lago_5870_the_same_top_up_twice_is_one() -> None:
    history = customer()
    first, second = history.do(buy(20, key="top-up:1")), history.do(buy(20, key="top-up:1"))
    assert isinstance(first.outcome, Applied)
    assert isinstance(second.outcome, Applied)
    assert (second.outcome.entries, second.outcome.replayed) == (first.outcome.entries, True)
    assert figures(history) == (25, 0, 0)


def test_lago_3618_a_payment_settled_twice_credits_once() -> None:
    history = customer()
    for _ in range(5):
        history.do(buy(20, key="payment:1:settled"))
    assert figures(history) == (25, 0, 0)


def test_lago_1962_a_low_balance_is_told_once_and_not_every_five_minutes() -> None:
    history = customer()
    history.do(spend(4, key="down"))
    for minute in range(12):
        history.wait(minutes=5)
        history.do(spend(9, key=f"refused:{minute}"))
    assert [(each.threshold, each.balance) for each in history.told] == [(1, 1)]


def test_lago_3049_of_a_batch_with_duplicates_each_event_counts_once() -> None:
    history = customer()
    for key in ("a", "b", "a", "c", "b"):
        assert isinstance(history.do(spend(1, key=key)).outcome, Applied)
    assert figures(history) == (2, 0, 0)


def test_lago_4772_a_duplicate_with_another_body_is_a_conflict_and_the_others_stand() -> None:
    history = customer()
    outcomes = [history.do(spend(count, key=key)).outcome for count, key in ((1, "a"), (2, "a"), (1, "b"))]
    assert [isinstance(each, Applied) for each in outcomes] == [True, False, True]
    assert figures(history) == (3, 0, 0)


def test_lago_6209_what_tells_events_apart_is_unique_for_ever() -> None:
    history = customer()
    history.do(spend(1, key="event:1"))
    history.wait(days=3650)
    again = history.do(spend(1, key="event:1")).outcome
    assert isinstance(again, Applied)
    assert again.replayed


def test_polar_11427_another_catalogue_leaves_granted_credits_alone() -> None:
    history = customer()
    history.follow(truth(PRO), effective_at=day(12, 1))
    history.do(buy(20, key="pack"))
    before = figures(history)
    pro = history.plans.plans["pro"]
    for included in (0, 10, 600):
        changed = {**history.plans.plans, "pro": replace(pro, included_credits=included)}
        history.plans = replace(history.plans, plans=changed)
        history.follow(truth(PRO), "changed")
        assert figures(history) == before


def test_polar_8451_subscribing_loses_no_bought_credits() -> None:
    history = customer()
    history.do(buy(20, key="pack"))
    history.follow(truth(PRO, billed_at=day(12, 20)), effective_at=day(11, 20))
    history.now = day(12, 21)
    history.follow(truth(PRO, billed_at=day(1, 20, year=2027)), "changed")
    assert places(history, 2) == {"remaining": 20}
    assert figures(history) == (85, 0, 0)


def test_polar_9410_an_upgrade_in_any_order_never_goes_below_zero() -> None:
    history = customer()
    history.follow(truth(MAX), effective_at=day(12, 1))
    history.follow(truth(STARTER), "changed", hinted=STARTER, effective_at=day(12, 1))
    history.follow(truth(MAX), "changed", hinted=MAX, effective_at=day(12, 1))
    assert figures(history) == (125, 0, 0)
    assert min(entry.balance_after for entry in history.journal) >= 0


def test_polar_5648_the_balance_is_the_same_wherever_the_calculation_starts() -> None:
    history = customer()
    history.do(grant(9, key="a", expires_at=day(12, 5)))
    history.do(hold(3, key="b"))
    history.do(spend(4, key="c"))
    history.wait(days=9)
    history.do(spend(1, key="d"))
    account, grants, holds = history.customer.account, history.all_grants.values(), history.all_holds.values()
    for seq in range(len(history.journal) + 1):
        past = as_of(account, grants, holds, history.journal[:seq])
        later = sum(entry.amount for entry in history.journal[seq:])
        assert past.account.posted + later == account.posted


def test_polar_9542_a_crossing_tells_who_tops_up_automatically() -> None:
    history = customer()
    history.do(spend(4, key="a"))
    history.do(buy(20, key="topped up"))
    history.do(spend(20, key="b"))
    assert [each.threshold for each in history.told] == [1, 1]


def test_blnk_181_what_is_held_counts_in_the_balance_check() -> None:
    history = customer()
    history.do(hold(4, key="first"))
    error = refusal(history.do(hold(2, key="second")))
    assert isinstance(error, InsufficientCreditsError)
    assert error.available == 1


def test_blnk_315_a_refund_told_of_twice_takes_once() -> None:
    history = customer()
    history.do(buy(20, key="pack"))
    history.do(refund(2, 300, key="event:1"))
    history.do(refund(2, 300, key="event:2"))
    history.do(refund(2, 300, key="event:1"))
    assert figures(history) == (15, 0, 0)


def test_blnk_171_a_hold_is_captured_once() -> None:
    history = customer()
    work = held(history, history.do(hold(4, key="work")))
    history.do(capture(work, 4, key="a"))
    assert isinstance(refusal(history.do(capture(work, 4, key="b"))), HoldEndedError)
    assert isinstance(refusal(history.do(release(work, key="c"))), HoldEndedError)
    assert figures(history) == (1, 0, 0)


def test_openmeter_3200_and_94_a_threshold_is_told_by_the_spend_that_crosses_it() -> None:
    history = customer()
    assert history.do(spend(3, key="a")).low_balances == ()
    decision = history.do(spend(1, key="b"))
    assert [each.threshold for each in decision.low_balances] == [1]


def test_openmeter_3293_one_off_top_ups_go_with_a_subscription() -> None:
    history = customer()
    history.follow(truth(PRO), effective_at=day(12, 1))
    history.do(buy(20, key="pack"))
    assert figures(history) == (85, 0, 0)


def test_openmeter_4252_a_month_is_granted_once_however_often_it_is_looked_at() -> None:
    history = customer()
    for _ in range(10):
        history.follow(truth(PRO, billed_at=day(12, 20)), "changed")
        history.wait(hours=3)
    assert figures(history) == (65, 0, 0)


def test_openmeter_4649_usage_of_a_closed_month_eats_no_later_credits() -> None:
    history = History()
    history.follow(truth(PRO, billed_at=day(12, 20)), effective_at=day(11, 20))
    history.now = day(12, 21)
    history.follow(truth(PRO, billed_at=day(1, 20, year=2027)), "changed")
    history.do(usage(30, key="late", at=day(12, 15)))
    assert figures(history) == (60, 0, 0)
    assert places(history, 1) == {"spent": 30, "expired": 30}


def test_flexprice_602_605_and_612_late_events_are_booked_once_at_their_own_time() -> None:
    history = customer()
    history.wait(days=2)
    for _ in range(2):
        history.do(usage(2, key="event:1", at=day(12, 2)))
    entry = history.journal[-1]
    assert (len(history.journal), entry.occurred_at, entry.recorded_at) == (2, day(12, 2), day(12, 3, 9))


def test_autumn_3388_buying_again_changes_no_expiry_of_older_credits() -> None:
    history = customer()
    history.do(buy(10, key="first", expires_at=day(12, 10)))
    history.do(buy(10, key="second", expires_at=day(12, 20)))
    assert [history.all_grants[number].expires_at for number in (2, 3)] == [day(12, 10), day(12, 20)]
    history.now = day(12, 10)
    assert figures(history) == (15, 0, 0)


def test_eliza_10920_a_chargeback_takes_back_what_is_left_and_owes_the_rest() -> None:
    history = customer()
    history.do(buy(20, key="pack"))
    history.do(spend(15, key="used"))
    history.do(refund(2, 600, key="chargeback"))
    assert figures(history) == (0, 0, 10)


def test_eliza_11155_a_won_dispute_is_netted_and_a_later_refund_takes_all_of_its_own() -> None:
    history = customer()
    history.do(buy(20, key="pack"))
    history.do(refund(2, 600, key="dispute lost"))
    history.do(refund(2, 0, key="won on appeal"))
    assert figures(history) == (25, 0, 0)
    history.do(refund(2, 300, key="refund"))
    assert figures(history) == (15, 0, 0)


def test_laravel_wallet_206_and_532_each_top_up_has_its_own_expiry() -> None:
    history = customer()
    for days in (3, 2, 1):
        expires_at = history.now + timedelta(days=days)
        history.do(buy(10, key=f"{days}", expires_at=expires_at))
    seen = []
    for _ in range(4):
        seen.append(figures(history)[0])
        history.wait(days=1)
    assert seen == [35, 25, 15, 5]


def test_suna_6666_a_renewal_that_was_never_granted_is_found_and_made_up_for() -> None:
    # `tests/billing/test_backfill.py` has the cases; here, that a replayed delivery makes up for it as well.
    history = customer()
    history.follow(truth(PRO, billed_at=day(12, 20)), effective_at=day(11, 20))
    history.now = day(12, 25)
    assert figures(history) == (5, 0, 0)
    for _ in range(2):
        history.follow(truth(PRO, billed_at=day(1, 20, year=2027)), "changed")
    assert figures(history) == (65, 0, 0)


def test_claude_code_77097_support_can_say_which_grant_paid_what() -> None:
    history = customer()
    history.do(grant(3, key="a", expires_at=day(12, 10)))
    seq = written(history.do(spend(4, key="b", reference="repository:7#12")))
    assert moves(history, seq) == [("grant", "used", 2, 3), ("grant", "used", 1, 1)]
    assert history.journal[seq - 1].reference == "repository:7#12"


def test_claude_code_86503_support_can_set_a_balance_right_with_a_reason() -> None:
    history = customer()
    wrong = written(history.do(spend(4, key="a")))
    fixed = written(history.do(reverse(wrong, text="charged for a failed fix")))
    more = written(history.do(adjust(2, key="sorry", text=note().text)))
    assert figures(history) == (7, 0, 0)
    assert history.notes[fixed].text == "charged for a failed fix"
    assert history.notes[more].text == "sorry for the outage"
    assert history.all_grants[2].origin is Origin.GOODWILL
    assert since(history, wrong) == [("reverse", 4), ("grant", 2)]


def test_tigerbeetle_a_failed_request_stays_failed() -> None:
    history = customer()
    first = history.do(spend(6, key="a")).outcome
    history.do(buy(20, key="pack"))
    again = history.do(spend(6, key="a")).outcome
    assert isinstance(first, Refused)
    assert isinstance(again, Refused)
    assert (str(again.error), again.replayed) == (str(first.error), True)

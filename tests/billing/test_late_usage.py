"""Late usage is booked at its own time, paid by what could have paid then (decision 0071)."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from billing.decide.decision import Facts
from billing.decide.late_usage import record_usage
from billing.errors import InvalidTimeError
from billing.ledger.book import Book, Voucher
from billing.wants import wanted_by
from tests.billing.builders import CUSTOMER_ID, PRO, STARTER, History, day, grant, note, spend, truth
from tests.billing.looks import figures, held, moves, places, refusal, since, written
from tests.billing.requests import buy, hold, refund, release, usage

MILLISECOND = timedelta(milliseconds=1)


@pytest.fixture
def history() -> History:
    """Five credits that never expire, and three that expired on the 10th; now is the 15th."""
    history = History()
    history.install()
    history.do(grant(3, key="a", expires_at=day(12, 10)))
    history.now = day(12, 15)
    return history


def test_it_is_booked_at_its_own_time(history: History) -> None:
    seq = written(history.do(usage(1, key="u", at=day(12, 9))))
    entry = history.journal[seq - 1]
    assert (entry.kind, entry.occurred_at, entry.recorded_at) == ("spend", day(12, 9), day(12, 15))
    assert (entry.reference, entry.actor) == ("repository:7#12", "key:1")


def test_credits_that_expired_since_would_have_been_spent_then(history: History) -> None:
    seq = written(history.do(usage(4, key="u", at=day(12, 9))))
    assert moves(history, seq) == [("expired", "used", 2, 3), ("grant", "used", 1, 1)]
    assert history.journal[seq - 1].amount == -1
    assert places(history, 2) == {"spent": 3}
    assert figures(history) == (4, 0, 0)


def test_credits_that_had_expired_by_then_pay_nothing(history: History) -> None:
    seq = written(history.do(usage(4, key="u", at=day(12, 10))))
    assert moves(history, seq) == [("grant", "used", 1, 4)]


def test_credits_that_came_after_it_pay_nothing(history: History) -> None:
    history.do(buy(20, key="later"))
    seq = written(history.do(usage(10, key="u", at=day(12, 14))))
    assert moves(history, seq) == [("grant", "used", 1, 5), ("debt", "used", 0, 5)]
    assert figures(history) == (20, 0, 5)


def test_credits_that_came_after_it_are_passed_over_though_they_burn_first(history: History) -> None:
    history.do(grant(20, key="later", expires_at=day(12, 20)))
    seq = written(history.do(usage(2, key="u", at=day(12, 14))))
    assert moves(history, seq) == [("grant", "used", 1, 2)]


def test_a_grant_pays_from_the_moment_it_was_made(history: History) -> None:
    history.do(buy(20, key="just now"))
    history.wait(hours=1)
    seq = written(history.do(usage(10, key="u", at=day(12, 15))))
    assert moves(history, seq) == [("grant", "used", 1, 5), ("grant", "used", 3, 5)]


def test_what_was_spent_since_is_not_available_twice(history: History) -> None:
    history.do(spend(5, key="since"))
    history.do(usage(4, key="u", at=day(12, 9)))
    assert figures(history) == (0, 0, 1)


def test_what_is_held_stays_held(history: History) -> None:
    history.do(hold(5, key="work"))
    history.do(usage(4, key="u", at=day(12, 14)))
    assert figures(history) == (0, 5, 4)


def test_a_month_that_is_over_pays_for_its_own_usage() -> None:
    history = History()
    history.follow(truth(PRO, billed_at=day(12, 20)), effective_at=day(11, 20))
    history.now = day(12, 21)
    history.follow(truth(PRO, billed_at=day(1, 20, year=2027)), "changed")
    assert figures(history) == (60, 0, 0)
    history.do(usage(10, key="u", at=day(12, 15)))
    assert figures(history) == (60, 0, 0)
    assert places(history, 1) == {"spent": 10, "expired": 50}


def test_the_same_usage_told_of_twice_is_booked_once(history: History) -> None:
    history.do(usage(4, key="u", at=day(12, 9)))
    history.wait(days=60)
    history.do(usage(4, key="u", at=day(12, 9)))
    assert figures(history) == (4, 0, 0)


def test_the_time_belongs_to_the_request(history: History) -> None:
    history.do(usage(4, key="u", at=day(12, 9)))
    assert "another request" in str(refusal(history.do(usage(4, key="u", at=day(12, 8)))))


@pytest.mark.parametrize("text", ["we were away", None])
def test_why_it_is_booked_stands_beside_the_entry(history: History, text: str | None) -> None:
    command = replace(usage(1, key="late", at=history.now), note=None if text is None else note(text))
    seq = written(history.do(command))
    found = history.notes.get(seq)
    assert (found and found.text) == text
    assert "another request" in str(refusal(history.do(replace(command, note=note("something else")))))


@pytest.mark.parametrize(
    "at", [day(12, 15) + timedelta(milliseconds=1), day(12, 15) - timedelta(days=30, milliseconds=1)]
)
def test_it_has_happened_and_not_too_long_ago(history: History, at: object) -> None:
    error = refusal(history.do(usage(1, key="u", at=at)))  # type: ignore[arg-type]
    assert isinstance(error, InvalidTimeError)
    assert error.problem
    history.do(usage(1, key="u", at=day(12, 15) - timedelta(days=30)))


def test_usage_of_a_refunded_grant_is_owed() -> None:
    history = History()
    history.install()
    history.do(spend(5, key="sign-up"))
    history.do(buy(10, key="pack", expires_at=day(12, 10)))
    history.now = day(12, 11)
    history.do(refund(2, 600, key="r"))
    assert figures(history) == (0, 0, 0), "all of it had expired"
    history.do(usage(4, key="u", at=day(12, 9)))
    assert figures(history) == (0, 0, 4)
    assert places(history, 2) == {"spent": 4, "expired": 6, "owed": 4, "reversed": 10}


def test_what_returned_and_expired_pays_as_well(history: History) -> None:
    history.now = day(12, 15)
    history.do(grant(2, key="b", expires_at=day(12, 16)))
    work = held(history, history.do(hold(7, key="work", lasts=timedelta(days=9))))
    history.now = day(12, 17)
    history.do(release(work, key="given up"))
    seq = written(history.do(usage(2, key="u", at=day(12, 15, 12))))
    assert moves(history, seq) == [("expired", "used", 3, 2)]


def renewed() -> History:
    """Starter since November 20th (grant 1), raised to Pro on the 25th (grant 2), renewed on December 21st (grant 3).

    The first month's credits might have lived to December 23rd, but expired as the second month's came.
    """
    history = History()
    history.now = day(11, 20)
    history.follow(truth(STARTER, billed_at=day(12, 20)), effective_at=day(11, 20))
    history.now = day(11, 25)
    history.follow(truth(PRO, billed_at=day(12, 20)), "changed", effective_at=day(11, 25))
    history.now = day(12, 21)
    history.follow(truth(PRO, billed_at=day(1, 20, year=2027)), "changed")
    return history


def payers(history: History, at: datetime) -> list[tuple[str, int]]:
    """From where the credit came that paid for a unit used at that time."""
    seq = written(history.do(usage(1, key=f"u:{at}", at=at)))
    return [(place, number) for place, _, number, _ in moves(history, seq)]


def test_a_month_pays_until_the_next_one_is_granted() -> None:
    history = renewed()
    history.now = day(12, 25)
    assert payers(history, day(12, 21) - MILLISECOND) == [("expired", 1)]
    assert payers(history, day(12, 21)) == [("grant", 3)]
    assert payers(history, day(12, 22)) == [("grant", 3)], "the first month had expired with the second's coming"


def test_a_month_that_was_raised_within_goes_on() -> None:
    history = renewed()
    assert payers(history, day(11, 24)) == [("expired", 1)]
    assert payers(history, day(11, 26)) == [("expired", 1)]
    seq = written(history.do(usage(20, key="more", at=day(11, 26))))
    assert moves(history, seq) == [("expired", "used", 1, 18), ("expired", "used", 2, 2)]


def test_an_earlier_month_ends_no_later_one() -> None:
    history = renewed()
    history.now = day(1, 21, year=2027)
    history.follow(truth(PRO, billed_at=day(2, 20, year=2027)), "changed")
    assert payers(history, day(1, 20, year=2027)) == [("expired", 3)]
    assert payers(history, day(1, 21, year=2027)) == [("grant", 4)]


def test_another_providers_month_ends_none() -> None:
    # There is one provider of plans by now, so its grants are made to be another's.
    history = renewed()
    first, _, second = history.all_grants.values()
    book = Book(history.customer.account, (first, replace(second, provider="stripe")), (), day(12, 25), months={})
    used_at = day(12, 22)
    voucher = Voucher(key="u", actor="key:1", occurred_at=used_at)
    entry = record_usage(book, usage(1, key="u", at=used_at), voucher, Facts())
    assert [(move.debit, move.grant_number) for move in entry.moves] == [("expired", 1)]


def test_what_is_waived_of_it_happened_when_it_was_used(history: History) -> None:
    history.is_billing_on = False
    history.do(usage(9, key="u", at=day(12, 9)))
    assert since(history, 4) == [("waive", 0)]
    assert {entry.occurred_at for entry in history.journal[3:]} == {day(12, 9)}


def test_of_several_usages_of_a_customer_the_earliest_says_what_is_loaded() -> None:
    early, late = (usage(1, key=key, at=at) for key, at in (("early", day(12, 3)), ("late", day(12, 7))))
    for batch in ((early, late), (late, early)):
        assert wanted_by(batch, day(12, 8)).used_at == {CUSTOMER_ID: day(12, 3)}

"""Rule 6: a key's answer is kept for ever, also a refusal; the same key with another body is a conflict."""

from dataclasses import replace
from datetime import timedelta

import pytest

from billing.commands import Applied, KeyedCommand, Refused, RevokeCredits, SpendCredits
from billing.decide.keys import hash_request, write_refusal
from billing.errors import (
    ExpiredGrantError,
    IdempotencyConflictError,
    InsufficientCreditsError,
    InvalidAmountError,
    InvalidKeyError,
    InvalidTimeError,
    UnknownCustomerError,
)
from billing.records import Remembered
from billing.values import Credits, CustomerId
from tests.billing.builders import ACCOUNT_ID, CUSTOMER_ID, History, day, grant, note, revoke, spend
from tests.billing.looks import refusal, written


@pytest.fixture
def history() -> History:
    """A customer with the five sign-up credits."""
    history = History()
    history.install()
    return history


@pytest.mark.parametrize("command", [grant(3, key="k"), revoke(3, key="k"), spend(3, key="k")])
def test_rule_06_the_same_key_and_body_get_the_same_answer(history: History, command: KeyedCommand) -> None:
    first = history.do(command)
    assert first.outcome == Applied(customer_id=CUSTOMER_ID, entries=(2,))
    balance = history.available
    history.wait(days=4000)
    again = history.do(command)
    assert again.outcome == Applied(customer_id=CUSTOMER_ID, entries=(2,), replayed=True)
    assert history.available == balance
    assert len(history.journal) == 2


@pytest.mark.parametrize(
    ("command", "other"),
    [
        (grant(3, key="k"), grant(4, key="k")),
        (grant(3, key="k"), grant(3, key="k", expires_at=day(12, 30))),
        (grant(3, key="k"), grant(3, key="k", text="another reason")),
        (grant(3, key="k"), replace(grant(3, key="k"), actor="key:9")),
        (grant(3, key="k"), spend(3, key="k")),
        (revoke(3, key="k"), revoke(4, key="k")),
        (revoke(3, key="k"), spend(3, key="k")),
        (spend(3, key="k"), spend(3, key="k", reference="repository:7#13")),
        (spend(3, key="k"), revoke(3, key="k")),
    ],
)
def test_rule_06_the_same_key_with_another_body_is_a_conflict(
    history: History, command: KeyedCommand, other: KeyedCommand
) -> None:
    history.do(command)
    conflict = history.do(other)
    assert isinstance(conflict.outcome, Refused)
    assert isinstance(conflict.outcome.error, IdempotencyConflictError)
    assert conflict.outcome.error.key == "k"
    assert conflict.refusals == (), "the key keeps its first answer"
    assert isinstance(history.do(command).outcome, Applied)


@pytest.mark.parametrize("command", [spend(6, key="k"), revoke(6, key="k")])
def test_rule_06_a_refusal_is_kept_too(history: History, command: RevokeCredits | SpendCredits) -> None:
    first = history.do(command)
    assert isinstance(first.outcome, Refused)
    assert not first.outcome.replayed
    history.do(grant(100, key="more"))
    again = history.do(command)
    assert isinstance(again.outcome, Refused)
    assert again.outcome.replayed
    assert isinstance(again.outcome.error, InsufficientCreditsError)
    assert (again.outcome.error.requested, again.outcome.error.available) == (6, 5)
    conflict = history.do(replace(command, amount=Credits(1)))
    assert isinstance(conflict.outcome, Refused)
    assert isinstance(conflict.outcome.error, IdempotencyConflictError)


def test_rule_06_salt_and_time_make_no_other_request(history: History) -> None:
    history.do(grant(3, key="k"))
    salted = replace(grant(3, key="k"), note=note("sorry", salt=b"another salt"))
    assert isinstance(history.do(salted).outcome, Applied)
    history.do(spend(3, key="s", at=day(12, 1, 8)))
    assert isinstance(history.do(spend(3, key="s", at=day(12, 1, 9))).outcome, Applied)


@pytest.mark.parametrize("key", ["", "signup", "plan:github_marketplace:1:1", "expire:1:2", "rollover:x:1", "plan"])
def test_rule_06_keys_of_our_own_entries_are_refused(history: History, key: str) -> None:
    outcome = history.do(grant(3, key=key)).outcome
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, InvalidKeyError)
    assert outcome.error.key == key


def test_rule_06_a_key_that_was_used_before_its_word_was_reserved_keeps_its_answer(history: History) -> None:
    booked, refused = spend(1, key="charge:ch_1"), spend(9, key="charge:ch_2")
    kept = write_refusal(InsufficientCreditsError(requested=9, available=5))
    for command, seq, text in ((booked, 7, ""), (refused, 0, kept)):
        history.remembered[command.key] = Remembered(
            account_id=ACCOUNT_ID,
            key=command.key,
            request_hash=hash_request(command),
            seq=seq,
            refusal=text,
            recorded_at=history.now,
        )
    assert history.do(booked).outcome == Applied(customer_id=CUSTOMER_ID, entries=(7,), replayed=True)
    assert isinstance(refusal(history.do(refused)), InsufficientCreditsError)
    for command in (replace(booked, amount=Credits(2)), replace(refused, actor="key:9"), spend(1, key="signup")):
        assert isinstance(refusal(history.do(command)), InvalidKeyError)
    assert isinstance(refusal(history.do(spend(1, key="charge:ch_3"))), InvalidKeyError)
    assert len(history.journal) == 1


@pytest.mark.parametrize("key", ["planned", "signup-bonus", "fix:plan:1"])
def test_other_keys_may_look_alike(history: History, key: str) -> None:
    assert isinstance(history.do(grant(3, key=key)).outcome, Applied)


def test_rule_06_a_malformed_request_is_refused_and_its_key_stays_free(history: History) -> None:
    nothing = history.do(spend(0, key="k"))
    assert isinstance(nothing.outcome, Refused)
    assert isinstance(nothing.outcome.error, InvalidAmountError)
    too_many = history.do(spend(1_000_000_001, key="k"))
    assert isinstance(too_many.outcome, Refused)
    assert "1000000000 are the most" in str(too_many.outcome.error)
    just_past = history.do(grant(3, key="k", expires_at=history.now + timedelta(microseconds=999)))
    assert isinstance(just_past.outcome, Refused)
    past = history.do(grant(3, key="k", expires_at=history.now))
    assert isinstance(past.outcome, Refused)
    assert isinstance(past.outcome.error, ExpiredGrantError)
    assert past.outcome.error.expires_at == history.now
    assert nothing.refusals == past.refusals == ()
    assert isinstance(history.do(spend(1, key="k")).outcome, Applied)


def test_a_spend_may_be_ahead_of_our_clock_by_five_minutes(history: History) -> None:
    """Callers' clocks differ from ours. What is farther ahead hasn't happened, and its key stays free."""
    early = spend(1, key="k", at=history.now + timedelta(minutes=5, milliseconds=1))
    error = refusal(history.do(early))
    assert isinstance(error, InvalidTimeError)
    assert error.problem
    written(history.do(spend(1, key="k", at=history.now + timedelta(minutes=5))))
    assert history.journal[-1].occurred_at == history.now + timedelta(minutes=5)
    assert history.do(early).entries == (), "the key has its answer now, whenever it is asked about again"


def test_a_command_about_nobody_is_refused() -> None:
    history = History()
    outcome = history.do(replace(spend(1, key="k"), customer_id=CustomerId(99))).outcome
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, UnknownCustomerError)
    assert outcome.error.reference == "99"


def test_a_grant_by_hand_is_goodwill(history: History) -> None:
    history.do(grant(3, key="k", expires_at=day(12, 24)))
    goodwill = history.all_grants[2]
    assert (goodwill.origin, goodwill.category, goodwill.priority) == ("goodwill", "promotional", 50)
    assert (goodwill.effective_at, goodwill.expires_at) == (history.now, day(12, 24))

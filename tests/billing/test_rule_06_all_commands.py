"""Rule 6 for every keyed command there is: the same key and body, the same answer, also when it was a refusal."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest

from billing.commands import Applied, KeyedCommand, Refused, ReverseEntry
from billing.decide.keys import KEPT, OWN_KEYS, hash_request, is_kept, write_refusal
from billing.errors import BillingError, IdempotencyConflictError, InvalidKeyError
from billing.records import Remembered
from billing.values import NEVER, HoldId, Origin
from tests.billing.builders import ACCOUNT_ID, History, day, grant, note, revoke, spend
from tests.billing.looks import held, refusal
from tests.billing.requests import adjust, buy, capture, extend, hold, paid, refund, release, reverse, usage

WORK = HoldId(77)


def prepared() -> History:
    """Five credits and a pack of ten, of which five are held."""
    history = History(hold_id=WORK)
    history.install()
    history.do(buy(10, key="pack"))
    history.do(hold(5, key="work"))
    history.hold_id = HoldId(78)
    return history


# Each with requests that differ from it in one thing that belongs to the body.
REQUESTS: dict[KeyedCommand, list[KeyedCommand]] = {
    grant(3, key="k"): [
        grant(4, key="k"),
        grant(3, key="k", expires_at=day(12, 30)),
        grant(3, key="k", text="another"),
        replace(grant(3, key="k"), note=replace(note("sorry"), actor_name="Grace")),
        replace(grant(3, key="k"), origin=Origin.MIGRATION),
        replace(grant(3, key="k"), reference="payment:1"),
        replace(grant(3, key="k"), note=None),
    ],
    buy(3, key="k"): [replace(buy(3, key="k"), reference="payment:2")],
    revoke(3, key="k"): [revoke(4, key="k")],
    adjust(3, key="k"): [adjust(-3, key="k"), adjust(3, key="k", text="another")],
    spend(3, key="k"): [
        spend(4, key="k"),
        spend(3, key="k", reference="repository:7#13"),
        replace(spend(3, key="k"), paid=paid(1)),
        replace(spend(3, key="k"), paid=paid(1, 2900)),
    ],
    usage(3, key="k", at=day(12, 1)): [
        usage(4, key="k", at=day(12, 1)),
        usage(3, key="k", at=day(11, 30)),
        usage(3, key="k", at=day(12, 1), reference="repository:7#13"),
    ],
    hold(3, key="k"): [
        hold(4, key="k"),
        hold(3, key="k", lasts=timedelta(hours=1)),
        hold(3, key="k", reference="repository:7#13"),
        hold(3, key="k", terms=paid(1)),
    ],
    capture(WORK, 3, key="k"): [capture(WORK, 4, key="k"), capture(HoldId(78), 3, key="k")],
    release(WORK, key="k"): [release(HoldId(78), key="k")],
    extend(WORK, key="k"): [extend(WORK, key="k", lasts=timedelta(hours=1)), extend(HoldId(78), key="k")],
    refund(2, 300, key="k"): [
        refund(2, 299, key="k"),
        refund(2, 300, key="k", paid_cents=601),
        refund(1, 300, key="k"),
        replace(refund(2, 300, key="k"), reference="charge:2"),
    ],
}


def test_rule_06_no_command_is_forgotten() -> None:
    assert {type(request) for request in REQUESTS} | {type(reverse(1))} == set(get_args(KeyedCommand))


@pytest.mark.parametrize("request_", [*REQUESTS, reverse(2)])
def test_rule_06_a_success_is_kept(request_: KeyedCommand) -> None:
    history = prepared()
    first = history.do(request_).outcome
    assert isinstance(first, Applied), first
    journal, balance = list(history.journal), history.balance
    assert history.do(request_).outcome == replace(first, replayed=True)
    history.wait(hours=1)
    assert history.do(request_).outcome == replace(first, replayed=True)
    assert (history.journal, history.balance) == (journal, balance)


@pytest.mark.parametrize(
    ("request_", "other"),
    [(request, other) for request, others in REQUESTS.items() for other in [*others, replace(request, actor="x")]],
)
def test_rule_06_another_body_is_a_conflict(request_: KeyedCommand, other: KeyedCommand) -> None:
    history = prepared()
    history.do(request_)
    journal = list(history.journal)
    assert isinstance(refusal(history.do(other)), IdempotencyConflictError)
    assert history.journal == journal


def test_rule_06_no_two_kinds_of_requests_hash_alike() -> None:
    hashes = [hash_request(request) for request in [*REQUESTS, reverse(2)]]
    assert len(set(hashes)) == len(hashes)
    assert {len(each) for each in hashes} == {32}


HASHES = {
    "GrantCredits": "c3e0a07ec2eaa974",
    "RevokeCredits": "9fbc6d2e2c20d195",
    "AdjustCredits": "cc01f08d9128765f",
    "SpendCredits": "13a86d999c4f95f1",
    "RecordUsage": "202d618c6778f404",
    "HoldCredits": "6278195713f14c5f",
    "CaptureHold": "59b366bd8b3e05af",
    "ReleaseHold": "62c5ed0c014fa486",
    "ExtendHold": "07aee775a2b79b4e",
    "FollowRefund": "9e5617b24349d489",
    "ReverseEntry": "a0f32dff677b55dc",
}


def test_rule_06_the_hashes_of_requests_never_change() -> None:
    # A key's request is compared with what was hashed when it was first used, years ago perhaps.
    told = {type(request).__name__: hash_request(request).hex()[:16] for request in [*REQUESTS, reverse(2)]}
    assert told == HASHES
    assert hash_request(grant(3, key="k", expires_at=NEVER)).hex()[:16] == "d6fa3115ffb2ddfd"


REFUSED: dict[str, Callable[[], KeyedCommand]] = {
    "InsufficientCreditsError": lambda: spend(99, key="k"),
    "UnknownHoldError": lambda: release(HoldId(5), key="k"),
    "HoldEndedError": lambda: release(HoldId(79), key="k"),
    "HoldExceededError": lambda: capture(WORK, 6, key="k"),
    "HoldTooLongError": lambda: hold(1, key="k", lasts=timedelta(days=31)),
    "EntryNotReversibleError": lambda: reverse(3),
}


@pytest.mark.parametrize("name", REFUSED)
def test_rule_06_a_refusal_is_kept(name: str) -> None:
    history = prepared()
    history.hold_id = HoldId(79)
    history.do(hold(1, key="ended"))
    history.do(release(HoldId(79), key="by then"))
    request = REFUSED[name]()
    decision = history.do(request)
    first = refusal(decision)
    assert type(first).__name__ == name
    assert [(each.key, each.seq) for each in decision.refusals] == [(request.key, 0)]
    history.do(grant(1000, key="more"))
    history.wait(hours=2)
    again = history.do(request)
    assert isinstance(again.outcome, Refused)
    assert again.outcome.replayed
    assert again.refusals == ()
    assert (type(again.outcome.error), vars(again.outcome.error)) == (type(first), vars(first))
    assert str(again.outcome.error) == str(first)


def test_rule_06_every_kept_refusal_is_tried() -> None:
    assert set(REFUSED) == set(KEPT)


def test_rule_06_other_refusals_are_not_kept() -> None:
    assert not is_kept(BillingError("another"))
    assert not is_kept(InvalidKeyError("k"))


def test_rule_06_a_refusal_that_was_kept_long_ago_is_read() -> None:
    history = prepared()
    request = spend(99, key="k")
    written = '{"error": "InsufficientCreditsError", "requested": 99, "available": 3}'
    history.remembered["k"] = Remembered(
        account_id=ACCOUNT_ID,
        key="k",
        request_hash=hash_request(request),
        seq=0,
        refusal=written,
        recorded_at=day(12, 1),
    )
    error = refusal(history.do(request))
    assert write_refusal(error) == written


@pytest.mark.parametrize("name", sorted(OWN_KEYS))
def test_rule_06_keys_of_our_own_entries_are_refused_to_everybody(name: str) -> None:
    history = prepared()
    for request in REQUESTS:
        for key in (name, f"{name}:1"):
            assert not isinstance(request, ReverseEntry), "its key is its own"
            asked = replace(request, key=key)
            assert isinstance(refusal(history.do(asked)), InvalidKeyError)


def test_rule_06_all_keys_of_our_own_entries_are_reserved() -> None:
    history = prepared()
    more = held(history, history.do(hold(8, key="more")))
    history.do(usage(20, key="u", at=history.now))
    history.do(buy(10, key="pack 2"))
    history.do(refund(2, 600, key="r"))
    history.do(adjust(50, key="up"))
    history.do(capture(more, 2, key="done"))
    own = {entry.key.partition(":")[0] for entry in history.journal if entry.actor == "clock" or ":" in entry.key}
    assert own <= OWN_KEYS | {"signup"}
    assert {"repay", "clawback", "adjust"} <= own

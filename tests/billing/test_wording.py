"""What people read when something is refused: the words are part of what is promised."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing.commands import Applied, BackfillGrants, KeyedCommand, Refused
from billing.decide.faults import MOST, MOST_PAID_UNITS
from billing.errors import (
    BillingError,
    CannotActError,
    EntryNotReversibleError,
    ExpiredGrantError,
    HoldEndedError,
    HoldExceededError,
    HoldTooLongError,
    IdempotencyConflictError,
    InsufficientCreditsError,
    InvalidAmountError,
    InvalidKeyError,
    InvalidOriginError,
    InvalidPlanCatalogError,
    InvalidTimeError,
    LeaseLostError,
    OutOfBoundsError,
    UnknownCustomerError,
    UnknownEntryError,
    UnknownGrantError,
    UnknownHoldError,
)
from billing.plans import parse_plans
from billing.values import Credits, CustomerId
from tests.billing.builders import History, day, grant, spend
from tests.billing.looks import refusal
from tests.billing.requests import adjust, hold, paid, refund, usage
from tests.billing.test_plans import SMALL

WHOLE = "must be a whole number, zero or more"
NATURAL = "must be a whole number that isn't negative"
TEXT = 'a text in quotes, such as "Pro"'
LIST = "a list of whole numbers, such as [10, 0]"
TOPUP = '[topups.p]\ncredits = {credits}\nprice_cents = 1\nstripe_price = "p"\n[plans.payg]'


AT = datetime(2026, 1, 1, tzinfo=UTC)

REFUSALS: dict[type[BillingError], tuple[dict[str, Any], str]] = {
    InvalidAmountError: (
        {"what": "seats", "value": -1},
        "seats must be a whole number that isn't negative, not -1",
    ),
    InvalidPlanCatalogError: ({"place": "plans.toml: a", "problem": "is missing"}, "plans.toml: a: is missing"),
    UnknownCustomerError: ({"reference": "12"}, "there is no customer 12"),
    InsufficientCreditsError: (
        {"requested": 3, "available": 2},
        "3 credits were asked for, 2 are available",
    ),
    IdempotencyConflictError: ({"key": "a"}, "the key 'a' was used before for another request"),
    InvalidKeyError: (
        {"key": ""},
        "the key '' is empty or begins like a key of the ledger's own; choose another one",
    ),
    OutOfBoundsError: (
        {"what": "the key", "problem": "is longer than 200 characters"},
        "the key is longer than 200 characters",
    ),
    ExpiredGrantError: (
        {"expires_at": AT},
        "the credits would have expired already, at 2026-01-01T00:00:00+00:00",
    ),
    InvalidTimeError: ({"problem": "it is too late"}, "it is too late"),
    InvalidOriginError: ({"origin": "signup"}, "credits of the origin signup can't be granted by request"),
    UnknownHoldError: ({"hold_id": 7}, "there is no hold 7"),
    HoldEndedError: ({"hold_id": 7, "state": "released"}, "the hold 7 has ended: it is released"),
    HoldExceededError: (
        {"hold_id": 7, "requested": 3, "held": 2},
        "3 were to be captured of hold 7, which holds 2",
    ),
    HoldTooLongError: ({"latest_at": AT}, "the hold can't last beyond 2026-01-01T00:00:00+00:00"),
    UnknownGrantError: ({"grant_number": 4}, "there is no grant 4"),
    UnknownEntryError: ({"seq": 5}, "there is no entry 5"),
    EntryNotReversibleError: ({"seq": 5, "reason": "it charged money"}, "entry 5 can't be reversed: it charged money"),
    CannotActError: ({"reason": "gone"}, "gone"),
}
"""Of each refusal, what it is made of, and what it says."""


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_says_what_is_wrong_and_carries_what_it_is_about(kind: type[BillingError]) -> None:
    fields, text = REFUSALS[kind]
    error = kind(**fields)
    assert (str(error), vars(error)) == (text, fields)


def test_every_refusal_has_its_words() -> None:
    assert set(REFUSALS) == {
        kind for kind in BillingError.__subclasses__() if kind.__module__ == BillingError.__module__
    }


def test_failures_carry_what_they_are_about() -> None:
    lost = LeaseLostError("github:7")
    assert (str(lost), lost.reason, lost.retry_after_seconds) == (
        "the lease of github:7 was lost",
        "the lease of github:7 was lost",
        None,
    )
    assert lost.partition == "github:7"
    with pytest.raises(InvalidAmountError, match=r"^credits must be a whole number that isn't negative, not -1$"):
        Credits(-1)


@pytest.mark.parametrize("change", [0, MOST + 1, -MOST - 1])
def test_a_change_of_no_possible_size_is_told_with_what_it_was(change: int) -> None:
    error = refusal(signed_up().do(adjust(change, key="k")))
    assert str(error) == (
        f"the size of a change, which is from 1 to 1000000000, must be a whole number that isn't negative, not {change}"
    )


@pytest.mark.parametrize("change", [MOST, -MOST])
def test_the_largest_change_is_possible(change: int) -> None:
    assert isinstance(signed_up().do(adjust(change, key="k")).outcome, Applied)


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (usage(1, key="k", at=day(12, 2)), "usage can't be recorded before it has happened"),
        (usage(1, key="k", at=day(1, 1)), "usage can be recorded up to 30 days after it happened"),
        (
            spend(1, key="k", at=day(12, 1, 10)),
            "credits can't be spent before what they pay for has happened",
        ),
        (
            spend(MOST + 1, key="k"),
            f"credits to move, of which 1000000000 are the most, {NATURAL}, not 1000000001",
        ),
        (spend(0, key="k"), "credits to move must be a whole number that isn't negative, not 0"),
        (hold(1, key="k", lasts=timedelta(0)), "a hold lasts at least a millisecond"),
        (refund(1, 0, key="k", paid_cents=0), "cents paid must be a whole number that isn't negative, not 0"),
        (
            refund(1, 601, key="k"),
            "cents refunded, which are no more than were paid, must be a whole number that isn't negative, not 601",
        ),
        (hold(1, key="k", terms=paid(-1)), "paid units must be a whole number that isn't negative, not -1"),
        (
            hold(1, key="k", terms=paid(51)),
            "paid units, of which 50 are the most, must be a whole number that isn't negative, not 51",
        ),
        (hold(1, key="k", terms=paid(1, -2)), "the price of a unit must be a whole number that isn't negative, not -2"),
    ],
)
def test_a_request_that_makes_no_sense_is_told_why(command: KeyedCommand, text: str) -> None:
    assert str(refusal(signed_up().do(command))) == text


@pytest.mark.parametrize(
    "command",
    [
        usage(1, key="k", at=day(12, 1, 9) - timedelta(days=30)),
        usage(1, key="k", at=day(12, 1, 9)),
        hold(1, key="k", lasts=timedelta(milliseconds=1)),
        refund(1, MOST, key="k", paid_cents=MOST),
        refund(1, 0, key="k", paid_cents=1),
        grant(MOST, key="k"),
        hold(1, key="k", terms=paid(MOST_PAID_UNITS, MOST)),
        hold(1, key="k", terms=paid(0, 0)),
    ],
)
def test_what_is_just_possible_is_done(command: KeyedCommand) -> None:
    assert isinstance(signed_up().do(command).outcome, Applied)


def test_who_isnt_there_is_named() -> None:
    nobody = CustomerId(99)
    for command in (
        replace(adjust(1, key="k"), customer_id=nobody),
        BackfillGrants(customer_id=nobody, is_dry_run=True),
    ):
        outcome = History().do(command).outcome
        assert isinstance(outcome, Refused)
        assert str(outcome.error) == "there is no customer 99"


def signed_up() -> History:
    """A customer with the credits of a sign-up."""
    history = History()
    history.install()
    return history


@pytest.mark.parametrize(
    ("old", "new", "place", "problem"),
    [
        ('name = "Trial"', "", "plans.trial: name", f"is missing; it must be {TEXT}"),
        ('name = "Trial"', "name = 5", "plans.trial: name", f"must be {TEXT}, not 5"),
        ("rank = 0", "", "plans.trial: rank", "is missing; it must be a whole number, zero or more"),
        ("rank = 0", "rank = 1.5", "plans.trial: rank", f"{WHOLE}, not 1.5"),
        ("rank = 0", "rank = 0\ncharge_on = 1", "plans.trial: charge_on", 'must be "merge" or "report", not 1'),
        ("rank = 0", "rank = 0\nlow_balance = 10", "plans.trial: low_balance", f"must be {LIST}, not 10"),
        (
            "rank = 0",
            "rank = 0\nmarketplace_plan_ids = [0]",
            "plans.trial.marketplace_plan_ids",
            "must hold ids as GitHub numbers them, which begin at 1",
        ),
        (
            "rank = 0",
            "rank = 0\nmarketplace_plan_ids = [5]\nprice_cent = 1",
            "plans.trial: price_cent",
            "is not a key of this table; did you mean price_cents?",
        ),
        (
            'invoice = "each"',
            "",
            "plans.payg: invoice",
            'is missing: with overage_cents it must be "each" or "weekly"',
        ),
        (
            'invoice = "each"',
            'invoice = "weekly"',
            "plans.payg: overage_cap_cents",
            "is missing: weekly invoices need the open amount, above zero, at which one is made at once",
        ),
        ("[plans.payg]", "[plans.PAYG]", "plans.PAYG", "a plan's id is made of a-z, 0-9, _ and -, such as [plans.pro]"),
        (
            'default_plan = "trial"',
            'default_plan = "gold"',
            "default_plan",
            "names the plan 'gold', which has no [plans.gold] table (plans: trial, payg)",
        ),
        (
            'metered_plan = "payg"',
            'metered_plan = "gold"',
            "metered_plan",
            "names the plan 'gold', which has no [plans.gold] table (plans: trial, payg)",
        ),
        (
            'metered_plan = "payg"',
            'metered_plan = "trial"',
            "metered_plan",
            "names the plan 'trial', which needs overage_cents",
        ),
        ("[plans.payg]", TOPUP.format(credits=0), "topups.p: credits", "must be one or more"),
        (
            "[plans.payg]",
            "[topups]\np = 5\n[plans.payg]",
            "topups",
            "must be made of tables, such as [topups.pro], not {'p': 5}",
        ),
    ],
)
def test_a_fault_of_the_catalogue_is_told_in_full(old: str, new: str, place: str, problem: str) -> None:
    with pytest.raises(InvalidPlanCatalogError) as caught:
        parse_plans(SMALL.replace(old, new, 1))
    assert (caught.value.place, caught.value.problem) == (f"plans.toml: {place}", problem)


def test_a_claimed_number_is_told_with_its_place() -> None:
    claimed = SMALL.replace("rank = 0", "rank = 0\nmarketplace_plan_ids = [5]").replace(
        "rank = 10", "rank = 10\nmarketplace_plan_ids = [5]"
    )
    with pytest.raises(InvalidPlanCatalogError) as caught:
        parse_plans(claimed, source="mine.toml")
    assert (caught.value.place, caught.value.problem) == (
        "mine.toml: plans.payg.marketplace_plan_ids",
        "5 belongs to plans.trial already",
    )


def test_what_the_catalogue_leaves_out_is_nothing() -> None:
    catalog = parse_plans(SMALL.replace("[plans.payg]", TOPUP.format(credits=1)))
    trial = catalog.default
    assert catalog.currency == "usd"
    assert catalog.topups["p"].id == "p"
    assert (trial.signup_credits, trial.payment_method_credits) == (0, 0)
    assert (trial.stripe_price, trial.stripe_linked_price, trial.stripe_overage_price) == ("", "", "")

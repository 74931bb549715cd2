"""The catalogue is read strictly, and says what is wrong with it."""

from pathlib import Path

import pytest

from billing.errors import InvalidPlanCatalogError
from billing.plans import parse_plans
from tests.billing.builders import CATALOG, PLANS

SHIPPED = Path(__file__).parents[2] / "plans.toml"

SMALL = """
currency = "usd"
default_plan = "trial"
metered_plan = "payg"
[plans.trial]
name = "Trial"
rank = 0
included_credits = 0
price_cents = 0
[plans.payg]
name = "Pay as you go"
rank = 10
included_credits = 0
price_cents = 0
overage_cents = 2900
invoice = "each"
"""


def test_the_shipped_catalogue_has_the_three_tiers() -> None:
    plans = parse_plans(SHIPPED.read_text())
    assert list(plans.plans) == ["trial", "payg", "pro"]
    trial, payg, pro = plans.plans.values()
    assert (trial.signup_credits, trial.payment_method_credits, trial.overage_cents) == (5, 5, None)
    assert (payg.included_credits, payg.overage_cents, payg.invoice) == (0, 2900, "each")
    assert (pro.price_cents, pro.included_credits, pro.overage_cents, pro.low_balance) == (59900, 60, 1500, (10, 0))
    assert (pro.marketplace_trial_credits, pro.overage_cap_cents, pro.invoice) == (30, 15000, "weekly")
    assert plans.default is trial
    assert plans.sold_as(1313) is pro
    assert (plans.topups["pack_20"].credits, plans.topups["pack_20"].price_cents) == (20, 36000)


def test_what_is_absent_has_a_meaning() -> None:
    trial = parse_plans(SMALL).default
    assert (trial.marketplace_trial_credits, trial.overage_cents, trial.invoice) == (None, None, "")
    assert (trial.first_period, trial.charge_on, trial.low_balance, trial.rollover_max) == ("prorated", "merge", (), 0)


def test_plans_are_found_by_id_and_by_every_number_they_had() -> None:
    assert PLANS.find("pro") is PLANS.plans["pro"]
    assert PLANS.find("gold") is None
    assert PLANS.sold_as(1414) is PLANS.plans["max"]
    assert PLANS.sold_as(9999) is None


@pytest.mark.parametrize(
    ("old", "new", "place", "problem"),
    [
        ('currency = "usd"', 'currency = "$"', "plans.toml: currency", "three-letter"),
        ('currency = "usd"', "currency = usd", "plans.toml", "not valid TOML"),
        ('currency = "usd"', "", "plans.toml: currency", "is missing"),
        ('name = "Trial"', "", "plans.toml: plans.trial: name", "is missing"),
        ('name = "Trial"', 'name = " "', "plans.toml: plans.trial: name", "a text in quotes"),
        ('name = "Trial"', "name = 5", "plans.toml: plans.trial: name", "a text in quotes"),
        ("rank = 0", "rank = true", "plans.toml: plans.trial: rank", "a whole number"),
        ("rank = 0", "rank = -1", "plans.toml: plans.trial: rank", "a whole number"),
        ("rank = 0", "rank = 1.5", "plans.toml: plans.trial: rank", "a whole number"),
        ("rank = 0", "rnk = 0", "plans.toml: plans.trial: rank", "is missing"),
        ("rank = 0", "rank = 0\nrolover_max = 1", "plans.trial: rolover_max", "did you mean rollover_max?"),
        ("rank = 0", "rank = 0\nxyzzy = 1", "plans.trial: xyzzy", "known are charge_on,"),
        ("rank = 0", 'rank = 0\nfirst_period = "half"', "plans.trial: first_period", '"prorated" or "full"'),
        ("rank = 0", "rank = 0\ncharge_on = 1", "plans.trial: charge_on", '"merge" or "report"'),
        ("rank = 0", "rank = 0\nlow_balance = 10", "plans.trial: low_balance", "a list of whole numbers"),
        ("rank = 0", "rank = 0\nlow_balance = [1, 1]", "plans.trial: low_balance", "twice"),
        ("rank = 0", 'rank = 0\nlow_balance = ["1"]', "plans.trial: low_balance", "a whole number"),
        ("rank = 0", "rank = 0\nmarketplace_plan_ids = [0]", "plans.trial.marketplace_plan_ids", "begin at 1"),
        ("rank = 0", 'rank = 0\nmarketplace_trial_credits = "x"', "marketplace_trial_credits", "a whole number"),
        ('invoice = "each"', "", "plans.payg: invoice", "is missing"),
        ('invoice = "each"', 'invoice = "weekly"', "plans.payg: overage_cap_cents", "above zero"),
        ('invoice = "each"', 'invoice = "daily"', "plans.payg: invoice", '"each" or "weekly"'),
        ("[plans.payg]", "[plans.PAYG]", "plans.toml: plans.PAYG", "a-z, 0-9"),
        ("[plans.payg]", "[plan.payg]", "plans.toml: plan", "did you mean plans?"),
        ('default_plan = "trial"', 'default_plan = "gold"', "default_plan", "(plans: trial, payg)"),
        ('metered_plan = "payg"', 'metered_plan = "gold"', "metered_plan", "no [plans.gold] table"),
        ('metered_plan = "payg"', 'metered_plan = "trial"', "metered_plan", "needs overage_cents"),
        (
            "[plans.payg]",
            '[topups.p]\ncredits = 0\nprice_cents = 1\nstripe_price = "p"\n[plans.payg]',
            "credits",
            "one",
        ),
        ("[plans.payg]", "[topups]\np = 5\n[plans.payg]", "plans.toml: topups", "made of tables"),
    ],
)
def test_a_fault_names_its_place_and_what_would_be_right(old: str, new: str, place: str, problem: str) -> None:
    assert old in SMALL
    with pytest.raises(InvalidPlanCatalogError) as caught:
        parse_plans(SMALL.replace(old, new, 1))
    assert place in caught.value.place
    assert problem in caught.value.problem


def test_plans_that_are_no_table_are_refused() -> None:
    header = 'currency = "usd"\ndefault_plan = "trial"\nmetered_plan = "payg"\n'
    with pytest.raises(InvalidPlanCatalogError, match="made of tables"):
        parse_plans(header + "plans = 5")
    with pytest.raises(InvalidPlanCatalogError, match="plans: none"):
        parse_plans(header)


def test_a_number_that_two_plans_claim_is_refused() -> None:
    with pytest.raises(InvalidPlanCatalogError, match=r"1313 belongs to plans\.pro already"):
        parse_plans(CATALOG.replace("[1414]", "[1414, 1313]"))
    with pytest.raises(InvalidPlanCatalogError, match="names a number twice"):
        parse_plans(CATALOG.replace("[1414]", "[1414, 1414]"))

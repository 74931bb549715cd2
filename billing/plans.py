"""The plan catalogue: what a vendor sells, read from one TOML file.

Nothing of a tier is in the code: names, prices, credits and links all come from the file. It is read strictly, because
a misspelt key would otherwise be a price that quietly doesn't hold: an unknown key, a wrong type or a missing value
stops the program with the place in the file and what would be right there.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Final

from billing.errors import InvalidPlanCatalogError
from billing.plan_tables import Table
from billing.values import value

PLAN_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")
CURRENCY: Final = re.compile(r"[a-z]{3}")


@value
class Plan:
    """One plan of the catalogue. Prices are in cents of the catalogue's currency, amounts in credits.

    Attributes:
        id: the plan's table name in the file.
        rank: of two plans of one customer, the higher is effective.
        included_credits: granted each period; times the units of a per-unit plan.
        signup_credits: granted once for ever, if this is the default plan.
        marketplace_trial_credits: granted once for ever with a free trial; None means half a month's worth.
        payment_method_credits: granted once for ever, with a payment method and consent.
        price_cents: a month.
        overage_cents: a further fix; None means that there are no further fixes.
        invoice: how further fixes are invoiced: "each" or "weekly"; "" without further fixes.
        overage_cap_cents: the open amount at which a weekly invoice is made at once.
        rollover_max: how many unused credits live on into the next period.
        first_period: "prorated", as GitHub charges the first cycle, or "full".
        charge_on: which of the two counts a fix: "merge" or "report".
        low_balance: the balances at whose crossing the customer is told.
        marketplace_plan_ids: every id that this plan ever had at GitHub Marketplace.
        stripe_price, stripe_linked_price, stripe_overage_price: lookup keys at Stripe; "" without.
    """

    id: str
    name: str
    rank: int
    included_credits: int
    price_cents: int
    signup_credits: int = 0
    marketplace_trial_credits: int | None = None
    payment_method_credits: int = 0
    overage_cents: int | None = None
    invoice: str = ""
    overage_cap_cents: int = 0
    rollover_max: int = 0
    first_period: str = "prorated"
    charge_on: str = "merge"
    low_balance: tuple[int, ...] = ()
    marketplace_plan_ids: tuple[int, ...] = ()
    stripe_price: str = ""
    stripe_linked_price: str = ""
    stripe_overage_price: str = ""


@value
class TopUp:
    """Credits to buy at any time. The price is in cents of the catalogue's currency; `stripe_price` is a lookup key."""

    id: str
    credits: int
    price_cents: int
    stripe_price: str


@value
class PlanCatalog:
    """All plans and top-ups, and which plan holds for whoever has bought none.

    Attributes:
        default_plan: the id of the plan of whoever has nothing else.
        metered_plan: the id of the plan of whoever has a payment method and consent, and no paid plan.
    """

    currency: str
    default_plan: str
    metered_plan: str
    plans: Mapping[str, Plan]
    topups: Mapping[str, TopUp] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def default(self) -> Plan:
        """The plan of whoever has nothing else."""
        return self.plans[self.default_plan]

    def find(self, plan_id: str) -> Plan | None:
        """The plan with this id."""
        return self.plans.get(plan_id)

    def sold_as(self, marketplace_plan_id: int) -> Plan | None:
        """The plan that GitHub Marketplace numbers so; None when the catalogue doesn't know the number."""
        return next((plan for plan in self.plans.values() if marketplace_plan_id in plan.marketplace_plan_ids), None)


def parse_plans(text: str, *, source: str = "plans.toml") -> PlanCatalog:
    """The catalogue that this TOML text describes; `source` is the file's name for error messages.

    Raises:
        InvalidPlanCatalogError: naming the place and what would be right there.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidPlanCatalogError(source, f"is not valid TOML: {error}") from error
    root = Table(source, document)
    currency = root.text("currency")
    if not CURRENCY.fullmatch(currency):
        raise root.fault("currency", f'must be a three-letter code in lower case such as "usd", not {currency!r}')
    catalog = PlanCatalog(
        currency=currency,
        default_plan=root.text("default_plan"),
        metered_plan=root.text("metered_plan"),
        plans=MappingProxyType({key: _plan(key, table) for key, table in root.tables("plans").items()}),
        topups=MappingProxyType({key: _topup(key, table) for key, table in root.tables("topups").items()}),
    )
    root.refuse_the_rest()
    _check_roles(root, catalog)
    _check_marketplace_ids(source, catalog)
    return catalog


def _plan(plan_id: str, table: Table) -> Plan:
    if not PLAN_ID.fullmatch(plan_id):
        raise InvalidPlanCatalogError(table.place, "a plan's id is made of a-z, 0-9, _ and -, such as [plans.pro]")
    plan = Plan(
        id=plan_id,
        name=table.text("name"),
        rank=table.whole("rank"),
        included_credits=table.whole("included_credits"),
        price_cents=table.whole("price_cents"),
        signup_credits=table.whole("signup_credits", absent=0),
        marketplace_trial_credits=table.whole_or_none("marketplace_trial_credits"),
        payment_method_credits=table.whole("payment_method_credits", absent=0),
        overage_cents=table.whole_or_none("overage_cents"),
        invoice=table.choice("invoice", ("each", "weekly"), absent=""),
        overage_cap_cents=table.whole("overage_cap_cents", absent=0),
        rollover_max=table.whole("rollover_max", absent=0),
        first_period=table.choice("first_period", ("prorated", "full"), absent="prorated"),
        charge_on=table.choice("charge_on", ("merge", "report"), absent="merge"),
        low_balance=table.wholes("low_balance"),
        marketplace_plan_ids=table.wholes("marketplace_plan_ids"),
        stripe_price=table.text("stripe_price", absent=""),
        stripe_linked_price=table.text("stripe_linked_price", absent=""),
        stripe_overage_price=table.text("stripe_overage_price", absent=""),
    )
    table.refuse_the_rest()
    _check_overage(table, plan)
    return plan


def _check_overage(table: Table, plan: Plan) -> None:
    """Refuse further fixes that nobody would know how to invoice."""
    if plan.overage_cents is None:
        return
    if not plan.invoice:
        raise table.fault("invoice", 'is missing: with overage_cents it must be "each" or "weekly"')
    if plan.invoice == "weekly" and not plan.overage_cap_cents:
        raise table.fault(
            "overage_cap_cents",
            "is missing: weekly invoices need the open amount, above zero, at which one is made at once",
        )


def _topup(topup_id: str, table: Table) -> TopUp:
    topup = TopUp(
        id=topup_id,
        credits=table.whole("credits"),
        price_cents=table.whole("price_cents"),
        stripe_price=table.text("stripe_price"),
    )
    table.refuse_the_rest()
    if not topup.credits:
        raise table.fault("credits", "must be one or more")
    return topup


def _check_roles(root: Table, catalog: PlanCatalog) -> None:
    """Refuse a catalogue whose default or metered plan doesn't exist or can't play its part."""
    for key, plan_id in (("default_plan", catalog.default_plan), ("metered_plan", catalog.metered_plan)):
        if plan_id not in catalog.plans:
            known = ", ".join(catalog.plans) or "none"
            raise root.fault(key, f"names the plan {plan_id!r}, which has no [plans.{plan_id}] table (plans: {known})")
    if catalog.plans[catalog.metered_plan].overage_cents is None:
        raise root.fault("metered_plan", f"names the plan {catalog.metered_plan!r}, which needs overage_cents")


def _check_marketplace_ids(source: str, catalog: PlanCatalog) -> None:
    """Refuse an id that two plans claim: which of them was bought could not be told."""
    owners: dict[int, str] = {}
    for plan in catalog.plans.values():
        for marketplace_id in plan.marketplace_plan_ids:
            place = f"{source}: plans.{plan.id}.marketplace_plan_ids"
            if not marketplace_id:
                raise InvalidPlanCatalogError(place, "must hold ids as GitHub numbers them, which begin at 1")
            owner = owners.setdefault(marketplace_id, plan.id)
            if owner != plan.id:
                raise InvalidPlanCatalogError(place, f"{marketplace_id} belongs to plans.{owner} already")

"""What the console page shows, worked out of the pretended GitHub and of the product, region by region."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import jinja2

from sandbox.github.model import Account, Plan, Purchase
from sandbox.github.world import World
from sandbox.inspector import CustomerView, Snapshot, SubscriptionView

LEDGER_LINES = 8
DELIVERY_LINES = 14
EFFECT_LINES = 8

_UNPAID = "no plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A plan that can be chosen, with its price in words."""

    id: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountCard:
    """An account with what GitHub knows of it and what the product does.

    Attributes:
        installation: `installed`, `suspended` or `not installed`.
        plan: What GitHub says is bought, in words.
        scheduled: The change to come, in words, and when.
        offers: What can be bought, or changed to.
    """

    id: int
    login: str
    type: str
    billing_day: str
    installation: str
    plan: str
    on_free_trial: bool
    hidden: bool
    next_billing_date: datetime | None
    free_trial_ends_on: datetime | None
    scheduled: str | None
    scheduled_for: datetime | None
    offers: tuple[Offer, ...]
    customer: CustomerView | None


def ordinal(day: int) -> str:
    """Write a day of the month as it is spoken: 1st, 22nd, 30th."""
    if day in {11, 12, 13}:
        return f"{day}th"
    return f"{day}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th') }"


def describe_price(plan: Plan) -> str:
    """Write a plan with its price."""
    match plan.price_model:
        case "FREE":
            return f"{plan.name} ($0)"
        case "FLAT_RATE":
            return f"{plan.name} (${plan.monthly_price_in_cents / 100:,.0f} a month)"
        case "PER_UNIT":
            return f"{plan.name} (${plan.monthly_price_in_cents / 100:,.0f} a {plan.unit_name} and month)"


def describe_plan(purchase: Purchase | None) -> str:
    """Write what is bought."""
    if purchase is None:
        return _UNPAID
    terms = purchase.terms
    units = f", {terms.unit_count} {terms.plan.unit_name}s" if terms.plan.price_model == "PER_UNIT" else ""
    cycle = "" if terms.next_billing_date is None else f", {terms.billing_cycle}"
    return f"{terms.plan.name}{units}{cycle}"


def describe_change(purchase: Purchase | None) -> str | None:
    """Write the change that is scheduled."""
    if purchase is None or purchase.pending is None:
        return None
    pending = purchase.pending
    return "ends" if pending.plan is None else f"becomes {pending.plan.name}"


def describe_future(subscription: SubscriptionView) -> str | None:
    """Write what the product expects of a subscription's end, if it expects a change."""
    if subscription.cancel_at_period_end:
        change = "ends"
    elif subscription.pending_plan is not None:
        change = f"becomes {subscription.pending_plan}"
    else:
        return None
    end = subscription.current_period_end
    return change if end is None else f"{change} on {_date(end)}"


def account_card(world: World, account: Account, customer: CustomerView | None) -> AccountCard:
    """Return one account's card."""
    installation, purchase = world.state.installation_of(account), world.state.purchases.get(account.id)
    pending = None if purchase is None else purchase.pending
    # The dearest first: what a paid plan does is what most people come to see.
    offered = sorted(world.state.plans.values(), key=lambda plan: (-plan.monthly_price_in_cents, plan.number))
    on_trial = purchase is not None and purchase.terms.on_free_trial
    return AccountCard(
        id=account.id,
        login=account.login,
        type=account.type,
        billing_day=ordinal(account.billing_day),
        installation="not installed"
        if installation is None
        else ("installed" if installation.suspended_at is None else "suspended"),
        plan=describe_plan(purchase),
        on_free_trial=on_trial,
        hidden=purchase is not None and world.state.visible_purchase(account.id) is None,
        next_billing_date=None if purchase is None else purchase.terms.next_billing_date,
        free_trial_ends_on=purchase.terms.free_trial_ends_on if purchase is not None and on_trial else None,
        scheduled=describe_change(purchase),
        scheduled_for=None if pending is None else pending.effective_date,
        offers=tuple(
            Offer(id=plan.id, label=describe_price(plan))
            for plan in offered
            if plan.state == "published" and (purchase is None or plan is not purchase.terms.plan)
        ),
        customer=customer,
    )


def shown_accounts(world: World) -> list[Account]:
    """Return the accounts the page shows: those that have been added by name, not the vendor and not made-up owners."""
    made_up = {f"{account.login}-owner" for account in world.state.accounts.values() if account.type == "Organization"}
    return [
        account
        for account in world.state.accounts.values()
        if account is not world.state.app.owner and account.login not in made_up
    ]


def _moment(moment: datetime) -> str:
    """Write a time to the minute."""
    return f"{moment.day} {moment:%b %H:%M}"


def _date(moment: datetime) -> str:
    """Write a date."""
    return f"{moment.day} {moment:%b %Y}"


def _iso(moment: datetime) -> str:
    """Write a time for machines."""
    return moment.isoformat()


def _signed(amount: int) -> str:
    """Write an amount with its sign, a real minus included."""
    return f"+{amount}" if amount > 0 else f"{amount}".replace("-", "\N{MINUS SIGN}")


class Painter:
    """Renders the page and its regions. Everything is escaped by the templates."""

    def __init__(self, world: World) -> None:
        """Load the templates."""
        self._world = world
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {
            "moment": _moment,
            "date": _date,
            "iso": _iso,
            "signed": _signed,
        }

    def page(self, snapshot: Snapshot) -> str:
        """Return the whole page as it is now."""
        cards = self._cards(snapshot)
        return self._environment.get_template("page.html").render(cards=cards, regions=self.regions(snapshot))

    def regions(self, snapshot: Snapshot) -> dict[str, str]:
        """Return the page's changing parts, each by the id of the element it fills."""
        regions = {
            "clock": self._render(
                "_clock.html", now=self._world.clock.now(), frozen=self._world.clock.frozen, due=self._world.next_due()
            ),
            "deliveries": self._render("_deliveries.html", deliveries=snapshot.deliveries[:DELIVERY_LINES]),
            "effects": self._render("_effects.html", effects=snapshot.effects[:EFFECT_LINES]),
            "alarms": self._render(
                "_alarms.html", alarms=sorted(snapshot.alarms, key=lambda alarm: alarm.raised_at, reverse=True)
            ),
        }
        for card in self._cards(snapshot):
            customer = card.customer
            entries = () if customer is None else customer.entries
            newest = sorted(entries, key=lambda entry: entry.sequence, reverse=True)[:LEDGER_LINES]
            regions[f"who-{card.id}"] = self._render("_who.html", card=card)
            regions[f"github-{card.id}"] = self._render("_github.html", card=card)
            regions[f"customer-{card.id}"] = self._customer(customer)
            regions[f"ledger-{card.id}"] = self._render("_ledger.html", card=card, entries=newest)
        return regions

    def _customer(self, customer: CustomerView | None) -> str:
        """Draw what the product knows of an account."""
        if customer is None:
            return self._render("_stranger.html")
        futures = [describe_future(subscription) for subscription in customer.subscriptions]
        return self._render(
            "_customer.html",
            customer=customer,
            state=None if customer.plan_state == "none" else customer.plan_state,
            futures=[future for future in futures if future is not None],
        )

    def _cards(self, snapshot: Snapshot) -> list[AccountCard]:
        """Return the accounts' cards."""
        customers: Mapping[int | None, CustomerView] = {
            customer.github_account_id: customer for customer in snapshot.customers
        }
        return [
            account_card(self._world, account, customers.get(account.id)) for account in shown_accounts(self._world)
        ]

    def _render(self, name: str, **values: object) -> str:
        """Fill one template."""
        return self._environment.get_template(name).render(values)

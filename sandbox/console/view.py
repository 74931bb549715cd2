"""What the console page shows, worked out of the pretended GitHub and of the product, region by region."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import jinja2

from sandbox.console.faults import FAULTS, describe_faults
from sandbox.console.words import (
    describe_change,
    describe_future,
    describe_plan,
    describe_price,
    ordinal,
    write_date,
    write_moment,
    write_signed,
)
from sandbox.github.model import Account
from sandbox.github.state import OWNER
from sandbox.github.world import World
from sandbox.inspector import CustomerView, Snapshot

LEDGER_LINES = 8
DELIVERY_LINES = 14
EFFECT_LINES = 8


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
        plan: What is bought at GitHub, in words.
        has_plan: Whether anything is.
        hidden: Whether GitHub's API shows nothing of it, because a payment failed.
        scheduled: The change to come, in words.
        offers: What can be bought, or changed to.
    """

    id: int
    login: str
    type: str
    billing_day: str
    installation: str
    plan: str
    has_plan: bool
    on_free_trial: bool
    hidden: bool
    next_billing_date: datetime | None
    free_trial_ends_on: datetime | None
    scheduled: str | None
    offers: tuple[Offer, ...]
    customer: CustomerView | None


def account_card(world: World, account: Account, customer: CustomerView | None) -> AccountCard:
    """Return one account's card."""
    installation, purchase = world.state.installation_of(account), world.state.purchases.get(account.id)
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
        has_plan=purchase is not None,
        on_free_trial=on_trial,
        hidden=purchase is not None and world.state.visible_purchase(account.id) is None,
        next_billing_date=None if purchase is None else purchase.terms.next_billing_date,
        free_trial_ends_on=purchase.terms.free_trial_ends_on if purchase is not None and on_trial else None,
        scheduled=describe_change(purchase),
        offers=tuple(
            Offer(id=plan.id, label=describe_price(plan))
            for plan in offered
            if plan.state == "published" and (purchase is None or plan is not purchase.terms.plan)
        ),
        customer=customer,
    )


def shown_accounts(world: World) -> list[Account]:
    """Return the accounts the page shows: those that have been added by name, not the vendor and not made-up owners."""
    owners = {account.owner_id for account in world.state.accounts.values()}
    return [
        account
        for account in world.state.accounts.values()
        if account is not world.state.app.owner and not (account.id in owners and account.login.endswith(OWNER))
    ]


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
            "moment": write_moment,
            "date": write_date,
            "iso": datetime.isoformat,
            "signed": write_signed,
        }

    def page(self, snapshot: Snapshot) -> str:
        """Return the whole page as it is now."""
        cards = self._cards(snapshot)
        return self._environment.get_template("page.html").render(
            cards=cards, faults=FAULTS, regions=self.regions(snapshot)
        )

    def regions(self, snapshot: Snapshot) -> dict[str, str]:
        """Return the page's changing parts, each by the id of the element it fills."""
        regions = {
            "clock": self._render(
                "_clock.html", now=self._world.clock.now(), frozen=self._world.clock.frozen, due=self._world.next_due()
            ),
            "faults": self._render(
                "_faults.html", faults=describe_faults(self._world), held=len(self._world.courier.held)
            ),
            "deliveries": self._render(
                "_deliveries.html", deliveries=snapshot.deliveries[:DELIVERY_LINES], logins=self._logins()
            ),
            "effects": self._render("_effects.html", effects=snapshot.effects[:EFFECT_LINES]),
            "alarms": self._render(
                "_alarms.html", alarms=sorted(snapshot.alarms, key=lambda alarm: alarm.raised_at, reverse=True)
            ),
        }
        for card in self._cards(snapshot):
            customer = card.customer
            entries = () if customer is None else customer.entries
            newest = sorted(entries, key=lambda entry: entry.sequence, reverse=True)[:LEDGER_LINES]
            due = 0 if customer is None else customer.due
            regions[f"who-{card.id}"] = self._render("_who.html", card=card)
            regions[f"github-{card.id}"] = self._render("_github.html", card=card)
            regions[f"customer-{card.id}"] = self._customer(customer)
            regions[f"ledger-{card.id}"] = self._render("_ledger.html", card=card, entries=newest, due=due)
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

    def _logins(self) -> dict[int | None, str]:
        """Return what accounts are called, by their ids."""
        return {account.id: account.login for account in self._world.state.accounts.values()}

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

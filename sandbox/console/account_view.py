"""An account as the page shows it: what GitHub knows of it, what is for sale, and how far its first minute is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sandbox.console.cast import Cast
from sandbox.console.focus import address
from sandbox.console.words import describe_change, describe_plan, describe_price, ordinal
from sandbox.github.model import Account, Plan, Purchase
from sandbox.github.world import World
from sandbox.inspector import BalanceView


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLine:
    """An account in the list: where its link leads, and what it has in Tallyhook, if it is known there."""

    id: int
    login: str
    type: str
    address: str
    is_chosen: bool
    installation: str
    balance: BalanceView | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A plan of the listing, as one account sees it.

    Attributes:
        is_current: Whether the account has it.
        is_for_sale: Whether it can be bought, or changed to.
        other_cycle: To which cycle it could be switched; only of the current one, if it is paid.
    """

    id: int
    name: str
    price: str
    description: str
    is_current: bool
    is_for_sale: bool
    other_cycle: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountCard:
    """An account with what GitHub knows of it.

    Attributes:
        installation: `installed`, `suspended` or `not installed`.
        plan: What is bought at GitHub, in words.
        has_plan: Whether anything is.
        is_paid: Whether it costs anything, so that a payment may fail.
        has_upgraded: Whether the last thing that happened to the plan is an upgrade, whose payment may fail.
        hidden: Whether GitHub's API shows nothing of it, because a payment failed.
        scheduled: The change to come, in words.
    """

    id: int
    login: str
    type: str
    billing_day: str
    installation: str
    plan: str
    has_plan: bool
    is_paid: bool
    has_upgraded: bool
    on_free_trial: bool
    hidden: bool
    next_billing_date: datetime | None
    free_trial_ends_on: datetime | None
    scheduled: str | None
    offers: tuple[Offer, ...]


def account_lines(
    world: World, cast: Cast, chosen: Account, balances: Mapping[int, BalanceView]
) -> tuple[AccountLine, ...]:
    """Return the list of accounts."""
    return tuple(
        AccountLine(
            id=account.id,
            login=account.login,
            type=account.type,
            address=address(account),
            is_chosen=account is chosen,
            installation=installation_state(world, account),
            balance=balances.get(account.id),
        )
        for account in cast.shown_accounts()
    )


def account_card(world: World, account: Account) -> AccountCard:
    """Return one account's card."""
    purchase = world.state.purchases.get(account.id)
    # The dearest first: what a paid plan does is what most people come to see.
    listed = sorted(world.state.plans.values(), key=lambda plan: (-plan.monthly_price_in_cents, plan.number))
    on_trial = purchase is not None and purchase.terms.on_free_trial
    return AccountCard(
        id=account.id,
        login=account.login,
        type=account.type,
        billing_day=ordinal(account.billing_day),
        installation=installation_state(world, account),
        plan=describe_plan(purchase),
        has_plan=purchase is not None,
        is_paid=purchase is not None and purchase.terms.next_billing_date is not None,
        has_upgraded=purchase is not None and purchase.previous is not None,
        on_free_trial=on_trial,
        hidden=purchase is not None and world.state.visible_purchase(account.id) is None,
        next_billing_date=None if purchase is None else purchase.terms.next_billing_date,
        free_trial_ends_on=purchase.terms.free_trial_ends_on if purchase is not None and on_trial else None,
        scheduled=describe_change(purchase),
        offers=tuple(_offer(plan, purchase) for plan in listed),
    )


def installation_state(world: World, account: Account) -> str:
    """Return what has become of the App on an account, in words."""
    installation = world.state.installation_of(account)
    if installation is None:
        return "not installed"
    return "installed" if installation.suspended_at is None else "suspended"


def _offer(plan: Plan, purchase: Purchase | None) -> Offer:
    """Return a plan as the account with this purchase sees it."""
    is_current = purchase is not None and purchase.terms.plan is plan
    cycle = None
    if is_current and purchase is not None and purchase.terms.next_billing_date is not None:
        cycle = "yearly" if purchase.terms.billing_cycle == "monthly" else "monthly"
    return Offer(
        id=plan.id,
        name=plan.name,
        price=describe_price(plan),
        description=plan.description,
        is_current=is_current,
        is_for_sale=plan.state == "published",
        other_cycle=cycle,
    )

"""What held at GitHub since when, and what the product was told when it asked. The oracle judges by nothing else."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar

import msgspec

from sandbox.github.exchange import Exchange
from sandbox.github.model import Account
from sandbox.github.world import World

Key = TypeVar("Key")
Value = TypeVar("Value")

Changes = dict[Key, list[tuple[datetime, Value]]]
"""Values with the moment from which each held, in the order of time."""

_PURCHASE_PATH: Final = re.compile(r"/marketplace_listing/accounts/(\d+)")
_INSTALLATION_PATH: Final = re.compile(r"/app/installations/(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """What an account has on the Marketplace.

    Attributes:
        pending: the scheduled change: a plan's name, "end", or "" for none.
        is_visible: whether GitHub's API shows it; it doesn't while a payment has failed.
    """

    plan_id: int
    pending: str
    is_visible: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """An installation; there may have been several of an account, one after another."""

    account_id: int
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question of the product's that GitHub answered with `200` or `404`.

    Attributes:
        subject: the account, if this was about a purchase; else the installation.
        plan_id: the plan that the answer showed; 0 if none.
    """

    at: datetime
    is_about_purchase: bool
    subject: int
    was_there: bool
    plan_id: int


class _PlanAnswer(msgspec.Struct):
    id: int


class _PurchaseAnswer(msgspec.Struct):
    plan: _PlanAnswer


class _Answer(msgspec.Struct):
    marketplace_purchase: _PurchaseAnswer


@dataclass(slots=True)
class Chronicle:
    """Everything that happened, by GitHub's own records."""

    purchases: Changes[int, Bought | None] = field(default_factory=dict)
    installations: Changes[int, Installed] = field(default_factory=dict)
    logins: Changes[int, str] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def note(self, world: World, accounts: Iterable[Account]) -> None:
        """Note what holds now. To be called after whatever may change it."""
        now = world.clock.now()
        for account in accounts:
            _note(self.logins, account.id, now, account.login)
            _note(self.purchases, account.id, now, _bought(world, account))
        for number, installation in world.state.installations.items():
            state = "suspended" if installation.suspended_at else "active"
            state = "deleted" if installation.deleted_at else state
            _note(self.installations, number, now, Installed(account_id=installation.account.id, state=state))

    def hear(self, exchange: Exchange, now: datetime) -> Asked | None:
        """Note a question and its answer, unless it is about something else or a fault spoiled it."""
        about_purchase = _PURCHASE_PATH.fullmatch(exchange.path)
        about_installation = _INSTALLATION_PATH.fullmatch(exchange.path)
        match = about_purchase or about_installation
        if match is None or exchange.fault is not None or exchange.status not in {200, 404}:
            return None
        plan_id = 0
        if about_purchase and exchange.status == 200:
            plan_id = msgspec.json.decode(exchange.response_body, type=_Answer).marketplace_purchase.plan.id
        asked = Asked(
            at=now,
            is_about_purchase=about_purchase is not None,
            subject=int(match[1]),
            was_there=exchange.status == 200,
            plan_id=plan_id,
        )
        self.asked.append(asked)
        return asked

    def purchase(self, account_id: int) -> Bought | None:
        """What GitHub shows of the account's purchase now."""
        bought = self.purchases[account_id][-1][1]
        return bought if bought is not None and bought.is_visible else None

    def asked_about_purchase(self, account_id: int) -> list[Asked]:
        """The questions about the account's purchase."""
        return [asked for asked in self.asked if asked.is_about_purchase and asked.subject == account_id]

    def asked_about_installation(self, installation_id: int) -> list[Asked]:
        """The questions about the installation."""
        return [asked for asked in self.asked if not asked.is_about_purchase and asked.subject == installation_id]

    def installations_of(self, account_id: int) -> dict[int, Installed]:
        """Every installation that the account ever had, as it stands now."""
        now = {number: changes[-1][1] for number, changes in self.installations.items()}
        return {number: installed for number, installed in now.items() if installed.account_id == account_id}


def _note(changes: Changes[Key, Value], key: Key, now: datetime, value: Value) -> None:
    known = changes.setdefault(key, [])
    if not known or known[-1][1] != value:
        known.append((now, value))


def _bought(world: World, account: Account) -> Bought | None:
    purchase = world.state.purchases.get(account.id)
    if purchase is None:
        return None
    pending = ""
    if purchase.pending is not None:
        pending = "end" if purchase.pending.plan is None else purchase.pending.plan.name
    is_visible = world.state.visible_purchase(account.id) is not None
    return Bought(plan_id=purchase.terms.plan.id, pending=pending, is_visible=is_visible)

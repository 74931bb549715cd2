"""What handlers run in here: a GitHub that answers from two dictionaries, and a billing that keeps the commands."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from billing.commands import (
    Cause,
    Command,
    GitHubAccount,
    Ignored,
    InstallationTruth,
    Lease,
    MarketplaceTruth,
    Outcome,
)
from billing.errors import CannotActError, TemporaryFailureError
from billing.values import DeliveryId, GitHubAccountId, InstallationId, Permission
from handlers.context import Context, Event
from handlers.routing import RoutingRules, router
from tests.handlers.golden import Golden

SLUG = "tallyhook"
RULES = RoutingRules(marketplace=True, app_id=7001, slug=lambda: SLUG, slash_words=frozenset({"credits"}))

CAUSE = Cause(
    delivery_id=DeliveryId(7),
    received_at=datetime(2026, 3, 1, 12, tzinfo=UTC),
    asked_at=datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC),
    observation=11,
    repeats=0,
    lease=Lease(partition="github:103", number=1),
)


@dataclass
class AnsweringGitHub:
    """Answers what it holds, None for the rest, and keeps what it was asked."""

    purchases: dict[int, MarketplaceTruth] = field(default_factory=dict)
    installations: dict[int, InstallationTruth] = field(default_factory=dict)
    permissions: dict[tuple[str, str, int, str], Permission] = field(default_factory=dict)
    """By owner, repository, the user's id and login."""
    suspended: set[int] = field(default_factory=set)
    """Installations for which nothing may be done."""
    is_away: bool = False
    """Whether it doesn't tell permissions right now."""
    asked: list[int] = field(default_factory=list)

    async def marketplace_account(self, account_id: GitHubAccountId) -> MarketplaceTruth | None:
        self.asked.append(account_id)
        return self.purchases.get(account_id)

    async def installation(self, installation_id: InstallationId) -> InstallationTruth | None:
        self.asked.append(installation_id)
        return self.installations.get(installation_id)

    async def permission(
        self, installation_id: InstallationId, *, owner: str, repository: str, user_id: GitHubAccountId, login: str
    ) -> Permission:
        self.asked.append(installation_id)
        if installation_id in self.suspended:
            raise CannotActError("the installation is suspended")
        if self.is_away:
            raise TemporaryFailureError("GitHub doesn't answer")
        return self.permissions.get((owner, repository, user_id, login), Permission.NONE)

    async def app_slug(self) -> str:
        return SLUG


@dataclass
class KeepingBilling:
    """Keeps the commands, in order."""

    commands: list[Command] = field(default_factory=list)

    async def handle(self, command: Command) -> Outcome:
        self.commands.append(command)
        return Ignored(reason="nothing is kept here")


def event_of(golden: Golden, *, body: bytes | None = None) -> Event:
    """The event as the worker makes it from a recorded delivery."""
    return Event(
        event=golden.event,
        action=golden.action,
        delivery_id="0b989ba4-242f-11e5-81e1-c7b6966d2516",
        body=golden.body if body is None else body,
        cause=CAUSE,
    )


async def commands_of(event: Event, github: AnsweringGitHub | None = None) -> list[Command]:
    """Let the event's handler run, and return the commands that came of it."""
    billing = KeepingBilling()
    await router.dispatch(
        event, Context(github=github or AnsweringGitHub(), billing=billing, slash_words=RULES.slash_words)
    )
    return billing.commands


def a_purchase(account: GitHubAccount, **changed: Any) -> MarketplaceTruth:
    """What GitHub says of an account with a flat monthly plan, but for what is changed."""
    usual: dict[str, Any] = {
        "account": account,
        "marketplace_plan_id": 1313,
        "plan_name": "Pro",
        "per_unit": False,
        "monthly_price_cents": 59900,
        "yearly_price_cents": 599000,
        "billing_cycle": "monthly",
        "unit_count": 1,
        "on_free_trial": False,
        "free_trial_ends_on": None,
        "next_billing_date": datetime(2026, 4, 1, tzinfo=UTC),
        "pending": None,
    }
    return MarketplaceTruth(**(usual | changed))

"""A few hundred purchases and installations at once, brought by several connections, again and again until accepted."""

import asyncio
import calendar
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Protocol

import aiohttp

from sandbox.github.model import Account, Event
from sandbox.github.server import GitHubStandIn
from tests.system.github_side import Webhook
from tests.system.our_side import Customer, Row

PRO_CREDITS: Final = 60
SIGNUP_CREDITS: Final = 5
PAUSE_SECONDS: Final = 0.01
"""Between two attempts while nobody listens."""


class Listening(Protocol):
    """The product, wherever it runs.

    Attributes:
        is_up: set while it listens.
        address: where it does.
    """

    is_up: asyncio.Event
    address: str


@dataclass
class Burst:
    """Accounts that all install and buy, and what became of the webhooks about it.

    Attributes:
        accepted: how often each webhook was answered with `202`.
        unanswered: how often each was brought without an answer.
        refused: answers that were neither.
    """

    accounts: list[Account] = field(default_factory=list)
    webhooks: list[Webhook] = field(default_factory=list)
    accepted: Counter[str] = field(default_factory=Counter)
    unanswered: Counter[str] = field(default_factory=Counter)
    refused: list[int] = field(default_factory=list)

    @classmethod
    def at(cls, github: GitHubStandIn, *, accounts: int, name: str = "user") -> "Burst":
        """Have so many accounts install the App and buy Pro; each is billed on the first of a month."""
        burst = cls()

        def keep(event: Event, headers: dict[str, str]) -> None:
            burst.webhooks.append(Webhook(event=event, headers=headers))

        github.courier.observers.append(keep)
        for number in range(accounts):
            account = github.add_user(f"{name}-{number}", billing_day=1)
            github.install(account)
            github.buy(account, "Pro")
            burst.accounts.append(account)
        github.courier.observers.remove(keep)
        return burst

    async def bring(self, product: Listening, webhooks: Iterable[Webhook], *, connections: int) -> None:
        """Bring these webhooks until each was accepted, whatever happens to the product meanwhile."""
        waiting = deque(webhooks)
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session,
            asyncio.TaskGroup() as group,
        ):
            for _ in range(connections):
                group.create_task(self._bring_each(product, session, waiting))

    async def _bring_each(self, product: Listening, session: aiohttp.ClientSession, waiting: deque[Webhook]) -> None:
        while waiting:
            webhook = waiting.popleft()
            while not await self._bring(product, session, webhook):  # noqa: ASYNC110 -- a dead server rings no bell
                await asyncio.sleep(PAUSE_SECONDS)

    async def _bring(self, product: Listening, session: aiohttp.ClientSession, webhook: Webhook) -> bool:
        """Bring a webhook once; whether it was accepted."""
        await product.is_up.wait()
        guid, url = webhook.event.guid, product.address + webhook.path
        try:
            async with session.post(url, data=webhook.event.body, headers=webhook.headers) as answer:
                await answer.read()
        except aiohttp.ClientError:
            self.unanswered[guid] += 1
            return False
        if answer.status == 202:
            self.accepted[guid] += 1
            return True
        self.refused.append(answer.status)
        return False

    def complaints(self, customers: Mapping[int, Customer], deliveries: Mapping[str, Row]) -> list[str]:
        """Everything that isn't as it must be once all came to its end: each webhook applied once, none twice."""
        complaints = [f"answered {status}" for status in self.refused]
        for webhook in self.webhooks:
            row = deliveries.get(webhook.event.guid)
            if row is None or row["state"] != "done":
                complaints.append(f"{webhook.name} of {webhook.account_id} ended as {row}")
        for account in self.accounts:
            customer = customers.get(account.id)
            granted = [] if customer is None else sorted((row["origin"], row["amount"]) for row in customer.grants)
            if granted != (due := self._grants_due(account)):
                complaints.append(f"{account.login} was granted {granted}, {due} are due")
        return complaints

    def _grants_due(self, account: Account) -> list[tuple[str, int]]:
        """The sign-up credits, and the plan's share."""
        bought_on = next(
            webhook.event.created_at
            for webhook in self.webhooks
            if webhook.account_id == account.id and webhook.event.hook == "marketplace"
        ).date()
        return [("plan", prorated_share(bought_on)), ("signup", SIGNUP_CREDITS)]


def prorated_share(bought_on: date) -> int:
    """Pro's credits for the days left of the month, that of the purchase included; billed on the first of a month."""
    days = calendar.monthrange(bought_on.year, bought_on.month)[1]
    return -(-PRO_CREDITS * (days - bought_on.day + 1) // days)

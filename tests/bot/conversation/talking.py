"""People who ask in comments at the stand-in, and the product that answers, end to end."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from billing.values import from_milliseconds, to_milliseconds
from sandbox.clock import VirtualClock
from sandbox.github.exchange import Exchange
from sandbox.github.model import Account, Comment, Repository, Thread
from sandbox.github.server import GitHubStandIn
from storage.effects import EffectRow
from storage.replies import REPLY_TOPIC
from tests.bot.working import until_true
from tests.factories import PRO, Deployment, deployed
from tests.storage.raw import execute, scalar

MOST_WAITS: Final = 300

POLLS_BEFORE_A_NUDGE: Final = 25
PATIENCE_SECONDS: Final = 30.0

UNDERWAY: Final = (
    "SELECT (SELECT count(*) FROM effects AS mine WHERE state = 'pending' AND topic = 'reply' AND (lease_until > 0 OR "
    "(run_at <= :now AND NOT EXISTS (SELECT 1 FROM effects AS older WHERE older.key = mine.key "
    "AND older.state = 'pending' AND older.id < mine.id)))) + "
    "(SELECT count(*) FROM billing_events WHERE state = 'received' AND run_at <= :now)"
)
"""Deliveries and replies that are being worked on, or could be: they don't wait for a time or an older one's end."""

NEXT: Final = (
    "SELECT min(run_at) FROM (SELECT run_at FROM effects WHERE state = 'pending' AND topic = 'reply' "
    "UNION ALL SELECT run_at FROM billing_events WHERE state = 'received') AS waiting"
)


@dataclass(frozen=True, kw_only=True)
class Talk:
    """A deployment with an account that has a plan, and a repository where somebody may write and somebody mayn't.

    Attributes:
        writer: may write in the repository.
        reader: may only read in it.
    """

    at: Deployment
    database_url: str
    account: Account
    writer: Account
    reader: Account
    repository: Repository

    @property
    def github(self) -> GitHubStandIn:
        """The stand-in."""
        return self.at.github

    @property
    def clock(self) -> VirtualClock:
        """The clock of both sides."""
        return self.at.clock

    def thread(self, title: str = "It breaks", *, pull_request: bool = False) -> Thread:
        """A new issue, or a pull request."""
        return self.github.open_issue(self.repository, self.writer, title, pull_request=pull_request)

    def ask(self, thread: Thread, body: str = "/credits", *, author: Account | None = None) -> Comment:
        """Write a comment, as somebody who may write unless an author is named."""
        return self.github.comment(thread, author or self.writer, body)

    def chat(self, thread: Thread, count: int) -> None:
        """Let people write so many comments that ask nothing."""
        for number in range(count):
            self.github.comment(thread, self.reader, f"I see that too ({number})")

    def answers(self, thread: Thread) -> list[Comment]:
        """What the App has written and what still stands there."""
        return [comment for comment in thread.comments if comment.author is self.github.app_bot]

    def answer(self, thread: Thread) -> Comment:
        """The one answer in a thread."""
        [answer] = self.answers(thread)
        return answer

    def reactions(self, comment: Comment) -> list[str]:
        """How the App has reacted to a comment."""
        return [reaction.content for reaction in comment.reactions if reaction.author is self.github.app_bot]

    def asked(self, method: str, ending: str = "") -> list[Exchange]:
        """The requests of this method whose path ends so."""
        return [each for each in self.at.contract.exchanges if each.method == method and each.path.endswith(ending)]

    async def settle(self, *, nudging: bool = False) -> None:
        """Return once nothing is under way: webhooks answered, deliveries handled, replies sent or put off.

        Args:
            nudging: lets a second pass now and then, for what waits by the clock while it is under way.
        """
        async with asyncio.timeout(PATIENCE_SECONDS):
            for polls in itertools.count(1):
                await self.github.settle()
                if await self._is_quiet():
                    return
                if nudging and polls % POLLS_BEFORE_A_NUDGE == 0:
                    self.clock.advance(seconds=1)
                await asyncio.sleep(0.002)

    async def finish(self, *, nudging: bool = False) -> None:
        """Let time pass until nothing waits any more."""
        for _ in range(MOST_WAITS):
            await self.settle(nudging=nudging)
            due = await self.next_due()
            if due is None:
                return
            self.clock.set(max(due, self.clock.now()))
        raise AssertionError("something waits without end")

    async def _is_quiet(self) -> bool:
        return not await scalar(self.database_url, UNDERWAY, now=to_milliseconds(self.clock.now()))

    async def next_due(self) -> datetime | None:
        """When the next delivery or reply that waits is due."""
        milliseconds = await scalar(self.database_url, NEXT)
        return None if milliseconds is None else from_milliseconds(milliseconds)

    async def replies(self) -> Sequence[EffectRow]:
        """All replies, the oldest first."""
        return [row for row in reversed(await self.at.database.outbox.list(limit=10_000)) if row.topic == REPLY_TOPIC]

    async def ends(self) -> list[tuple[str, str]]:
        """How the replies ended, and why."""
        return [(row.state.value, row.error) for row in await self.replies()]

    async def set_figures(self, *, shown: bool) -> None:
        """Let the account choose whether figures are shown in public repositories."""
        await execute(
            self.database_url,
            "UPDATE customers SET shows_figures = :shown WHERE github_account_id = :account",
            shown=shown,
            account=self.account.id,
        )


@asynccontextmanager
async def talking(
    database_url: str, clock: VirtualClock, *, private: bool = True, plan: int | None = PRO
) -> AsyncIterator[Talk]:
    """Run the product and the stand-in, with an account that has bought and installed.

    Args:
        database_url: of a migrated database.
        clock: of both.
        private: whether the repository is.
        plan: what the account has bought; None for nothing.
    """
    async with deployed(database_url, clock) as deployment:
        await until_true(lambda: deployment.contract.exchanges)
        github = deployment.github
        account = github.add_organization("octo-org", billing_day=15)
        writer, reader = github.add_user("ada"), github.add_user("bob")
        repository = github.add_repository(account, "hello", private=private)
        github.set_permission(repository, writer, "write")
        github.set_permission(repository, reader, "read")
        if plan is not None:
            github.buy(account, plan)
        github.install(account)
        await deployment.settle()
        yield Talk(
            at=deployment,
            database_url=database_url,
            account=account,
            writer=writer,
            reader=reader,
            repository=repository,
        )


async def tick(clock: VirtualClock, condition: object) -> None:
    """Let a second pass again and again, until the condition holds."""
    assert callable(condition)
    async with asyncio.timeout(30):
        while not condition():
            clock.advance(seconds=1)
            await asyncio.sleep(0.01)

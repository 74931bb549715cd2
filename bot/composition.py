"""Where everything is put together, once: what runs beside the requests, and what it runs on."""

import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp
import structlog

from billing.commands import Answered, Command, Outcome
from billing.plans import PlanCatalog
from billing.ports import Clock
from billing.service import BillingService
from bot.alerting import AlertSender
from bot.conversation.replies import ReplySender, Voice
from bot.conversation.words import account_page
from bot.effects import EffectSender, Send, send_nothing
from bot.forwarding import FORWARD_TOPIC, Forwarder
from bot.github.client import GitHubClient
from bot.github.identity import AppIdentity
from bot.github.readbacks import GitHubReadBacks
from bot.housekeeping import Housekeeping
from bot.mail import Mailer, MailServer
from bot.posting import Poster
from bot.services import BackgroundService
from bot.settings import ServerSettings
from bot.tasks import BackgroundTasks
from bot.worker import Worker
from handlers.context import Billing, Context
from handlers.routing import router_for
from storage.alarms import ALERT_TOPIC
from storage.database import Database
from storage.replies import REPLY_TOPIC

log = structlog.get_logger()

MOST_CONNECTIONS: Final = 32
"""To the vendor's app and to where alarms are told, together."""

MOST_REPLIES: Final = 32
"""How many conversations are written to at the same time. One that hangs keeps one place for as long."""


@asynccontextmanager
async def opened(database: Database) -> AsyncIterator[Database]:
    """Open the database, on this version's tables only, and close it.

    Raises:
        DatabaseInUseError: another process serves this SQLite file.
        SchemaOutdatedError: it has to be migrated first.
        TemporaryFailureError: it is away.
    """
    await database.open()
    try:
        (await database.schema()).require_current()
        taken_over = await database.take_over()
        if taken_over:
            log.info("leases_taken_over", count=taken_over)
        yield database
    finally:
        await database.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubSide:
    """What asks GitHub: one client, so that all heed the same limits, and who we are there."""

    client: GitHubClient
    identity: AppIdentity


@asynccontextmanager
async def asking(settings: ServerSettings, clock: Clock) -> AsyncIterator[GitHubSide]:
    """Open what asks GitHub, and close it. The identity learns nothing by itself before it runs in the background."""
    async with GitHubClient.open(
        api_url=settings.github_api_url,
        client_id=settings.github_client_id,
        private_key=settings.github_private_key.get_secret_value(),
        clock=clock,
    ) as client:
        yield GitHubSide(client=client, identity=AppIdentity(client, clock=clock))


@asynccontextmanager
async def running(services: Sequence[BackgroundService]) -> AsyncIterator[BackgroundTasks]:
    """Run these beside the requests, and stop them on leaving."""
    tasks = BackgroundTasks(services)
    tasks.start()
    try:
        yield tasks
    finally:
        await tasks.stop()


@asynccontextmanager
async def working(
    *,
    settings: ServerSettings,
    clock: Clock,
    database: Database,
    plans: PlanCatalog,
    chance: random.Random,
    github: GitHubSide | None = None,
) -> AsyncIterator[BackgroundTasks]:
    """Run the worker, the senders and the housekeeping; stop them on leaving, and let go of what they used.

    Args:
        settings: all settings.
        clock: the time.
        database: opened.
        plans: the catalogue.
        chance: where the jitter of retries comes from.
        github: what asks GitHub in this process; one is opened if absent.
    """
    async with AsyncExitStack() as stack:
        if github is None:
            github = await stack.enter_async_context(asking(settings, clock))
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=MOST_CONNECTIONS), cookie_jar=aiohttp.DummyCookieJar()
            )
        )
        service = BillingService(database.store, clock, plans)
        stack.push_async_callback(service.close)

        def sender(topic: str, send: Send, *, at_once: int = 16) -> EffectSender:
            return EffectSender(
                outbox=database.outbox, topic=topic, send=send, clock=clock, chance=chance, at_once=at_once
            )

        forwards, alerts = _forwards(settings, session), _alerts(settings, session, clock, database)
        replies = sender(REPLY_TOPIC, _replies(settings, clock, database, plans, github), at_once=MOST_REPLIES)
        yield await stack.enter_async_context(
            running(
                [
                    _housekeeping(settings, clock, database, plans),
                    github.identity,
                    Worker(
                        inbox=database.inbox,
                        context=_context(settings, plans, github, _TellingBilling(service, replies.wake)),
                        router=router_for(marketplace=settings.has_marketplace),
                        clock=clock,
                        chance=chance,
                    ),
                    # Alarms stop last: those about the others may still go out.
                    replies,
                    sender(FORWARD_TOPIC, forwards),
                    sender(ALERT_TOPIC, alerts),
                ]
            )
        )


class _TellingBilling:
    """Billing, that tells of each commit in which replies were written, so that they go out at once."""

    def __init__(self, billing: Billing, tell: Callable[[], None]) -> None:
        self._billing = billing
        self._tell = tell

    async def handle(self, command: Command) -> Outcome:
        """Carry the command out, and tell of it if somebody is to be answered."""
        outcome = await self._billing.handle(command)
        if isinstance(outcome, Answered):
            self._tell()
        return outcome


def _housekeeping(settings: ServerSettings, clock: Clock, database: Database, plans: PlanCatalog) -> Housekeeping:
    return Housekeeping(
        inbox=database.inbox,
        paces=database.paces,
        clock=clock,
        retention_days=settings.retention_days,
        marketplace_plan_ids=_marketplace_plan_ids(plans),
    )


def _context(settings: ServerSettings, plans: PlanCatalog, github: GitHubSide, billing: Billing) -> Context:
    read_backs = GitHubReadBacks(
        github.client,
        identity=github.identity,
        marketplace=settings.has_marketplace,
        marketplace_plan_ids=_marketplace_plan_ids(plans),
    )
    return Context(github=read_backs, billing=billing, slash_words=settings.slash_commands)


def _replies(
    settings: ServerSettings, clock: Clock, database: Database, plans: PlanCatalog, github: GitHubSide
) -> Send:
    return ReplySender(
        client=github.client,
        identity=github.identity,
        reads=database.reads,
        paces=database.paces,
        plans=plans,
        clock=clock,
        voice=Voice(
            app_id=settings.github_app_id,
            slash_words=settings.slash_commands,
            account_page=account_page(settings.public_url),
        ),
    ).send


def _forwards(settings: ServerSettings, session: aiohttp.ClientSession) -> Send:
    if settings.github_forward_url is None:
        return send_nothing
    forward_url = settings.github_forward_url.get_secret_value()
    return Forwarder(Poster(session, url=forward_url, setting="GITHUB_FORWARD_URL")).send


def _alerts(settings: ServerSettings, session: aiohttp.ClientSession, clock: Clock, database: Database) -> Send:
    mailer = poster = None
    if settings.smtp_url is not None and settings.mail_from is not None:
        mailer = Mailer(MailServer.from_url(settings.smtp_url.get_secret_value()), sender=settings.mail_from)
    if settings.alert_webhook_url is not None:
        poster = Poster(session, url=settings.alert_webhook_url.get_secret_value(), setting="ALERT_WEBHOOK_URL")
    recipient = settings.alert_email or ""
    return AlertSender(outbox=database.outbox, clock=clock, mailer=mailer, recipient=recipient, poster=poster).send


def _marketplace_plan_ids(plans: PlanCatalog) -> Sequence[int]:
    return sorted(number for plan in plans.plans.values() for number in plan.marketplace_plan_ids)

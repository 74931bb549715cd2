"""Where everything is put together, once: what runs beside the requests, and what it runs on."""

import random
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import aiohttp
import structlog

from billing.plans import PlanCatalog
from billing.ports import Clock
from billing.service import BillingService
from bot.alerting import AlertSender
from bot.effects import EffectSender, Send, send_nothing
from bot.forwarding import FORWARD_TOPIC, Forwarder
from bot.github.client import GitHubClient
from bot.github.readbacks import GitHubReadBacks
from bot.housekeeping import Housekeeping
from bot.mail import Mailer, MailServer
from bot.posting import Poster
from bot.settings import ServerSettings
from bot.tasks import BackgroundTasks
from bot.worker import Worker
from handlers.context import Context
from handlers.routing import router_for
from storage.alarms import ALERT_TOPIC
from storage.database import Database

log = structlog.get_logger()

MOST_CONNECTIONS: Final = 32
"""To the vendor's app and to where alarms are told, together."""


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


@asynccontextmanager
async def working(
    *, settings: ServerSettings, clock: Clock, database: Database, plans: PlanCatalog, chance: random.Random
) -> AsyncIterator[BackgroundTasks]:
    """Run the worker, the sender and the housekeeping; stop them on leaving, and let go of what they used.

    Args:
        settings: all settings.
        clock: the time.
        database: opened.
        plans: the catalogue.
        chance: where the jitter of retries comes from.
    """
    async with AsyncExitStack() as stack:
        github = await stack.enter_async_context(
            GitHubClient.open(
                api_url=settings.github_api_url,
                client_id=settings.github_client_id,
                private_key=settings.github_private_key.get_secret_value(),
                clock=clock,
            )
        )
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=MOST_CONNECTIONS), cookie_jar=aiohttp.DummyCookieJar()
            )
        )
        billing = BillingService(database.store, clock, plans)
        stack.push_async_callback(billing.close)
        tasks = BackgroundTasks(
            [
                _housekeeping(settings, clock, database, plans),
                _worker(settings, clock, database, _context(settings, plans, github, billing), chance),
                *(
                    EffectSender(outbox=database.outbox, topic=topic, send=send, clock=clock, chance=chance)
                    for topic, send in _senders(settings, session, clock, database).items()
                ),
            ]
        )
        tasks.start()
        stack.push_async_callback(tasks.stop)
        yield tasks


def _housekeeping(settings: ServerSettings, clock: Clock, database: Database, plans: PlanCatalog) -> Housekeeping:
    return Housekeeping(
        inbox=database.inbox,
        paces=database.paces,
        clock=clock,
        retention_days=settings.retention_days,
        marketplace_plan_ids=_marketplace_plan_ids(plans),
    )


def _context(settings: ServerSettings, plans: PlanCatalog, github: GitHubClient, billing: BillingService) -> Context:
    read_backs = GitHubReadBacks(
        github, marketplace=settings.has_marketplace, marketplace_plan_ids=_marketplace_plan_ids(plans)
    )
    return Context(github=read_backs, billing=billing, slash_words=frozenset({"credits"}))


def _worker(
    settings: ServerSettings, clock: Clock, database: Database, context: Context, chance: random.Random
) -> Worker:
    return Worker(
        inbox=database.inbox,
        context=context,
        router=router_for(marketplace=settings.has_marketplace),
        clock=clock,
        chance=chance,
    )


def _senders(
    settings: ServerSettings, session: aiohttp.ClientSession, clock: Clock, database: Database
) -> Mapping[str, Send]:
    """Return who sends each topic. The forwards come first: when they stop, the alarms about them may still go out."""
    mailer = None
    if settings.smtp_url is not None and settings.mail_from is not None:
        mailer = Mailer(MailServer.from_url(settings.smtp_url.get_secret_value()), sender=settings.mail_from)
    alert_poster = None
    if settings.alert_webhook_url is not None:
        alert_poster = Poster(session, url=settings.alert_webhook_url.get_secret_value(), setting="ALERT_WEBHOOK_URL")
    alerts = AlertSender(
        outbox=database.outbox,
        clock=clock,
        mailer=mailer,
        recipient=settings.alert_email or "",
        poster=alert_poster,
    )
    forward = send_nothing
    if settings.github_forward_url is not None:
        forward_url = settings.github_forward_url.get_secret_value()
        forward = Forwarder(Poster(session, url=forward_url, setting="GITHUB_FORWARD_URL")).send
    return {FORWARD_TOPIC: forward, ALERT_TOPIC: alerts.send}


def _marketplace_plan_ids(plans: PlanCatalog) -> Sequence[int]:
    return sorted(number for plan in plans.plans.values() for number in plan.marketplace_plan_ids)

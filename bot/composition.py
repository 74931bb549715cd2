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
from bot.checkpoints import CheckpointMaker
from bot.conversation.replies import ReplySender, Voice
from bot.conversation.words import account_page
from bot.effects import EffectSender, Send, send_nothing
from bot.forwarding import FORWARD_TOPIC, Forwarder
from bot.github.client import GitHubClient
from bot.github.identity import AppIdentity
from bot.github.readbacks import GitHubReadBacks
from bot.housekeeping import Housekeeping
from bot.mail import Mailer, MailServer
from bot.notices import NoticeSender
from bot.posting import Poster
from bot.services import BackgroundService
from bot.settings import ServerSettings
from bot.signing import Signer
from bot.tasks import BackgroundTasks
from bot.worker import Worker
from handlers.context import Billing, Context
from handlers.routing import router_for
from storage.alarms import ALERT_TOPIC
from storage.database import Database
from storage.flags import Flag
from storage.low_balances import LOW_BALANCE_TOPIC
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
        if not await database.flags.is_on(Flag.BILLING_ENABLED):
            log.warning("billing_is_off", by="the flag billing_enabled")
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
        session = await stack.enter_async_context(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=MOST_CONNECTIONS), cookie_jar=aiohttp.DummyCookieJar()
            )
        )
        service = BillingService(database.store, clock, plans, billing_enabled=settings.billing_enabled)
        stack.push_async_callback(service.close)
        if github is None:
            github = await stack.enter_async_context(asking(settings, clock))
        parts = _Parts(settings=settings, clock=clock, database=database, plans=plans, chance=chance, github=github)
        yield await stack.enter_async_context(running(_services(parts, session, service)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What the services are made of."""

    settings: ServerSettings
    clock: Clock
    database: Database
    plans: PlanCatalog
    chance: random.Random
    github: GitHubSide

    @property
    def marketplace_plan_ids(self) -> Sequence[int]:
        """The catalogue's plans as GitHub numbers them."""
        return sorted(number for plan in self.plans.plans.values() for number in plan.marketplace_plan_ids)


def _services(parts: _Parts, session: aiohttp.ClientSession, billing: Billing) -> Sequence[BackgroundService]:
    """Return all that runs in the background, in the order in which it is stopped.

    The senders come after the worker, and alarms last: when the others stop, those about them may still go out.
    """
    replies = _sender(parts, REPLY_TOPIC, _replies(parts), at_once=MOST_REPLIES)
    worker = Worker(
        inbox=parts.database.inbox,
        context=_context(parts, _TellingBilling(billing, replies.wake)),
        router=router_for(marketplace=parts.settings.has_marketplace),
        clock=parts.clock,
        chance=parts.chance,
    )
    return [
        _housekeeping(parts),
        parts.github.identity,
        worker,
        replies,
        _sender(parts, FORWARD_TOPIC, _forwards(parts.settings, session)),
        _sender(parts, LOW_BALANCE_TOPIC, _notices(parts, session)),
        _sender(parts, ALERT_TOPIC, _alerts(parts, session)),
    ]


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


def _sender(parts: _Parts, topic: str, send: Send, *, at_once: int = 16) -> EffectSender:
    return EffectSender(
        outbox=parts.database.outbox, topic=topic, send=send, clock=parts.clock, chance=parts.chance, at_once=at_once
    )


def _housekeeping(parts: _Parts) -> Housekeeping:
    signer = Signer.of(parts.settings.ledger_signing_key)
    return Housekeeping(
        inbox=parts.database.inbox,
        paces=parts.database.paces,
        clock=parts.clock,
        retention_days=parts.settings.retention_days,
        marketplace_plan_ids=parts.marketplace_plan_ids,
        checkpoints=CheckpointMaker(parts.database.checkpoints, signer, parts.clock) if signer else None,
    )


def _context(parts: _Parts, billing: Billing) -> Context:
    read_backs = GitHubReadBacks(
        parts.github.client,
        identity=parts.github.identity,
        marketplace=parts.settings.has_marketplace,
        marketplace_plan_ids=parts.marketplace_plan_ids,
    )
    return Context(github=read_backs, billing=billing, slash_words=parts.settings.slash_commands)


def _replies(parts: _Parts) -> Send:
    return ReplySender(
        client=parts.github.client,
        identity=parts.github.identity,
        reads=parts.database.reads,
        paces=parts.database.paces,
        plans=parts.plans,
        clock=parts.clock,
        voice=Voice(
            app_id=parts.settings.github_app_id,
            slash_words=parts.settings.slash_commands,
            account_page=account_page(parts.settings.public_url),
        ),
    ).send


def _forwards(settings: ServerSettings, session: aiohttp.ClientSession) -> Send:
    if settings.github_forward_url is None:
        return send_nothing
    forward_url = settings.github_forward_url.get_secret_value()
    return Forwarder(Poster(session, url=forward_url, setting="GITHUB_FORWARD_URL")).send


def _notices(parts: _Parts, session: aiohttp.ClientSession) -> Send:
    return NoticeSender(reads=parts.database.reads, poster=_alert_poster(parts, session)).send


def _alerts(parts: _Parts, session: aiohttp.ClientSession) -> Send:
    settings, mailer = parts.settings, None
    if settings.smtp_url is not None and settings.mail_from is not None:
        mailer = Mailer(MailServer.from_url(settings.smtp_url.get_secret_value()), sender=settings.mail_from)
    return AlertSender(
        outbox=parts.database.outbox,
        clock=parts.clock,
        mailer=mailer,
        recipient=settings.alert_email or "",
        poster=_alert_poster(parts, session),
    ).send


def _alert_poster(parts: _Parts, session: aiohttp.ClientSession) -> Poster | None:
    url = parts.settings.alert_webhook_url
    return None if url is None else Poster(session, url=url.get_secret_value(), setting="ALERT_WEBHOOK_URL")

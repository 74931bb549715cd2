"""The web application, wired in one place."""

import functools
import itertools
import random
import secrets
from collections.abc import AsyncIterator, Callable
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from billing.plans import PlanCatalog
from billing.ports import Clock
from bot.composition import GitHubSide, asking, opened, running, working
from bot.edge import InFlight, edge_middleware
from bot.health import Health
from bot.ledger_key import PATH as LEDGER_KEY_PATH
from bot.ledger_key import LedgerKey
from bot.pages.home import HomePage
from bot.settings import ServerSettings
from bot.signing import Signer
from bot.tasks import BackgroundTasks
from bot.webhooks.counting import DeliveryCounter
from bot.webhooks.preparing import Preparer
from bot.webhooks.reading import BodyReader, MemoryBudget
from bot.webhooks.receiving import DeliveryReceiver
from bot.webhooks.routes import add_webhooks
from bot.webhooks.routing import DeliveryRouter
from bot.webhooks.verify import Hook
from storage.database import Database

SETTINGS: Final = web.AppKey("settings", ServerSettings)
DATABASE: Final = web.AppKey("database", Database)
CLOCK: Final[web.AppKey[Clock]] = web.AppKey("clock")
READER: Final = web.AppKey("reader", BodyReader)
COUNTER: Final = web.AppKey("counter", DeliveryCounter)
IN_FLIGHT: Final = web.AppKey("in_flight", InFlight)
GITHUB: Final = web.AppKey("github", GitHubSide)
BACKGROUND: Final = web.AppKey("background", BackgroundTasks)
"""What runs beside the requests. Without a worker in this process that is no more than learning who the App is."""


def id_source() -> Callable[[], str]:
    """Make a source of ids that no other process has: random once, then counted, which costs nothing a request."""
    prefix, numbers = secrets.token_hex(8), itertools.count(1)
    return lambda: f"{prefix}-{next(numbers):x}"


def create_app(
    *,
    settings: ServerSettings,
    clock: Clock,
    database: Database,
    plans: PlanCatalog,
    chance: random.Random,
    has_worker: bool = True,
    reader: BodyReader | None = None,
    make_id: Callable[[], str] | None = None,
) -> web.Application:
    """Wire the server. Starting it opens the database and starts the worker; stopping it undoes both in order.

    Args:
        settings: all settings.
        clock: the time.
        database: not opened yet.
        plans: the catalogue.
        chance: where the jitter of retries comes from.
        has_worker: whether this process works off what it records; otherwise another one does (`tallyhook work`).
        reader: reads bodies; with GitHub's limits if absent.
        make_id: where request ids and arrivals' ids come from; ids of this process if absent.
    """
    is_https = urlsplit(settings.public_url).scheme == "https"
    in_flight = InFlight()
    make_id = make_id or id_source()
    app = web.Application(middlewares=[edge_middleware(in_flight=in_flight, is_https=is_https, new_request_id=make_id)])
    app[SETTINGS] = settings
    app[CLOCK] = clock
    app[DATABASE] = database
    app[IN_FLIGHT] = in_flight
    app[READER] = reader or BodyReader(budget=MemoryBudget())
    app[COUNTER] = DeliveryCounter()
    # In this order when it starts, in the other when it stops: the worker ends before its database closes.
    app.cleanup_ctx.append(_open_database)
    app.cleanup_ctx.append(_open_github)
    if has_worker:
        # Nobody else has use for a connection that listens.
        database.on_foreign_work(functools.partial(_wake, app))
        app.cleanup_ctx.append(functools.partial(_work, plans, chance))
    else:
        app.cleanup_ctx.append(_know_the_app)
    _add_routes(app, make_id)
    return app


async def _open_database(app: web.Application) -> AsyncIterator[None]:
    async with opened(app[DATABASE]):
        yield


async def _open_github(app: web.Application) -> AsyncIterator[None]:
    async with asking(app[SETTINGS], app[CLOCK]) as github:
        app[GITHUB] = github
        yield


async def _know_the_app(app: web.Application) -> AsyncIterator[None]:
    """Learn in the background by which name people mention the App."""
    async with running([app[GITHUB].identity]) as tasks:
        app[BACKGROUND] = tasks
        yield


async def _work(plans: PlanCatalog, chance: random.Random, app: web.Application) -> AsyncIterator[None]:
    async with working(
        settings=app[SETTINGS],
        clock=app[CLOCK],
        database=app[DATABASE],
        plans=plans,
        chance=chance,
        github=app[GITHUB],
    ) as tasks:
        app[BACKGROUND] = tasks
        yield


def _wake(app: web.Application) -> None:
    # The database may tell of work before there is a worker; that one looks for itself when it starts.
    if BACKGROUND in app:
        app[BACKGROUND].wake()


def _add_routes(app: web.Application, make_id: Callable[[], str]) -> None:
    home, health = HomePage(app[SETTINGS]), Health(app[DATABASE])
    app.router.add_get("/", home.show)
    app.router.add_get("/healthz", health.live)
    app.router.add_get("/readyz", health.ready)
    app.router.add_get(LEDGER_KEY_PATH, LedgerKey(Signer.of(app[SETTINGS].ledger_signing_key)).show)
    add_webhooks(app, {hook: _receiver(app, hook, make_id) for hook in Hook})


def _receiver(app: web.Application, hook: Hook, make_id: Callable[[], str]) -> DeliveryReceiver:
    settings = app[SETTINGS]
    secrets_of = {
        Hook.APP: settings.github_webhook_secret,
        Hook.MARKETPLACE: settings.github_marketplace_webhook_secret,
    }
    return DeliveryReceiver(
        preparer=Preparer(
            hook=hook,
            secrets=[secret.get_secret_value().encode() for secret in secrets_of[hook]],
            route=DeliveryRouter(
                marketplace=settings.has_marketplace,
                app_id=settings.github_app_id,
                slash_words=settings.slash_commands,
                identity=lambda: app[GITHUB].identity,
            ),
            is_forwarding=settings.github_forward_url is not None,
        ),
        inbox=app[DATABASE].inbox,
        clock=app[CLOCK],
        reader=app[READER],
        counter=app[COUNTER],
        new_arrival=make_id,
        wake=functools.partial(_wake, app),
    )

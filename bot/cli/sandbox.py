"""The sandbox: the server beside a stand-in for GitHub, and a console page that looks into both; one clock for all.

The only module of the product that imports the sandbox.
"""

import asyncio
import random
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import typer
from aiohttp import web

from billing.explain import explain
from billing.ledger.balance import available, burn_order, is_due
from billing.plans import PlanCatalog
from billing.ports import Clock
from billing.standing import effective_plan, is_living
from billing.state import CustomerState, Grant, Subscription
from billing.values import NEVER
from bot.app import BACKGROUND, create_app
from bot.cli.explaining import entry_in_words, reason_in_words
from bot.cli.failures import CommandError, WrongUseError
from bot.cli.reaching import reaching_the_database
from bot.cli.sandbox_places import Places, database_url, free_port, server_url, shipped_plans
from bot.cli.serving import cannot_listen
from bot.logs import set_up_logs
from bot.plans_file import read_plans
from bot.server import listening, stop_signals, until_stopped
from bot.settings import ServerSettings, secret_values, settings_of
from sandbox.clock import VirtualClock
from sandbox.console.server import create_console
from sandbox.github.model import Plan as ListedPlan
from sandbox.github.server import GitHubStandIn
from sandbox.inspector import (
    AlarmView,
    CustomerView,
    DeliveryView,
    EffectView,
    EntryView,
    GrantView,
    Snapshot,
    SubscriptionView,
)
from sandbox.loopback import NotLoopbackError, require_loopback_host
from storage import migrating
from storage.database import Database

SEED_BITS: Final = 32
SECRET_BYTES: Final = 32
MONTHS_IN_A_YEAR: Final = 12
CONSOLE_STOP_SECONDS: Final = 1.0
MOST_CUSTOMERS: Final = 50
MOST_ENTRIES: Final = 30
MOST_DELIVERIES: Final = 40
MOST_EFFECTS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """How the sandbox is started; None stands for what wasn't given."""

    host: str
    port: int
    console_port: int | None
    database: Path | None
    plans: Path | None
    log_level: str


def run_sandbox(options: SandboxOptions) -> None:
    """Run until SIGTERM or Ctrl-C.

    Raises:
        WrongUseError: the address isn't loopback.
        CommandError: an address is taken, or what runs in the background failed.
        InvalidPlanCatalogError: the catalogue has a fault.
        DatabaseInUseError: another process serves the database file.
    """
    try:
        require_loopback_host(options.host)
    except NotLoopbackError as error:
        raise WrongUseError(
            f"{options.host} can be reached from outside, and the sandbox speaks to this machine only.",
            "Leave out --host, or use 127.0.0.1, ::1 or localhost.",
        ) from error
    plans_file = (options.plans or shipped_plans()).resolve()
    plans = read_plans(plans_file)
    with tempfile.TemporaryDirectory(prefix="tallyhook-sandbox-") as directory:
        path = (options.database or Path(directory) / "tallyhook.db").resolve()
        with reaching_the_database():
            migrating.upgrade(database_url(path))
        asyncio.run(_run(options, plans, plans_file, path))


async def _run(options: SandboxOptions, plans: PlanCatalog, plans_file: Path, path: Path) -> None:
    """Start everything, tell where it is, and stop it all when told to."""
    clock = VirtualClock()
    with stop_signals() as stop:
        async with AsyncExitStack() as stack:
            # Of a kept database, the ids of deliveries must not come out the same again.
            seed = secrets.randbits(SEED_BITS) if options.database else 0
            github = await stack.enter_async_context(GitHubStandIn(clock, seed=seed, plans=_listing(plans)))
            port = options.port or free_port(options.host)
            settings = _settings(options, github, path, port=port)
            set_up_logs(level=settings.log_level, form="console", secrets=secret_values(settings))
            database = Database.connect(database_url(path), clock=clock, exclusive=True)
            app = create_app(
                settings=settings,
                clock=clock,
                database=database,
                plans=plans,
                chance=random.Random(),  # noqa: S311 -- jitter, no secret
            )
            try:
                server = await stack.enter_async_context(listening(app, host=options.host, port=port))
            except OSError as error:
                raise cannot_listen(options.host, port, error) from None
            inspector = StorageInspector(database, plans, clock=clock)
            console = await stack.enter_async_context(
                _console(create_console(github, inspector, clock), options, server_port=port)
            )
            github.connect(server)
            places = Places(
                console=console,
                server=server,
                github=github.web_url,
                database=path,
                is_database_kept=bool(options.database),
                plans=plans_file,
            )
            typer.echo(places.announcement())
            has_failed = await until_stopped(app[BACKGROUND], stop)
    if has_failed:
        raise CommandError("The worker or the sender failed.", "The log above says of what; please report it.")


@asynccontextmanager
async def _console(app: web.Application, options: SandboxOptions, *, server_port: int) -> AsyncIterator[str]:
    """Serve the console page; yields its address."""
    port = server_port + 1 if options.console_port is None else options.console_port
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=CONSOLE_STOP_SECONDS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, options.host, port)
        try:
            await site.start()
        except OSError as error:
            raise _console_cannot_listen(options.host, port, error) from None
        yield server_url(options.host, runner.addresses[0][1])
    finally:
        await runner.cleanup()


def _console_cannot_listen(host: str, port: int, error: OSError) -> Exception:
    """Tell that the console's port is taken."""
    told = cannot_listen(host, port, error)
    return CommandError(told.what, "Name another port by --console-port.") if isinstance(told, CommandError) else told


def _settings(options: SandboxOptions, github: GitHubStandIn, path: Path, *, port: int) -> ServerSettings:
    """Return the server's settings, none of which come from outside: what is real is not for the sandbox."""
    return settings_of(
        ServerSettings,
        {
            "DATABASE_URL": database_url(path),
            "HOST": options.host,
            "PORT": str(port),
            "PUBLIC_URL": server_url(options.host, port),
            "GITHUB_APP_ID": str(github.app_id),
            "GITHUB_CLIENT_ID": github.client_id,
            "GITHUB_CLIENT_SECRET": github.client_secret,
            "GITHUB_PRIVATE_KEY": github.private_key_pem,
            "GITHUB_WEBHOOK_SECRET": github.webhook_secret,
            "GITHUB_MARKETPLACE_WEBHOOK_SECRET": github.marketplace_webhook_secret,
            "GITHUB_API_URL": github.api_url,
            "GITHUB_WEB_URL": github.web_url,
            "GITHUB_MARKETPLACE": "on",
            "SESSION_SECRET": secrets.token_hex(SECRET_BYTES),
            "LOG_LEVEL": options.log_level,
        },
    )


def _listing(plans: PlanCatalog) -> list[ListedPlan]:
    """Return what is for sale at the pretended Marketplace: the catalogue's plans, each under its latest number."""
    sold = sorted((plan for plan in plans.plans.values() if plan.marketplace_plan_ids), key=lambda plan: plan.rank)
    return [
        ListedPlan(
            id=plan.marketplace_plan_ids[-1],
            number=number,
            name=plan.name,
            description=f"{plan.included_credits} credits a month",
            price_model="FLAT_RATE" if plan.price_cents else "FREE",
            monthly_price_in_cents=plan.price_cents,
            yearly_price_in_cents=plan.price_cents * MONTHS_IN_A_YEAR,
        )
        for number, plan in enumerate(sold, start=1)
    ]


class StorageInspector:
    """Shows the console what is in the database; a `sandbox.inspector.Inspector`.

    Args:
        database: opened.
        plans: the catalogue.
        clock: the one that the server goes by.
    """

    def __init__(self, database: Database, plans: PlanCatalog, *, clock: Clock) -> None:
        self._database = database
        self._plans = plans
        self._clock = clock

    async def version(self) -> int:
        """A number that is another one whenever anything was committed."""
        return await self._database.reads.change_counter()

    async def snapshot(self) -> Snapshot:
        """Everything that the console shows."""
        customers = await self._database.reads.customers(limit=MOST_CUSTOMERS)
        deliveries = await self._database.inbox.list(state=None, route=None, limit=MOST_DELIVERIES, before=None)
        effects = await self._database.outbox.list(state=None, limit=MOST_EFFECTS, before=None)
        return Snapshot(
            customers=tuple([await self._customer(state) for state in customers]),
            deliveries=tuple(
                DeliveryView(
                    id=str(row.id),
                    github_account_id=_account_of(row.partition),
                    event=row.event,
                    action=row.action or None,
                    state=row.state.value,
                    attempts=row.attempts,
                    received_at=row.received_at,
                    error=row.error or None,
                )
                for row in deliveries
            ),
            effects=tuple(
                EffectView(
                    id=str(row.id),
                    kind=row.topic,
                    state=row.state.value,
                    subject=row.key,
                    attempts=row.attempts,
                    created_at=row.created_at,
                )
                for row in effects
            ),
            alarms=tuple(
                AlarmView(
                    id=f"{row.kind}:{row.subject}",
                    kind=row.kind,
                    subject=row.subject,
                    detail=row.detail,
                    raised_at=row.first_at,
                )
                for row in await self._database.alarms.list()
            ),
        )

    async def _customer(self, state: CustomerState) -> CustomerView:
        """Return a customer with plan, balance and the last entries of the ledger."""
        page = await self._database.reads.latest_entries(state.account.id, limit=MOST_ENTRIES)
        grants = {
            grant.number: grant for grant in await self._database.reads.grants(state.account.id, include_closed=True)
        }
        now = max(self._clock.now(), state.account.booked_at)
        plan = effective_plan(state, self._plans)
        living = [each for each in state.subscriptions if each.plan == plan.id and is_living(each)]
        left = [grant for grant in burn_order(state.grants) if not is_due(grant, now)]
        next_expiry = min((grant.expires_at for grant in left), default=NEVER)
        return CustomerView(
            id=str(state.customer.id),
            github_account_id=state.customer.github_account_id,
            login=state.customer.github_login or None,
            plan=plan.name,
            plan_state=living[0].state.value if living else "none",
            available=available(state, now).count,
            due=sum(grant.remaining for grant in state.grants if is_due(grant, now)),
            next_expiry=None if next_expiry == NEVER else next_expiry,
            subscriptions=tuple(_subscription_view(each, self._plans) for each in state.subscriptions),
            grants=tuple(_grant_view(grant) for grant in left),
            entries=tuple(
                EntryView(
                    sequence=entry.seq,
                    kind=entry.kind.value,
                    amount=entry.amount,
                    balance_after=entry.balance_after,
                    description=entry_in_words(entry, grants, page.notes.get(entry.seq)),
                    booked_at=entry.recorded_at,
                )
                for entry in reversed(page.entries)
            ),
            reasons=tuple(reason_in_words(reason) for reason in explain(state, (), (), self._plans, now).reasons),
        )


def _account_of(partition: str) -> int | None:
    """Return the account at GitHub that a partition such as `github:7` is of."""
    place, _, number = partition.partition(":")
    return int(number) if place == "github" and number.isdigit() else None


def _subscription_view(subscription: Subscription, plans: PlanCatalog) -> SubscriptionView:
    """Return a subscription as the console shows it."""
    plan, pending = plans.find(subscription.plan), plans.find(subscription.pending_plan)
    return SubscriptionView(
        provider=subscription.provider.value,
        plan=plan.name if plan else f"unknown plan {subscription.unmapped_plan_id}",
        state=subscription.state.value,
        pending_plan=pending.name if pending else subscription.pending_plan or None,
        ends=subscription.cancel_at_period_end,
        changes_at=subscription.pending_effective_at,
    )


def _grant_view(grant: Grant) -> GrantView:
    """Return a grant as the console shows it."""
    return GrantView(
        id=str(grant.number),
        origin=grant.origin.value,
        amount=grant.amount,
        remaining=grant.remaining,
        expires_at=None if grant.expires_at == NEVER else grant.expires_at,
    )

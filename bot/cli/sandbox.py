"""The sandbox: the server beside a stand-in for GitHub, and a console page that looks into both; one clock for all."""

import asyncio
import enum
import random
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import typer
from aiohttp import web

from billing.plans import PlanCatalog
from billing.service import BillingService
from bot.app import BACKGROUND, create_app
from bot.cli.failures import CommandError, WrongUseError
from bot.cli.reaching import reaching_the_database
from bot.cli.sandbox_anew import remove, set_aside
from bot.cli.sandbox_desk import BillingDesk
from bot.cli.sandbox_inspector import StorageInspector
from bot.cli.sandbox_parts import listing, sandbox_settings
from bot.cli.sandbox_places import Places, database_url, free_port, server_url, shipped_plans
from bot.cli.serving import cannot_listen
from bot.logs import set_up_logs
from bot.plans_file import read_plans
from bot.server import listening, stop_signals
from bot.settings import ServerSettings, secret_values
from bot.tasks import BackgroundTasks
from sandbox.clock import VirtualClock
from sandbox.console.server import create_console
from sandbox.github.server import GitHubStandIn
from sandbox.loopback import NotLoopbackError, require_loopback_host
from storage import migrating
from storage.database import Database

HIGHEST_PORT: Final = 65535
SEED_BITS: Final = 32
CONSOLE_STOP_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """How the sandbox is started; None stands for what wasn't given."""

    host: str
    port: int
    console_port: int | None
    database: Path | None
    plans: Path | None
    log_level: str


class End(enum.Enum):
    """Why a sandbox ended."""

    STOPPED = enum.auto()
    FAILED = enum.auto()
    STARTS_OVER = enum.auto()


@dataclass(slots=True, kw_only=True)
class Stage:
    """What stays when a sandbox starts over.

    Attributes:
        path: the database's file.
        server_port, console_port, github_port: where the parts listen; 0 before it is known.
        news: what a person is told who opens the console.
    """

    options: SandboxOptions
    plans: PlanCatalog
    plans_file: Path
    path: Path
    server_port: int
    console_port: int
    github_port: int = 0
    news: str = field(default="")

    @property
    def is_database_kept(self) -> bool:
        """Whether the database is to outlive the sandbox."""
        return self.options.database is not None

    def clear(self) -> None:
        """Make room for a new database."""
        if self.is_database_kept:
            self.news = f"Everything is new. The former database is kept as {set_aside(self.path)}."
        else:
            remove(self.path)
            self.news = "Everything is new."


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
    with tempfile.TemporaryDirectory(prefix="tallyhook-sandbox-") as directory:
        stage = Stage(
            options=options,
            plans=read_plans(plans_file),
            plans_file=plans_file,
            path=(options.database or Path(directory) / "tallyhook.db").resolve(),
            server_port=options.port,
            console_port=_console_port(options),
        )
        asyncio.run(_run(stage))


def _console_port(options: SandboxOptions) -> int:
    """Return the port that is named, or the one after the server's; 0, for a free one, if there is none after it."""
    if options.console_port is not None:
        return options.console_port
    return options.port + 1 if 0 < options.port < HIGHEST_PORT else 0


async def _run(stage: Stage) -> None:
    """Run sandboxes, one after the other, until one ends for good."""
    with stop_signals() as stop:
        while True:
            with reaching_the_database():
                await asyncio.to_thread(migrating.upgrade, database_url(stage.path))
            end = await _play(stage, stop)
            if end is not End.STARTS_OVER:
                break
            stage.clear()
            typer.echo(f"Started over. {stage.news}")
    if end is End.FAILED:
        raise CommandError("The worker or the sender failed.", "The log above says of what; please report it.")


async def _play(stage: Stage, stop: asyncio.Event) -> End:
    """Start everything, tell where it is, and stop it all when told to."""
    clock, over, host = VirtualClock(), asyncio.Event(), stage.options.host
    async with AsyncExitStack() as stack:
        # Of a kept database, neither the ids of deliveries nor those of comments may come out the same again: what
        # was handled or answered once isn't a second time. No run makes an id a millisecond, so none is met again.
        seed = secrets.randbits(SEED_BITS) if stage.is_database_kept else 0
        offset = int(clock.now().timestamp() * 1000) if stage.is_database_kept else 0
        github = GitHubStandIn(clock, seed=seed, plans=listing(stage.plans), id_offset=offset)
        await github.start(port=stage.github_port)
        stack.push_async_callback(github.close)
        if not stage.server_port:
            # As late as can be: until it is listened on, whoever asks for a port may get this one.
            stage.server_port = free_port(host)
        settings = sandbox_settings(
            github, stage.path, host=host, port=stage.server_port, log_level=stage.options.log_level
        )
        set_up_logs(level=settings.log_level, form="console", secrets=secret_values(settings))
        database = Database.connect(database_url(stage.path), clock=clock, exclusive=True)
        app, server = await _serve(stack, stage, settings, clock, database)
        billing = BillingService(database.store, clock, stage.plans)
        stack.push_async_callback(billing.close)
        page = create_console(
            github,
            StorageInspector(database, stage.plans, clock=clock),
            BillingDesk(database, billing, clock=clock),
            start_over=over.set,
            news=stage.news,
        )
        console = await stack.enter_async_context(_console(page, stage))
        github.connect(server)
        if not stage.github_port:
            stage.github_port = urlsplit(github.web_url).port or 0
            typer.echo(_places(stage, console, server, github).announcement())
        return await _until_over(app[BACKGROUND], stop, over)


async def _serve(
    stack: AsyncExitStack, stage: Stage, settings: ServerSettings, clock: VirtualClock, database: Database
) -> tuple[web.Application, str]:
    """Start the server; return it and its address."""
    host = stage.options.host
    app = create_app(
        settings=settings,
        clock=clock,
        database=database,
        plans=stage.plans,
        chance=random.Random(),  # noqa: S311 -- jitter, no secret
    )
    try:
        return app, await stack.enter_async_context(listening(app, host=host, port=stage.server_port))
    except OSError as error:
        raise cannot_listen(host, stage.server_port, error) from None


@asynccontextmanager
async def _console(app: web.Application, stage: Stage) -> AsyncIterator[str]:
    """Serve the console page; yields its address."""
    host = stage.options.host
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=CONSOLE_STOP_SECONDS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, stage.console_port)
        try:
            await site.start()
        except OSError as error:
            raise _console_cannot_listen(host, stage.console_port, error) from None
        stage.console_port = runner.addresses[0][1]
        yield server_url(host, stage.console_port)
    finally:
        await runner.cleanup()


def _console_cannot_listen(host: str, port: int, error: OSError) -> Exception:
    """Tell that the console's port is taken."""
    told = cannot_listen(host, port, error)
    return CommandError(told.what, "Name another port by --console-port.") if isinstance(told, CommandError) else told


def _places(stage: Stage, console: str, server: str, github: GitHubStandIn) -> Places:
    """Return where everything is."""
    return Places(
        console=console,
        server=server,
        github=github.web_url,
        database=stage.path,
        is_database_kept=stage.is_database_kept,
        plans=stage.plans_file,
    )


async def _until_over(background: BackgroundTasks, stop: asyncio.Event, over: asyncio.Event) -> End:
    """Return when told to stop or to start over, or when something in the background failed."""
    async with asyncio.TaskGroup() as group:
        waits = {
            End.STOPPED: group.create_task(stop.wait()),
            End.FAILED: group.create_task(background.wait_for_failure()),
            End.STARTS_OVER: group.create_task(over.wait()),
        }
        await asyncio.wait(waits.values(), return_when=asyncio.FIRST_COMPLETED)
        end = next(end for end, task in waits.items() if task.done())
        for task in waits.values():
            task.cancel()
    return end

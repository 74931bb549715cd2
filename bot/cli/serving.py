"""Running the server or the worker until they are told to stop."""

import asyncio
import errno
import gc
import os
import random
import socket
from dataclasses import dataclass
from typing import Final

import structlog

from billing.plans import PlanCatalog
from bot.app import create_app
from bot.cli.failures import CommandError
from bot.cli.reaching import database_url, reaching_the_database
from bot.clock import SystemClock
from bot.composition import opened, working
from bot.logs import set_up_logs
from bot.plans_file import read_plans
from bot.server import BackgroundFailedError, serve, stop_signals, until_stopped
from bot.settings import ServerSettings, read_settings, secret_values
from bot.tasks import BackgroundTasks
from storage import migrating
from storage.database import Database

log = structlog.get_logger()

_ABOUT_THE_ADDRESS: Final = frozenset({errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL})


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What a server and a worker are made of."""

    settings: ServerSettings
    clock: SystemClock
    database: Database
    plans: PlanCatalog


def run_server(*, host: str, port: int | None, has_worker: bool) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Raises:
        CommandError: it can't start, or what runs in the background failed.
        SettingsError, InvalidPlanCatalogError, SchemaOutdatedError, DatabaseInUseError: each with its way out.
    """
    parts = _parts()
    if not has_worker and parts.database.is_sqlite:
        raise CommandError(
            "A SQLite file belongs to one process, so nobody else could do the work.",
            "Leave out --no-worker, or set DATABASE_URL to a PostgreSQL database.",
        )
    _settle()
    asyncio.run(
        _serve(
            parts,
            host=host or parts.settings.host,
            port=parts.settings.port if port is None else port,
            has_worker=has_worker,
        )
    )


def run_worker() -> None:
    """Work until SIGTERM or Ctrl-C.

    Raises:
        CommandError: it can't start, or what runs in the background failed.
        SettingsError, InvalidPlanCatalogError, SchemaOutdatedError: each with its way out.
    """
    parts = _parts()
    if parts.database.is_sqlite:
        raise CommandError(
            "A SQLite file belongs to one process, and the server is that one.",
            "Run `tallyhook serve`, which works too, or set DATABASE_URL to a PostgreSQL database.",
        )
    _settle()
    asyncio.run(_work(parts))


def _parts() -> Parts:
    """Read everything that a server needs, and refuse what it couldn't run on."""
    settings = read_settings(ServerSettings)
    set_up_logs(level=settings.log_level, form=settings.log_format, secrets=secret_values(settings))
    plans = read_plans(settings.plans_file)
    url = database_url(settings)
    with reaching_the_database():
        # Asked first, because opening would make a SQLite file that isn't there.
        migrating.status(url).require_current()
    if settings.smtp_url is None:
        log.warning("mail_is_off", missing="SMTP_URL")
    if not settings.billing_enabled:
        log.warning("billing_is_off", by="the setting BILLING_ENABLED")
    clock = SystemClock()
    return Parts(
        settings=settings,
        clock=clock,
        plans=plans,
        database=Database.connect(url, clock=clock, exclusive=True),
    )


def _settle() -> None:
    """Have the garbage collector leave alone what the start has made.

    All of it stays: modules, tables, statements. Looking it through would hold every request for tens of milliseconds.
    """
    gc.collect()
    gc.freeze()
    log.debug("start_settled", objects=gc.get_freeze_count())


async def _serve(parts: Parts, *, host: str, port: int, has_worker: bool) -> None:
    """Serve until told to stop."""
    app = create_app(
        settings=parts.settings,
        clock=parts.clock,
        database=parts.database,
        plans=parts.plans,
        chance=random.Random(),  # noqa: S311 -- jitter, no secret
        has_worker=has_worker,
    )
    try:
        with stop_signals() as stop:
            await serve(app, host=host, port=port, stop=stop, on_listening=lambda _address: None)
    except BackgroundFailedError as error:
        raise _failed_in_the_background(error) from error
    except OSError as error:
        raise cannot_listen(host, port, error) from None


async def _work(parts: Parts) -> None:
    """Work until told to stop."""
    running: list[BackgroundTasks] = []

    def wake() -> None:
        # The database may tell of work before there is a worker; that one looks for itself when it starts.
        for tasks in running:
            tasks.wake()

    parts.database.on_foreign_work(wake)
    with stop_signals() as stop:
        async with (
            opened(parts.database),
            working(
                settings=parts.settings,
                clock=parts.clock,
                database=parts.database,
                plans=parts.plans,
                chance=random.Random(),  # noqa: S311 -- jitter, no secret
            ) as tasks,
        ):
            running.append(tasks)
            log.info("worker_started")
            has_failed = await until_stopped(tasks, stop)
            log.info("worker_stopping")
    log.info("worker_stopped")
    if has_failed:
        raise _failed_in_the_background(BackgroundFailedError("the worker or the sender failed"))


def _failed_in_the_background(error: BackgroundFailedError) -> CommandError:
    """Tell of a failure that the log has in full."""
    return CommandError(
        f"It had to stop: {error}.", "Start it again; look for the log's last ERROR line and report it."
    )


def cannot_listen(host: str, port: int, error: OSError) -> Exception:
    """Return what tells of an address that can't be listened on; any other error is returned as it is."""
    if not isinstance(error, socket.gaierror) and error.errno not in _ABOUT_THE_ADDRESS:
        return error
    reason = "in use" if error.errno == errno.EADDRINUSE else os.strerror(error.errno or 0)
    return CommandError(
        f"{host}:{port} can't be listened on: {'no such host' if isinstance(error, socket.gaierror) else reason}.",
        "Stop what listens there, or name another address by --host and --port.",
    )

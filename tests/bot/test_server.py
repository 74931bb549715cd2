"""Starting on the right database only, and stopping so that nothing is lost."""

import asyncio
import os
import random
import signal
import sqlite3
from pathlib import Path

import pytest
from aiohttp import web
from yarl import URL

from billing.errors import BillingError
from bot.app import create_app
from bot.plans_file import read_plans
from bot.server import BackgroundFailedError, serve, stop_signals, until_stopped
from bot.tasks import BackgroundTasks
from sandbox.clock import VirtualClock
from storage.database import Database
from tests.bot.hostile import TARGETS, good
from tests.bot.serving import ROOT, serving, settings_for
from tests.bot.wire import Wire, request_of
from tests.bot.working import PATIENCE_SECONDS, until, until_true

pytestmark = pytest.mark.usefixtures("clean_log")

APP = TARGETS[0]


class Service:
    """Something that runs beside the requests: until stopped, until it fails, or until it is cut off."""

    def __init__(self, *, error: BaseException | None = None, is_stubborn: bool = False, is_lazy: bool = False) -> None:
        self._error = error
        self._is_lazy = is_lazy
        self._is_stubborn = is_stubborn
        self._stop = asyncio.Event()
        self.has_ended = False
        self.calls = 0

    async def run(self) -> None:
        try:
            if self._error is not None:
                raise self._error
            if not self._is_lazy:
                await self._stop.wait()
        finally:
            self.has_ended = True

    def wake(self) -> None:
        self.calls += 1

    async def stop(self) -> None:
        if not self._is_stubborn:
            self._stop.set()


def app_for(url: str, *, has_worker: bool) -> web.Application:
    """The application on a database that isn't opened yet."""
    clock = VirtualClock()
    return create_app(
        settings=settings_for(url),
        clock=clock,
        database=Database.connect(url, clock=clock),
        plans=read_plans(ROOT / "plans.toml"),
        chance=random.Random(0),
        has_worker=has_worker,
    )


async def recorded(url: str) -> list[str]:
    """The ids of the deliveries in a database that nobody serves."""
    database = Database.connect(url, clock=VirtualClock())
    await database.open()
    rows = await database.inbox.list()
    await database.close()
    return [row.delivery_id for row in rows]


async def is_closed_for_new_ones(port: int) -> bool:
    try:
        async with Wire.connect(port):
            return False
    except ConnectionRefusedError:
        return True


async def test_what_is_in_flight_at_the_stop_is_finished(sqlite_url: str) -> None:
    body, headers = good(APP)
    request = request_of(APP.path, body, headers.items())
    app = app_for(sqlite_url, has_worker=False)
    stop = asyncio.Event()
    addresses: list[str] = []
    async with asyncio.TaskGroup() as group:
        group.create_task(serve(app, host="127.0.0.1", port=0, stop=stop, on_listening=addresses.append))
        await until_true(lambda: addresses)
        port = URL(addresses[0]).port
        assert port is not None
        async with Wire.connect(port) as idle, Wire.connect(port) as wire:
            await wire.send(request[:-10])
            assert (await idle.ask(request_of("/healthz", b"", [], method="GET"))).status == 200
            stop.set()
            await until(lambda: is_closed_for_new_ones(port))

            answer = await wire.ask(request[-10:])

            assert answer.status == 202
            assert answer.headers["Connection"] == "close"
            assert await wire.is_closed()
            assert await idle.is_closed()
    assert await recorded(sqlite_url) == [headers["X-GitHub-Delivery"]]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_asks_to_stop(number: signal.Signals) -> None:
    with stop_signals() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await stop.wait()


async def test_a_server_whose_worker_fails_ends(sqlite_url: str) -> None:
    app = app_for(sqlite_url, has_worker=True)

    # Nobody foresees a table that goes away, so that the worker ends; a server that works off nothing must end too.
    with pytest.raises(BackgroundFailedError):
        await serve(
            app,
            host="127.0.0.1",
            port=0,
            stop=asyncio.Event(),
            on_listening=lambda _address: drop_table(sqlite_url, "partitions"),
        )


def drop_table(url: str, table: str) -> None:
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute(f"DROP TABLE {table}")
    connection.close()


async def test_services_run_until_stopped_in_their_order() -> None:
    services = [Service(), Service()]
    tasks = BackgroundTasks(services)
    tasks.start()
    tasks.wake()
    stop = asyncio.Event()
    stop.set()

    assert not await until_stopped(tasks, stop)
    await tasks.stop()

    assert [(service.has_ended, service.calls) for service in services] == [(True, 1), (True, 1)]


async def test_the_first_failure_ends_the_wait() -> None:
    tasks = BackgroundTasks([Service(), Service(error=RuntimeError("on purpose"))])
    tasks.start()

    assert await until_stopped(tasks, asyncio.Event())
    await tasks.stop()


@pytest.mark.parametrize("service", [Service(is_lazy=True), Service(error=asyncio.CancelledError())])
async def test_a_service_that_ends_untold_has_failed_too(service: Service) -> None:
    # Whatever it was that ended it, deliveries would be taken and nobody would apply them.
    tasks = BackgroundTasks([service])
    tasks.start()

    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await until_stopped(tasks, asyncio.Event())
    await tasks.stop()


async def test_what_does_not_stop_is_cut_off() -> None:
    service = Service(is_stubborn=True)
    tasks = BackgroundTasks([service], stop_seconds=0.05)
    tasks.start()
    await asyncio.sleep(0)

    await tasks.stop()

    assert service.has_ended


async def test_a_database_without_tables_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(BillingError, match="tallyhook migrate"):
        async with serving(f"sqlite:///{tmp_path / 'new.db'}"):
            pass


async def test_deliveries_wake_the_worker(sqlite_url: str) -> None:
    # With a clock that stands still, nobody would look for work without being woken.
    clock = VirtualClock(frozen=True)
    body, headers = good(APP)
    async with serving(sqlite_url, clock=clock, has_worker=True) as served, Wire.connect(served.port) as wire:
        await until_true(lambda: clock.sleeping)
        assert (await wire.ask(request_of(APP.path, body, headers.items()))).status == 202

        async def was_tried() -> bool:
            return [row.attempts for row in await served.deliveries()] == [1]

        await until(was_tried)

"""Listening, and stopping so that nothing is lost."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import structlog
from aiohttp import web

from bot.app import BACKGROUND, IN_FLIGHT
from bot.tasks import BackgroundTasks

log = structlog.get_logger()

KEEP_ALIVE_SECONDS: Final = 75.0
"""Longer than what proxies keep idle connections for, so that it is they who close."""

LINGERING_SECONDS: Final = 2.0
"""How long the rest of a refused body is read and dropped, so that the sender gets to read the refusal."""

READ_BUFFER_BYTES: Final = 64 * 1024
"""What a connection may hold unread; twice as much stops its sender."""

LONGEST_LINE_BYTES: Final = 8190
MOST_HEADERS: Final = 128

DRAIN_SECONDS: Final = 15.0
"""A body has ten seconds to arrive and a commit takes little, so that whoever is in flight gets an answer."""


class BackgroundFailedError(Exception):
    """Something that runs beside the requests failed for a reason that nobody foresaw. The log has it."""


@contextmanager
def stop_signals() -> Iterator[asyncio.Event]:
    """Turn SIGTERM and SIGINT into an event, once; a second one ends the process as it always would."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    signals = (signal.SIGTERM, signal.SIGINT)

    def restore() -> None:
        for number in signals:
            loop.remove_signal_handler(number)

    def note() -> None:
        restore()
        stop.set()

    for number in signals:
        loop.add_signal_handler(number, note)
    try:
        yield stop
    finally:
        restore()


@asynccontextmanager
async def listening(app: web.Application, *, host: str, port: int) -> AsyncIterator[str]:
    """Start the application and listen; yields the address. On leaving, finish what is in flight and stop.

    Raises:
        OSError: the address can't be listened on.
    """
    runner = web.AppRunner(
        app,
        access_log=None,
        # What was signed is the body as it came; decompressing it here would also let a small one grow.
        auto_decompress=False,
        keepalive_timeout=KEEP_ALIVE_SECONDS,
        lingering_time=LINGERING_SECONDS,
        read_bufsize=READ_BUFFER_BYTES,
        max_line_size=LONGEST_LINE_BYTES,
        max_field_size=LONGEST_LINE_BYTES,
        max_headers=MOST_HEADERS,
        shutdown_timeout=DRAIN_SECONDS,
    )
    try:
        await runner.setup()
        site = web.TCPSite(runner, host, port, reuse_port=False)
        await site.start()
        yield f"http://{_authority(host, site.port)}"
        await site.stop()
        await _drain(app)
    finally:
        await runner.cleanup()


async def serve(
    app: web.Application, *, host: str, port: int, stop: asyncio.Event, on_listening: Callable[[str], None]
) -> None:
    """Serve until told to stop.

    Args:
        app: from `bot.app.create_app`.
        host: the address to listen on.
        port: the port; 0 for any free one.
        stop: ends the serving.
        on_listening: called with the server's address once it answers.

    Raises:
        OSError: the address can't be listened on.
        BackgroundFailedError: the worker or the sender failed.
    """
    async with listening(app, host=host, port=port) as address:
        log.info("server_listening", address=address)
        on_listening(address)
        has_failed = await until_stopped(app[BACKGROUND], stop)
        log.info("server_stopping")
    log.info("server_stopped")
    if has_failed:
        raise BackgroundFailedError("the worker or the sender failed; the log says of what")


async def until_stopped(background: BackgroundTasks, stop: asyncio.Event) -> bool:
    """Return when told to stop, or when something in the background failed; whether it did."""
    async with asyncio.TaskGroup() as group:
        stopped = group.create_task(stop.wait())
        failed = group.create_task(background.wait_for_failure())
        await asyncio.wait({stopped, failed}, return_when=asyncio.FIRST_COMPLETED)
        has_failed = failed.done()
        stopped.cancel()
        failed.cancel()
    return has_failed


async def _drain(app: web.Application) -> None:
    """Wait for the requests in flight. aiohttp's own stop would drop the rest of a body that is still arriving."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            await app[IN_FLIGHT].drain()
    except TimeoutError:
        log.warning("requests_cut_off", wait_seconds=DRAIN_SECONDS)


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

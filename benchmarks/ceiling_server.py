"""The least that a durable intake can be: aiohttp, the signature, and the same rows by the bare driver; no domain.

On SQLite one connection on the event loop's own thread commits together whatever has gathered. On PostgreSQL each
delivery is one statement over a pool of connections. Tables, columns and the compressed body are the product's.
`python -m benchmarks.intake` runs it beside the product:

    python -m benchmarks.ceiling_server --database FILE|URL --secret SECRET
"""

import argparse
import asyncio
import functools
import hashlib
import hmac
import sqlite3
import time
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Protocol

import asyncpg
import msgspec
from aiohttp import web

from bot.server import stop_signals

LARGEST_BATCH: Final = 64
CONNECTIONS: Final = 16
"""To PostgreSQL."""

ROUTE: Final = "github"

RECORD_SQLITE: Final = """
INSERT INTO billing_events (source, route, delivery_id, event, action, partition, received_at, run_at, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (delivery_id, route) DO NOTHING
"""
WAKE_SQLITE: Final = """
INSERT INTO partitions (key, due_at) VALUES (?, ?)
ON CONFLICT (key) DO UPDATE SET due_at = min(partitions.due_at, excluded.due_at)
"""
RECORD_POSTGRES: Final = """
WITH recorded AS (
    INSERT INTO billing_events (source, route, delivery_id, event, action, partition, received_at, run_at, body)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (delivery_id, route) DO NOTHING RETURNING partition, run_at
)
INSERT INTO partitions (key, due_at) SELECT partition, run_at FROM recorded
ON CONFLICT (key) DO UPDATE SET due_at = least(partitions.due_at, excluded.due_at)
"""

Row = tuple[str, str, str, str, str, str, int, int, bytes]


class Account(msgspec.Struct):
    """Who the delivery is about."""

    id: int


class Installation(msgspec.Struct):
    """The installation in a delivery."""

    account: Account


class Payload(msgspec.Struct):
    """The fields of a delivery that its row needs."""

    action: str
    installation: Installation


PAYLOAD: Final = msgspec.json.Decoder(Payload)


class Store(Protocol):
    """Where rows become durable."""

    async def keep(self, row: Row) -> None:
        """Return once the row is durable."""
        ...


class SqliteStore:
    """Rows gather while the loop is busy, and are committed together on it: no thread to hand anything over to."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("busy_timeout = 15000", "journal_mode = WAL", "synchronous = FULL"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._waiting: list[tuple[Row, asyncio.Future[None]]] = []

    async def keep(self, row: Row) -> None:
        """Return once the row is durable."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._commit)
        self._waiting.append((row, future))
        await future

    def _commit(self) -> None:
        batch, self._waiting = self._waiting[:LARGEST_BATCH], self._waiting[LARGEST_BATCH:]
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(RECORD_SQLITE, [row for row, _ in batch])
        self._connection.executemany(WAKE_SQLITE, sorted((row[5], row[7]) for row, _ in batch))
        self._connection.execute("COMMIT")
        for _, future in batch:
            future.set_result(None)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._commit)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()


class PostgresStore:
    """One statement a row, which is a transaction by itself."""

    def __init__(self, pool: "asyncpg.Pool") -> None:
        self._pool = pool

    async def keep(self, row: Row) -> None:
        """Return once the row is durable."""
        await self._pool.execute(RECORD_POSTGRES, *row)


@asynccontextmanager
async def opened(database: str) -> AsyncIterator[Store]:
    """Open the store at this file or address, and close it."""
    if "://" not in database:
        store = SqliteStore(database)
        yield store
        store.close()
        return
    async with asyncpg.create_pool(database, min_size=CONNECTIONS, max_size=CONNECTIONS) as pool:
        yield PostgresStore(pool)


async def receive(store: Store, secret: bytes, request: web.Request) -> web.Response:
    """Verify a delivery, keep it, answer."""
    body = await request.read()
    signature = "sha256=" + hmac.digest(secret, body, hashlib.sha256).hex()
    if not hmac.compare_digest(signature, request.headers.get("X-Hub-Signature-256", "")):
        return web.Response(status=401)
    payload = PAYLOAD.decode(body)
    now = time.time_ns() // 1_000_000  # noqa: TID251 -- the product's clock isn't the bare minimum
    await store.keep(
        (
            "github",
            ROUTE,
            request.headers["X-GitHub-Delivery"],
            request.headers["X-GitHub-Event"],
            payload.action,
            f"github:{payload.installation.account.id}",
            now,
            now,
            zlib.compress(body, 1),
        )
    )
    return web.Response(status=202)


async def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ceiling_server", description=__doc__)
    parser.add_argument("--database", required=True, help="a migrated SQLite file, or a PostgreSQL address")
    parser.add_argument("--secret", required=True, help="what deliveries are signed with")
    options = parser.parse_args()
    async with opened(options.database) as store:
        app = web.Application()
        app.router.add_post("/webhooks/github", functools.partial(receive, store, options.secret.encode()))
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        listening = {"event": "server_listening", "address": f"http://127.0.0.1:{site.port}"}
        print(msgspec.json.encode(listening).decode(), flush=True)
        with stop_signals() as stop:
            await stop.wait()
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())

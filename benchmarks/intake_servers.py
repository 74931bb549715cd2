"""The two servers that `benchmarks.intake` loads, as processes, and databases of their own for them."""

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from yarl import URL

from benchmarks.loader import Load, Loaded, Loader
from sandbox.github.server import GitHubStandIn
from storage import migrating
from tests.cli.conftest import settings_for
from tests.cli.running import environment_of
from tests.cli.server_settings import server_settings
from tests.postgres import Postgres, new_directory
from tests.system.our_side import OurSide
from tests.system.processes import Process

Engine = Literal["sqlite", "postgresql"]

TICKS_A_SECOND: Final = os.sysconf("SC_CLK_TCK")


class IntakeError(Exception):
    """A delivery was refused, or the database has more or fewer than were accepted."""


class Databases:
    """Makes databases with the product's tables: files in a directory of their own, and those of one PostgreSQL."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        self._stack = stack
        self._made = 0
        self._server: Postgres | None = None

    @classmethod
    @contextmanager
    def made(cls) -> Iterator["Databases"]:
        """Make them here, where it is a disk that is written to; all of them are removed on leaving."""
        with tempfile.TemporaryDirectory(prefix="intake-", dir=Path.cwd()) as directory, ExitStack() as stack:
            yield cls(Path(directory), stack)

    async def new(self, engine: Engine) -> str:
        """Make one, and return its address."""
        self._made += 1
        url = f"sqlite:///{self.directory / f'{self._made}.db'}"
        if engine == "postgresql":
            server = await asyncio.to_thread(self._postgres)
            url = server.url(await asyncio.to_thread(server.create_database))
        await asyncio.to_thread(migrating.upgrade, url)
        return url

    def _postgres(self) -> Postgres:
        """The server, which syncs the disk as a real installation does."""
        if self._server is None:
            directory = new_directory()
            self._stack.callback(shutil.rmtree, directory)
            self._server = Postgres.start(directory, durable=True, owner_pid=os.getpid())
            self._stack.callback(self._server.stop)
        return self._server


@dataclass(kw_only=True)
class IntakeServer:
    """A server that takes deliveries in.

    Attributes:
        address: where it listens.
        secret: what deliveries are signed with.
        database: where they are to be found.
        accepted: how many it has accepted so far.
    """

    name: str
    process: Process
    address: URL
    secret: str
    database: OurSide
    accepted: int = 0

    async def take(self, loader: Loader, *, connections: int, seconds: float) -> Loaded:
        """Have deliveries brought, and see to it that every one was accepted and is in the database.

        Raises:
            IntakeError: one was refused, or there are more or fewer rows than were accepted.
            LoadError: one wasn't answered.
        """
        assert self.address.host is not None
        assert self.address.port is not None
        load = Load(
            host=self.address.host,
            port=self.address.port,
            secret=self.secret,
            connections=connections,
            seconds=seconds,
        )
        ticks = self.process.ticks()
        loaded = await asyncio.to_thread(loader.bring, load)
        loaded.processor_seconds = (self.process.ticks() - ticks) / TICKS_A_SECOND
        if loaded.refused:
            raise IntakeError(f"the {self.name} refused deliveries: {dict(loaded.refused)}")
        self.accepted += loaded.accepted
        (row,) = await self.database.rows("SELECT count(*) AS count FROM billing_events")
        if row["count"] != self.accepted:
            raise IntakeError(f"the {self.name} accepted {self.accepted} deliveries and keeps {row['count']}")
        return loaded


@asynccontextmanager
async def product_server(url: str, github: GitHubStandIn, directory: Path) -> AsyncIterator[IntakeServer]:
    """Run the product without its worker."""
    command = ["bot", "serve", "--no-worker", "--port", "0"]
    if url.startswith("sqlite"):
        command = ["benchmarks.intake_server"]
    settings = {**settings_for(url), **server_settings(github)}
    async with (
        _running(command, settings, directory / "product.log") as (process, address),
        OurSide.opened(url) as ours,
    ):
        yield IntakeServer(
            name="product", process=process, address=address, secret=github.webhook_secret, database=ours
        )


@asynccontextmanager
async def ceiling_server(url: str, github: GitHubStandIn, directory: Path) -> AsyncIterator[IntakeServer]:
    """Run the bare server."""
    bare = url.removeprefix("sqlite:///").replace("postgresql+asyncpg", "postgresql")
    command = ["benchmarks.ceiling_server", "--database", bare, "--secret", github.webhook_secret]
    async with _running(command, {}, directory / "ceiling.log") as (process, address), OurSide.opened(url) as ours:
        yield IntakeServer(
            name="ceiling", process=process, address=address, secret=github.webhook_secret, database=ours
        )


@asynccontextmanager
async def _running(
    command: Sequence[str], settings: Mapping[str, str], log: Path
) -> AsyncIterator[tuple[Process, URL]]:
    """Run a module that logs where it listens; stop it on leaving."""
    with log.open("wb") as file:
        started = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *command,
            cwd=log.parent,
            env=environment_of(settings),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    process = Process(process=started, log=log)
    try:
        yield process, URL(str((await process.said("server_listening"))["address"]))
        assert await process.stop() == 0, log
    finally:
        await process.kill()

"""Backups, restores and moves as real processes: beside a server under load, and killed in the middle."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from sandbox.github.server import GitHubStandIn
from storage.backups import address_of, holds_data
from storage.copying import shared_tables
from tests.cli.conftest import Settings, settings_for
from tests.cli.running import PATIENCE_SECONDS, POLL_SECONDS, invoke, run, start
from tests.cli.server_settings import server_settings
from tests.cli.test_backup_restore import GRANT
from tests.storage.raw import dump, execute, scalar
from tests.system.burst import Burst
from tests.system.our_side import OurSide
from tests.system.processes import Plant, Process

ACCOUNTS: Final = 4
"""In each of the bursts that follow one another, as many as GitHub's limits allow, for as long as backups are made."""
CONNECTIONS: Final = 4
BACKUPS: Final = 2
DELAYS_SECONDS: Final = (0.0, 0.05, 0.2, 0.5)
"""How long after it is seen at work a process is killed; the first dies in the middle for sure."""
ROWS: Final = 20_000
"""Rows that give a process so much to do that it can be killed while it does it."""

NAMES: Final = [table.name for table in shared_tables()]

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
async def github() -> AsyncIterator[GitHubStandIn]:
    async with GitHubStandIn() as stand_in:
        yield stand_in


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait until the condition holds."""
    for _ in range(int(PATIENCE_SECONDS / POLL_SECONDS)):
        if await condition():
            return
        await asyncio.sleep(POLL_SECONDS)
    raise AssertionError("it never came to that")


@dataclass(kw_only=True)
class Load:
    """Webhooks that are brought, and worked off, for as long as it isn't enough."""

    github: GitHubStandIn
    plant: Plant
    ours: OurSide
    bursts: list[Burst] = field(default_factory=list)
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def bring(self) -> None:
        while not self.enough.is_set():
            burst = Burst.at(self.github, accounts=ACCOUNTS, name=f"burst-{len(self.bursts)}")
            self.bursts.append(burst)
            await burst.bring(self.plant, burst.webhooks, connections=CONNECTIONS)
            await self.ours.all_ended()

    @property
    def answered(self) -> set[str]:
        """The webhooks that were accepted so far."""
        return {delivery_id for burst in self.bursts for delivery_id in burst.accepted}

    async def has_begun(self) -> bool:
        return len(self.bursts) > 1

    async def complaints(self) -> list[str]:
        deliveries, customers = await self.ours.deliveries(), await self.ours.customers()
        return [each for burst in self.bursts for each in burst.complaints(customers, deliveries)]


async def test_a_backup_beside_a_busy_server_has_all_that_was_answered_before(
    github: GitHubStandIn, database_url: str, tmp_path: Path
) -> None:
    settings = settings_for(database_url)
    everything = {**settings, **server_settings(github)}
    plant = Plant(settings=everything, directory=tmp_path, works_apart=database_url.startswith("postgresql"))
    async with plant.running(), OurSide.opened(database_url) as ours:
        load = Load(github=github, plant=plant, ours=ours)
        async with asyncio.TaskGroup() as group:
            group.create_task(load.bring())
            await until(load.has_begun)
            for number in range(BACKUPS):
                before = load.answered
                ended = await run("backup", f"backup-{number}.db", directory=tmp_path, settings=settings)
                assert ended.code == 0, ended.stderr
                file = address_of(tmp_path / f"backup-{number}.db")
                found = {row[0] for row in await execute(file, "SELECT delivery_id FROM billing_events")}
                assert before <= found
                assert load.answered > before, "the server wasn't busy"
            load.enough.set()
        assert await load.complaints() == []

    restored = settings_for(f"sqlite:///{tmp_path}/restored.db")
    last = f"backup-{BACKUPS - 1}.db"
    assert (await run("restore", last, directory=tmp_path, settings=restored)).code == 0


@pytest.fixture
def busy(seeded_sqlite: Settings) -> Settings:
    """A SQLite database with two customers, and much that has to be copied."""
    rows = f"WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {ROWS}) "
    fill = f"INSERT INTO paces (subject, number, at) {rows}SELECT 'installation:1', n, n FROM n"
    asyncio.run(execute(seeded_sqlite["DATABASE_URL"], fill))
    return seeded_sqlite


@pytest.mark.parametrize("missing_bytes", [100_000, 512], ids=["for the copy", "for its seal"])
async def test_a_full_disk_leaves_the_earlier_backup(
    seeded_sqlite: Settings, tmp_path: Path, missing_bytes: int
) -> None:
    (tmp_path / "backup.db").write_text("an earlier one")
    with closing(sqlite3.connect(tmp_path / "tallyhook.db")) as database:
        database.execute("PRAGMA journal_mode = DELETE")
    # A limit on the size of files, in blocks of 512 bytes, is as good as a disk without room. The seal takes a page.
    # It would hold for what coverage writes, too, and cut off compiled modules for good.
    blocks = ((tmp_path / "tallyhook.db").stat().st_size + 4096 - missing_bytes) // 512
    apart = "unset COVERAGE_PROCESS_START COVERAGE_PROCESS_CONFIG; export PYTHONDONTWRITEBYTECODE=1"
    under = ("/bin/sh", "-c", f'{apart}; ulimit -f {blocks}; exec "$@"', "sh")
    arguments = ("backup", "backup.db", "--force")

    process = await Process.start(*arguments, settings=seeded_sqlite, log=tmp_path / "log", under=under)
    code = await process.process.wait()

    told = (tmp_path / "log").read_text()
    assert code == 1
    assert "can't be copied" in told
    assert "Traceback" not in told
    assert (tmp_path / "backup.db").read_text() == "an earlier one"
    assert not list(tmp_path.glob(".*partial"))


async def killed(
    *arguments: str, settings: Settings, directory: Path, at_work: Callable[[], Awaitable[bool]], delay_seconds: float
) -> None:
    """Start the program, and kill it a moment after it is seen at work."""
    program = await start(*arguments, directory=directory, settings=settings)
    try:
        await until(at_work)
        # Nothing is waited for here: this is how far into its work it dies.
        await asyncio.sleep(delay_seconds)
    finally:
        await program.kill()


async def test_a_killed_backup_is_absent_or_whole(busy: Settings, tmp_path: Path) -> None:
    absent = 0
    for number, delay in enumerate(DELAYS_SECONDS):
        file = tmp_path / f"backup-{number}.db"

        async def at_work(name: str = file.name) -> bool:
            return any(tmp_path.glob(f".{name}.*.partial"))

        await killed("backup", file.name, settings=busy, directory=tmp_path, at_work=at_work, delay_seconds=delay)
        if file.exists():
            with closing(sqlite3.connect(file)) as whole:
                assert whole.execute("SELECT count(*) FROM backup_seal").fetchone() == (1,)
            restored = settings_for(f"sqlite:///{tmp_path}/restored-{number}.db")
            assert (await run("restore", file.name, directory=tmp_path, settings=restored)).code == 0
        else:
            absent += 1
            assert any(tmp_path.glob(f".{file.name}.*.partial"))
    assert absent, "it was never killed in the middle"
    assert (await run("backup", "backup-0.db", "--force", directory=tmp_path, settings=busy)).code == 0


async def test_a_killed_restore_leaves_the_old_or_the_new(busy: Settings, tmp_path: Path) -> None:
    url = busy["DATABASE_URL"]
    assert (await run("backup", "backup.db", directory=tmp_path, settings=busy)).code == 0
    new = await dump(url, NAMES)
    assert (await asyncio.to_thread(invoke, *GRANT, settings=busy)).code == 0
    old = await dump(url, NAMES)
    untouched = 0

    async def at_work() -> bool:
        return any(tmp_path.glob(".tallyhook.db.*.partial"))

    command = ("restore", "backup.db", "--force", "--yes")
    for delay in DELAYS_SECONDS:
        await killed(*command, settings=busy, directory=tmp_path, at_work=at_work, delay_seconds=delay)
        found = await dump(url, NAMES)
        assert found in (old, new)
        untouched += found == old
        if found == new:
            (kept,) = tmp_path.glob("tallyhook-replaced-*.db")
            assert await dump(address_of(kept), NAMES) == old
            break
    assert untouched, "it was never killed in the middle"
    assert (await run(*command, directory=tmp_path, settings=busy)).code == 0
    assert await dump(url, NAMES) == new


async def test_a_killed_move_leaves_all_or_nothing(busy: Settings, postgres_url: str, tmp_path: Path) -> None:
    name = postgres_url.rpartition("/")[2]
    sessions = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND application_name = 'tallyhook'"
    before = await dump(busy["DATABASE_URL"], NAMES)
    nothing = 0

    async def at_work() -> bool:
        return bool(await scalar(postgres_url, f"{sessions} AND query LIKE 'INSERT INTO%'"))

    async def is_over() -> bool:
        return not await scalar(postgres_url, sessions)

    command = ("backup", "--to-url", postgres_url)
    for delay in DELAYS_SECONDS:
        await killed(*command, settings=busy, directory=tmp_path, at_work=at_work, delay_seconds=delay)
        await until(is_over)
        filled = await asyncio.to_thread(holds_data, postgres_url)
        if filled:
            assert await dump(postgres_url, NAMES) == before
            break
        nothing += 1
    assert nothing, "it was never killed in the middle"
    assert await dump(busy["DATABASE_URL"], NAMES) == before
    if nothing == len(DELAYS_SECONDS):
        assert (await run(*command, directory=tmp_path, settings=busy)).code == 0
        assert await dump(postgres_url, NAMES) == before

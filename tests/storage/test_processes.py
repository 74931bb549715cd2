"""Several processes on one database: what they write beside each other is right, and a SQLite file is served by one."""

import asyncio
import os
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from pathlib import Path

import pytest

from billing.ledger.verify import verify_account
from sandbox.clock import VirtualClock
from storage import migrating
from storage.database import Database
from storage.errors import DatabaseInUseError
from tests.storage.builders import delivery, effect, load, provision
from tests.storage.raw import execute, scalar
from tests.storage.second_process import DELIVERIES, SPENDS, record_all, spend_all

ROOT = Path(__file__).parent.parent.parent
TRIES = 20


async def second(url: str, work: str, argument: str = "") -> Process:
    """Start another process on the database."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.storage.second_process",
        url,
        work,
        argument,
        cwd=ROOT,
        stdin=PIPE,
        stdout=PIPE,
        env={"PATH": os.defpath},
    )


async def answer(process: Process) -> str:
    """What the process printed."""
    output, _ = await asyncio.wait_for(process.communicate(), timeout=90)
    assert process.returncode == 0
    return output.decode().strip()


@pytest.fixture
def running_clock() -> VirtualClock:
    """A clock that runs as the other process's does."""
    return VirtualClock()


async def test_two_processes_spend_exactly_what_is_there(database_url: str, running_clock: VirtualClock) -> None:
    database = Database.connect(database_url, clock=running_clock)
    await database.open()
    available = 3 * SPENDS - 20
    state = await provision(database, running_clock, credits_=available)

    process = await second(database_url, "spend", str(state.customer.id))
    here = await spend_all(database, running_clock, state.customer.id, "this")
    there = int(await answer(process))

    assert here + there == available
    after = await load(database, state.customer.id)
    assert after.account.posted == 0
    page = await database.reads.entries(state.account.id, limit=1000)
    book = await database.reads.book(state.account.id)
    assert book is not None
    assert len(page.entries) == available + 1
    assert len({entry.key for entry in page.entries}) == available + 1
    assert verify_account(book.account, book.grants, page.entries, page.notes) is None
    await database.close()


async def test_two_processes_record_each_delivery_once(database_url: str, running_clock: VirtualClock) -> None:
    database = Database.connect(database_url, clock=running_clock)
    await database.open()

    process = await second(database_url, "record", "other")
    here = await record_all(database, running_clock, "this")
    there = int(await answer(process))

    assert here + there == 3 * DELIVERIES
    assert await scalar(database_url, "SELECT count(*) FROM billing_events") == 3 * DELIVERIES
    assert await scalar(database_url, "SELECT count(*) FROM effects") == 3 * DELIVERIES
    due = await execute(database_url, "SELECT key FROM partitions WHERE lease_until = 0 AND due_at < 253402300799000")
    assert len(due) == 7
    await database.close()


async def test_work_of_another_process_is_heard_of(database_url: str, running_clock: VirtualClock) -> None:
    database = Database.connect(database_url, clock=running_clock)
    loop = asyncio.get_running_loop()
    told: asyncio.Queue[float] = asyncio.Queue()
    database.on_foreign_work(lambda: told.put_nowait(loop.time()))
    await database.open()
    # One's own work may be told of as well, and at the beginning there may have been some.
    await database.inbox.record(delivery("own", running_clock.now()))
    await asyncio.sleep(0)

    process = await second(database_url, "record", "other")
    await answer(process)
    finished_at = loop.time()

    while await asyncio.wait_for(told.get(), timeout=30) < finished_at - 60:
        pass
    assert (await database.inbox.next_due()) is not None
    await database.close()


async def test_own_work_is_not_foreign(database_url: str, clock: VirtualClock) -> None:
    database = Database.connect(database_url, clock=clock)
    other = Database.connect(database_url, clock=clock)
    heard = asyncio.Event()
    times = 0

    def hear() -> None:
        nonlocal times
        times += 1
        heard.set()

    database.on_foreign_work(hear)
    await database.open()
    await other.open()
    for number in range(TRIES):
        await other.inbox.record(delivery(f"foreign:{number}", clock.now()))
        with suppress(TimeoutError):
            await asyncio.wait_for(heard.wait(), timeout=2)
            break
    heard.clear()
    before = times
    for number in range(20):
        await database.inbox.record(delivery(f"d{number}", clock.now()), effect(f"e{number}", clock.now()))
    await other.inbox.record(delivery("last", clock.now()))
    await asyncio.wait_for(heard.wait(), timeout=30)

    assert times <= before + 2
    await other.close()
    await database.close()


async def test_a_sqlite_file_is_served_by_one_process(sqlite_url: str, clock: VirtualClock) -> None:
    server = await second(sqlite_url, "serve")
    assert server.stdout is not None
    assert await server.stdout.readline() == b"serving\n"

    refused = Database.connect(sqlite_url, clock=clock, exclusive=True)
    with pytest.raises(DatabaseInUseError, match=f"process {server.pid}; stop that one first, or use PostgreSQL"):
        await refused.open()
    with pytest.raises(DatabaseInUseError):
        await asyncio.to_thread(migrating.upgrade, sqlite_url)
    assert "is in use by process" in await answer(await second(sqlite_url, "serve"))
    # A command writes beside it all the same.
    command = Database.connect(sqlite_url, clock=clock)
    await command.open()
    await command.inbox.note_ping("github", clock.now())
    await command.close()

    server.kill()
    await server.wait()
    served = Database.connect(sqlite_url, clock=clock, exclusive=True)
    await served.open()
    await served.close()


async def test_a_postgresql_database_is_served_by_many(postgresql_url: str, clock: VirtualClock) -> None:
    databases = [Database.connect(postgresql_url, clock=clock, exclusive=True) for _ in range(3)]
    for database in databases:
        await database.open()
        await database.inbox.note_ping("github", clock.now())
    for database in databases:
        await database.close()


def test_the_package_comes_without_the_drivers_it_may_not_need(tmp_path: Path) -> None:
    """Looking at the schema of a SQLite file, as each command does first, imports nothing of PostgreSQL."""
    script = (
        "import sys\n"
        "from storage import migrating\n"
        f"migrating.status('sqlite:///{tmp_path}/none.db')\n"
        "sys.exit('asyncpg' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False, timeout=60, env={"PATH": os.defpath})

    assert done.returncode == 0

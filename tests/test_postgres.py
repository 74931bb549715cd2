"""The PostgreSQL that the other tests stand on: fresh databases, templates, crashes, and nothing left running."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from tests.postgres import Postgres, SharedPostgres, new_directory


async def execute(url: str, *statements: str) -> list[object]:
    """Run statements in one transaction; the first column of what the last one selects."""
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.begin() as connection:
        for statement in statements[:-1]:
            await connection.execute(text(statement))
        result = await connection.execute(text(statements[-1]))
        return list(result.scalars()) if result.returns_rows else []


@pytest.mark.parametrize("turn", ["first", "second"])
async def test_each_test_gets_an_empty_database(postgres_url: str, turn: str) -> None:
    assert await execute(postgres_url, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [0]
    await execute(postgres_url, f"CREATE TABLE of_the_{turn} (id bigint PRIMARY KEY)")


async def test_a_template_is_filled_once_and_copied_whole(postgres_server: Postgres) -> None:
    filled: list[str] = []

    def fill(url: str) -> None:
        filled.append(url)
        postgres_server.execute("SELECT 1")
        database = url.rsplit("/", 1)[1]
        postgres_server.execute(f"COMMENT ON DATABASE {database} IS 'filled'")

    name = "template_of_this_test"
    postgres_server.ensure_template(name, fill)
    postgres_server.ensure_template(name, fill)
    copy = postgres_server.create_database(template=name)

    assert len(filled) == 1
    assert await execute(postgres_server.url(copy), "SELECT current_database()") == [copy]
    postgres_server.drop_database(copy)
    postgres_server.drop_database(name)


def test_a_template_whose_filling_failed_is_not_kept(postgres_server: Postgres) -> None:
    def fail(url: str) -> None:
        raise RuntimeError(url)

    with pytest.raises(RuntimeError):
        postgres_server.ensure_template("never_whole", fail)

    assert postgres_server.execute("SELECT count(*) FROM pg_database WHERE datname = 'never_whole'") == "0"


async def test_what_was_committed_survives_a_crash_of_the_durable_server(
    durable_postgres: Postgres, durable_postgres_url: str
) -> None:
    await execute(durable_postgres_url, "CREATE TABLE kept (id bigint PRIMARY KEY)", "INSERT INTO kept VALUES (7)")

    durable_postgres.kill()
    assert not durable_postgres.is_listening()
    durable_postgres.relaunch()

    assert await execute(durable_postgres_url, "SELECT id FROM kept") == [7]
    assert await execute(durable_postgres_url, "SHOW fsync") == ["on"]


def test_a_server_ends_with_the_session_that_was_killed() -> None:
    directory = new_directory()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as owner:
        server = SharedPostgres(directory=directory, owner_pid=owner.pid).server()
        assert server.is_listening()
        owner.kill()

    assert_gone(directory, server)


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_server_ends_with_a_session_whose_tests_fail(tmp_path: Path, workers: str) -> None:
    seen = tmp_path / "seen"
    seen.mkdir()
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    (tmp_path / "test_failing.py").write_text(
        "import pathlib, pytest\n"
        "@pytest.mark.parametrize('turn', range(4))\n"
        "def test_failing(postgres_server, turn):\n"
        f"    seen = pathlib.Path({str(seen)!r}) / str(turn)\n"
        "    seen.write_text(f'{postgres_server.directory} {postgres_server.port}')\n"
        "    raise SystemExit(turn) if turn == 3 else AssertionError\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-n",
        workers,
        "--rootdir",
        str(tmp_path),
    ]
    done = subprocess.run(
        [*command, str(tmp_path)],
        env={"PYTHONPATH": str(Path(__file__).parent.parent), "PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    servers = {file.read_text() for file in seen.iterdir()}
    assert done.returncode != 0
    assert len(servers) == 1, done.stdout
    directory, port = servers.pop().split()
    assert_gone(Path(directory), Postgres(directory=Path(directory), port=int(port), binaries=Path(), durable=False))


def assert_gone(directory: Path, server: Postgres) -> None:
    """Hold that the server ends and its directory vanishes, within a bound that only a defect reaches."""
    for _ in range(600):
        if not directory.exists() and not server.is_listening():
            return
        time.sleep(0.05)
    pytest.fail(f"still there: {directory}")

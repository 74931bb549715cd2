"""`serve` and `work` as real processes: what they refuse, what they do, and how they stop."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from sandbox.github.server import GitHubStandIn
from tests.cli.conftest import Settings, settings_for
from tests.cli.running import PATIENCE_SECONDS, Ended, Program, invoke, run, start
from tests.cli.server_settings import server_settings

MADE_BY_THE_START = 50_000
"""Objects; there are more than twice as many."""


@pytest.fixture
async def github() -> AsyncIterator[GitHubStandIn]:
    async with GitHubStandIn() as stand_in:
        yield stand_in


@asynccontextmanager
async def serving(settings: Settings, directory: Path, *options: str) -> AsyncIterator[tuple[Program, str]]:
    program = await start("serve", "--port", "0", *options, directory=directory, settings=settings)
    try:
        yield program, json.loads(await program.line_with("server_listening"))["address"]
    finally:
        await program.kill()


async def shows(settings: Settings, reference: str, plan: str) -> None:
    """Wait until the customer is there and has this plan."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            ended = await asyncio.to_thread(invoke, "customers", "show", reference, "--json", settings=settings)
            if ended.code == 0 and json.loads(ended.stdout)["plan"] == plan:
                return
            await asyncio.sleep(0.05)


async def test_a_server_answers_works_and_stops(github: GitHubStandIn, sqlite_url: str, tmp_path: Path) -> None:
    settings = settings_for(sqlite_url)
    async with serving({**settings, **server_settings(github)}, tmp_path) as (program, address):
        github.add_user("ada")
        github.connect(address)
        async with aiohttp.ClientSession() as browser, browser.get(f"{address}/readyz") as ready:
            assert ready.status == 200
        github.buy("ada", "Pro")
        await shows(settings, "github:@ada", "pro")
        program.signal(signal.SIGTERM)
        ended = await program.end()

    assert (ended.code, ended.stdout) == (0, "")
    events = [json.loads(line)["event"] for line in ended.stderr.splitlines()]
    assert events[-2:] == ["server_stopping", "server_stopped"]
    assert "mail_is_off" in events


async def test_a_server_that_must_not_bill_says_so(github: GitHubStandIn, sqlite_url: str, tmp_path: Path) -> None:
    settings = {**settings_for(sqlite_url), **server_settings(github), "BILLING_ENABLED": "false"}
    program = await start("serve", "--port", "0", directory=tmp_path, settings=settings)
    try:
        said = json.loads(await program.line_with("billing_is_off"))
    finally:
        await program.kill()

    assert (said["level"], said["by"]) == ("warning", "the setting BILLING_ENABLED")


async def test_what_the_start_has_made_is_left_alone_by_the_garbage_collector(
    github: GitHubStandIn, sqlite_url: str, tmp_path: Path
) -> None:
    settings = {**settings_for(sqlite_url), **server_settings(github), "LOG_LEVEL": "debug"}
    program = await start("serve", "--port", "0", directory=tmp_path, settings=settings)
    try:
        assert json.loads(await program.line_with("start_settled"))["objects"] > MADE_BY_THE_START
    finally:
        await program.kill()


async def test_commands_work_beside_a_server_and_migrate_does_not(
    github: GitHubStandIn, sqlite_url: str, tmp_path: Path
) -> None:
    settings = settings_for(sqlite_url)
    async with serving({**settings, **server_settings(github)}, tmp_path) as (program, address):
        github.add_user("ada")
        github.connect(address)
        github.buy("ada", "Pro")
        await shows(settings, "github:@ada", "pro")

        def beside(*arguments: str) -> Ended:
            return invoke(*arguments, settings=settings)

        grant = ("credits", "grant", "github:@ada", "3", "--reason", "x", "--yes", "--json")
        granted = await asyncio.to_thread(beside, *grant)
        replayed = await asyncio.to_thread(beside, "deliveries", "replay", "1")
        verified = await asyncio.to_thread(beside, "verify")
        migrated = await asyncio.to_thread(beside, "migrate")
        second = await run("serve", directory=tmp_path, settings={**settings, **server_settings(github)})
        # The server takes up what the other process queued.
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                shown = await asyncio.to_thread(beside, "deliveries", "show", "1", "--json")
                if json.loads(shown.stdout)["state"] != "received":
                    break
                await asyncio.sleep(0.05)

    assert (granted.code, replayed.code, verified.code) == (0, 0, 0)
    assert json.loads(granted.stdout)["entries"] == [2]
    for refused in (migrated, second):
        assert refused.code == 1
        assert f"is in use by process {program.pid}" in refused.stderr
        assert "Traceback" not in refused.stderr


async def test_servers_and_workers_share_a_postgresql_database(
    github: GitHubStandIn, postgresql_url: str, tmp_path: Path
) -> None:
    settings = settings_for(postgresql_url)
    everything = {**settings, **server_settings(github)}
    worker = await start("work", directory=tmp_path, settings=everything)
    try:
        await worker.line_with("worker_started")
        async with serving(everything, tmp_path, "--no-worker") as (program, address):
            github.add_user("ada")
            github.connect(address)
            github.buy("ada", "Pro")
            await shows(settings, "github:@ada", "pro")
            program.signal(signal.SIGTERM)
            assert (await program.end()).code == 0
        worker.signal(signal.SIGTERM)
        ended = await worker.end()
    finally:
        await worker.kill()

    assert ended.code == 0
    assert "worker_stopped" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "way_out"), [(("serve", "--no-worker"), "Leave out --no-worker"), (("work",), "tallyhook serve")]
)
async def test_several_processes_are_refused_on_sqlite(
    github: GitHubStandIn, sqlite_url: str, arguments: tuple[str, ...], way_out: str
) -> None:
    settings = {**settings_for(sqlite_url), **server_settings(github)}

    ended = await asyncio.to_thread(invoke, *arguments, settings=settings)

    assert ended.code == 1
    assert "A SQLite file belongs to one process" in ended.stderr
    assert way_out in ended.stderr
    assert "PostgreSQL" in ended.stderr


async def test_older_tables_are_refused_and_no_file_is_made(github: GitHubStandIn, tmp_path: Path) -> None:
    settings = {**settings_for("sqlite:///var/none.db"), **server_settings(github)}

    ended = await asyncio.to_thread(invoke, "serve", settings=settings)

    assert ended.code == 1
    assert "The database has no tables yet" in ended.stderr
    assert "Run `tallyhook migrate`." in ended.stderr
    assert list(tmp_path.iterdir()) == []


async def test_a_wrong_setting_stops_it_with_the_settings_name(github: GitHubStandIn, sqlite_url: str) -> None:
    settings = {**settings_for(sqlite_url), **server_settings(github), "GITHUB_WEBHOOK_SECRET": "changeme"}

    ended = await asyncio.to_thread(invoke, "serve", settings=settings)

    assert ended.code == 1
    assert ended.stderr == (
        "error: GITHUB_WEBHOOK_SECRET is blank or a placeholder. Make one by `openssl rand -hex 32` and set the same on"
        " the App's settings page under Webhook secret.\n"
    )


async def test_a_taken_port_is_told(
    github: GitHubStandIn, sqlite_url: str, tmp_path: Path, unused_tcp_port: int
) -> None:
    settings = {**settings_for(sqlite_url), **server_settings(github), "LOG_LEVEL": "error"}
    listener = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", unused_tcp_port)
    async with listener:
        ended = await run("serve", "--port", str(unused_tcp_port), directory=tmp_path, settings=settings)

    assert ended.code == 1
    assert f"error: 127.0.0.1:{unused_tcp_port} can't be listened on: in use." in ended.stderr
    assert "Traceback" not in ended.stderr

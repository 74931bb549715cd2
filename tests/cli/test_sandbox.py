"""`sandbox` as a real process: the server, the stand-in and the console in one, driven over their sockets."""

import asyncio
import json
import os
import re
import shlex
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.arch.tree import ROOT
from tests.cli.running import PATIENCE_SECONDS, Program, invoke, run, start


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """A running sandbox, and where its parts are."""

    program: Program
    console: str
    server: str
    settings: dict[str, str]
    command: str
    browser: aiohttp.ClientSession

    async def act(self, name: str, **values: object) -> None:
        """Press a button of the console."""
        async with self.browser.post(f"{self.console}{name}", json=values) as answer:
            assert answer.status == 200, await answer.text()

    async def customers(self) -> Any:
        """What `customers list` prints beside the sandbox."""
        ended = await asyncio.to_thread(invoke, "customers", "list", "--json", settings=self.settings)
        assert ended.code == 0, ended.stderr
        return json.loads(ended.stdout)

    async def becomes(self, login: str, plan: str, *, available: int | None = None) -> None:
        """Wait until the customer has this plan, and so many credits."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                for each in await self.customers():
                    has_credits = available is None or each["credits"]["available"] == available
                    if (each["github_login"], each["plan"]) == (login, plan) and has_credits:
                        return
                await asyncio.sleep(0.05)


@asynccontextmanager
async def running(directory: Path, *options: str) -> AsyncIterator[Sandbox]:
    program = await start("sandbox", "--port", "0", "--console-port", "0", *options, directory=directory)
    try:
        words = ("Console", "Server", "DATABASE_URL=", "customers list")
        lines = [await program.stdout_line_with(word) for word in words]
        console, server = (re.findall(r"http://\S+", line)[0] for line in lines[:2])
        settings = dict(word.split("=", 1) for word in shlex.split(lines[2])[1:])
        async with aiohttp.ClientSession() as browser:
            yield Sandbox(
                program=program,
                console=console,
                server=server,
                settings=settings,
                command=lines[3].strip(),
                browser=browser,
            )
    finally:
        await program.kill()


async def test_a_purchase_at_the_console_becomes_a_plan_and_a_balance(tmp_path: Path) -> None:
    async with running(tmp_path) as sandbox:
        async with sandbox.browser.get(f"{sandbox.server}readyz") as ready:
            assert (ready.status, (await ready.json())["status"]) == (200, "ready")
        await sandbox.act("act/install", account="acme")
        await sandbox.becomes("acme", "trial", available=5)
        revoke = ("credits", "revoke", "github:@acme", "1", "--reason", "a test", "--yes")
        assert (await asyncio.to_thread(invoke, *revoke, settings=sandbox.settings)).code == 0
        await sandbox.becomes("acme", "trial", available=4)
        await sandbox.act("act/buy", account="acme", plan="Pro")
        await sandbox.becomes("acme", "pro")
        async with sandbox.browser.get(sandbox.console) as page:
            text = await page.text()
        sandbox.program.signal(signal.SIGTERM)
        ended = await sandbox.program.end()

    assert "for signing up" in text
    assert "of the plan, for the period from" in text
    assert "taken back, of grant 1: a test" in text
    assert (ended.code, ended.stderr) == (0, "")
    # Nothing of it is left.
    assert not Path(sandbox.settings["DATABASE_URL"].partition("///")[2]).exists()


async def test_what_it_says_to_look_inside_works_from_anywhere(tmp_path: Path) -> None:
    async with running(tmp_path) as sandbox:
        await sandbox.act("act/install", account="acme")
        await sandbox.becomes("acme", "trial", available=5)
        process = await asyncio.create_subprocess_exec(
            *shlex.split(sandbox.command),
            cwd="/",
            env={**sandbox.settings, "PATH": os.defpath},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        stdout, stderr = await process.communicate()

    assert sandbox.settings["PLANS_FILE"] == str(ROOT / "plans.toml")
    assert (process.returncode, stderr.decode()) == (0, "")
    assert "acme" in stdout.decode()


async def test_the_pretended_marketplace_sells_the_catalogue(tmp_path: Path) -> None:
    catalogue = (ROOT / "plans.toml").read_text()
    own = catalogue.replace('name = "Pro"', 'name = "Grand"').replace("[1313]", "[4, 5]")
    (tmp_path / "own.toml").write_text(own.replace("59900", "10000"))
    async with running(tmp_path, "--plans", "own.toml") as sandbox:
        async with sandbox.browser.get(sandbox.console) as page:
            text = await page.text()
        await sandbox.act("act/buy", account="ada", plan=5)
        await sandbox.becomes("ada", "pro")

    assert re.findall(r'<option value="(\d+)">([^<]+)</option>', text)[:2] == [
        ("5", "Grand ($100 a month)"),
        ("1111", "Trial ($0)"),
    ]
    assert sandbox.settings["PLANS_FILE"] == str(tmp_path / "own.toml")


async def test_the_console_says_why_there_is_not_more_and_what_is_to_come(tmp_path: Path) -> None:
    async with running(tmp_path) as sandbox:
        await sandbox.act("act/buy", account="initech", plan="Trial")
        await sandbox.becomes("initech", "trial", available=0)
        await sandbox.act("act/change", account="initech", plan="Pro")
        await sandbox.becomes("initech", "pro")
        await sandbox.act("act/cancel", account="initech")
        text, scheduled = "", list[str]()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(scheduled) < 2:
                async with sandbox.browser.get(sandbox.console) as page:
                    text = await page.text()
                scheduled = re.findall(r"<dt>Scheduled</dt><dd>([^<]+)</dd>", text)

    # GitHub ends the plan at its billing date, not with the period that began with the free plan.
    assert scheduled[0] == scheduled[1]
    assert "sign-up credits come with the first installation" in text
    assert re.search(r"No\. 1, .*, initech", text)


async def test_a_jump_of_the_clock_reaches_the_server_at_once(tmp_path: Path) -> None:
    async with running(tmp_path) as sandbox:
        await sandbox.act("act/buy", account="ada", plan="Pro")
        await sandbox.becomes("ada", "pro")
        await sandbox.act("act/cancel", account="ada")
        # GitHub cancels at the billing date, which the jump passes, and tells the server by a delivery.
        await sandbox.act("clock", seconds=40 * 86_400)
        await sandbox.becomes("ada", "trial")
        sandbox.program.signal(signal.SIGINT)
        assert (await sandbox.program.end()).code == 0


async def test_a_kept_database_goes_on_where_it_was(tmp_path: Path) -> None:
    kept = tmp_path / "kept" / "sandbox.db"
    installed: list[str] = []
    for _ in range(2):
        async with running(tmp_path, "--database", str(kept)) as sandbox:
            await sandbox.act("act/install", account="grace")
            await sandbox.becomes("grace", "trial", available=5)
            listed = await asyncio.to_thread(invoke, "deliveries", "list", "--json", settings=sandbox.settings)
            installed = [row["id"] for row in json.loads(listed.stdout) if row["event"] == "installation"]
            sandbox.program.signal(signal.SIGTERM)
            assert (await sandbox.program.end()).code == 0

    assert kept.exists()
    # The second installation was no repeat of the first.
    assert len(installed) == 2


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "example.com"])  # noqa: S104 -- what must be refused
def test_an_address_that_others_can_reach_is_refused(host: str) -> None:
    ended = invoke("sandbox", "--host", host)

    assert ended.code == 2
    assert f"{host} can be reached from outside" in ended.stderr
    assert "127.0.0.1" in ended.stderr


async def test_a_taken_port_is_told_with_its_option(tmp_path: Path, unused_tcp_port: int) -> None:
    listener = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", unused_tcp_port)
    async with listener:
        server = await run("sandbox", "--port", str(unused_tcp_port), directory=tmp_path)
        console = await run("sandbox", "--port", "0", "--console-port", str(unused_tcp_port), directory=tmp_path)

    assert (server.code, console.code) == (1, 1)
    assert f"127.0.0.1:{unused_tcp_port} can't be listened on: in use." in server.stderr
    assert "--port" in server.stderr
    assert "--console-port" in console.stderr


async def test_nothing_real_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DATABASE_URL=postgresql://real.example/production\nGITHUB_APP_ID=1\n")

    async with running(tmp_path) as sandbox:
        assert await sandbox.customers() == []

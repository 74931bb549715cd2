"""`sandbox` as a real process: the server, the stand-in and the console in one, driven over their sockets."""

import asyncio
import contextlib
import json
import os
import re
import shlex
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
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

    async def act(self, action: str, /, **values: object) -> str:
        """Press a button of the console; returns what is said."""
        async with self.browser.post(f"{self.console}act/{action}", json=values) as answer:
            assert answer.status == 200, await answer.text()
            said: str = (await answer.json())["message"]
            return said

    async def refused(self, action: str, /, **values: object) -> str:
        """Press a button that can't do what it says; returns the reason."""
        async with self.browser.post(f"{self.console}act/{action}", json=values) as answer:
            assert answer.status == 409, await answer.text()
            said: str = (await answer.json())["message"]
            return said

    async def page(self, query: str = "") -> str:
        """The console's page."""
        async with self.browser.get(self.console + query) as page:
            return await page.text()

    async def account(self, login: str) -> int:
        """The id of an account at the stand-in."""
        found = re.search(
            rf'account=(\d+)"[^>]*>\s*<img[^>]*>\s*<span class="who"><span class="login">{login}<', await self.page()
        )
        assert found is not None
        return int(found[1])

    async def shows(self, words: str, query: str = "") -> str:
        """Wait until the page says something; returns it."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while words not in (text := await self.page(query)):  # noqa: ASYNC110 -- a page rings no bell
                await asyncio.sleep(0.05)
        return text

    async def comes_back(self) -> str:
        """Wait until the console answers again; returns its page."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    return await self.page()
                await asyncio.sleep(0.05)

    async def thread(self, login: str, author: str) -> dict[str, object]:
        """Where and as whom to comment: in the account's first thread, as somebody who is offered there."""
        text = await self.page(f"?account={await self.account(login)}")
        [person] = re.findall(rf'id="as-(\d+)"[^>]*><img[^>]*><span>{author} ', text)
        [place] = re.findall(r'<form class="writer" data-act="comment" data-values=\'([^\']+)\'', text)
        return {**json.loads(place), "author": int(person)}

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
        await sandbox.act("install", account="acme")
        await sandbox.becomes("acme", "trial", available=5)
        revoke = ("credits", "revoke", "github:@acme", "1", "--reason", "a test", "--yes")
        assert (await asyncio.to_thread(invoke, *revoke, settings=sandbox.settings)).code == 0
        await sandbox.becomes("acme", "trial", available=4)
        await sandbox.act("buy", account="acme", plan="Pro")
        await sandbox.becomes("acme", "pro")
        text = await sandbox.page()
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
        await sandbox.act("install", account="acme")
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


async def test_a_statement_is_signed_by_the_key_that_the_server_publishes_in_each_run(tmp_path: Path) -> None:
    key, statement = tmp_path / "ledger-key.json", tmp_path / "acme.json"
    for _ in range(2):
        async with running(tmp_path, "--database", str(tmp_path / "sandbox.db")) as sandbox:
            await sandbox.act("install", account="acme")
            await sandbox.becomes("acme", "trial", available=5)
            async with sandbox.browser.get(f"{sandbox.server}api/v1/ledger/key") as published:
                key.write_text(await published.text())
            made = await asyncio.to_thread(invoke, "checkpoint", settings=sandbox.settings)
            verified = await asyncio.to_thread(invoke, "verify", "--json", settings=sandbox.settings)
            signing = ("credits", "statement", "github:@acme", "--signed", "--output", str(statement))
            signed = await asyncio.to_thread(invoke, *signing, settings=sandbox.settings)
            sandbox.program.signal(signal.SIGTERM)
            await sandbox.program.end()
        checked = invoke("credits", "check", str(statement), "--key", str(key))
        assert (made.code, signed.code, checked.code) == (0, 0, 0), made.stderr + signed.stderr + checked.stdout
        verification = json.loads(verified.stdout)
        assert (verification["offence"], verification["signatures_checked"]) == (None, True)
        statement.unlink()


async def test_the_pretended_marketplace_sells_the_catalogue(tmp_path: Path) -> None:
    catalogue = (ROOT / "plans.toml").read_text()
    own = catalogue.replace('name = "Pro"', 'name = "Grand"').replace("[1313]", "[4, 5]")
    (tmp_path / "own.toml").write_text(own.replace("59900", "10000"))
    async with running(tmp_path, "--plans", "own.toml") as sandbox:
        text = await sandbox.page()
        await sandbox.act("buy", account="ada", plan=5)
        await sandbox.becomes("ada", "pro")

    heading = r'<li id="plan-(\d+)">\s*<div><strong>([^<]+)</strong> <span class="price">([^<]+)</span><br>'
    offered = rf'{heading}<span class="quiet">([^<]+)<'
    assert re.findall(offered, text) == [
        ("5", "Grand", "$100 a month", "60 credits a month"),
        ("1111", "Trial", "$0", "5 credits to try it"),
    ]
    assert sandbox.settings["PLANS_FILE"] == str(tmp_path / "own.toml")


async def test_the_console_says_why_there_is_not_more_and_what_is_to_come(tmp_path: Path) -> None:
    async with running(tmp_path) as sandbox:
        await sandbox.act("buy", account="initech", plan="Trial")
        await sandbox.becomes("initech", "trial", available=0)
        await sandbox.act("change", account="initech", plan="Pro")
        await sandbox.becomes("initech", "pro")
        await sandbox.act("cancel", account="initech")
        query = f"?account={await sandbox.account('initech')}"
        [ends] = re.findall(r"<dt>Scheduled</dt><dd>([^<]+)</dd>", await sandbox.page(query))
        # GitHub ends the plan at its billing date, not with the period that began with the free plan.
        text = await sandbox.shows(f'<br><span class="quiet">{ends}</span>', query)

    assert "sign-up credits come with the first installation" in text
    assert re.search(r"No\. 1, .*, initech", text)


async def test_a_jump_of_the_clock_reaches_the_server_at_once(tmp_path: Path) -> None:
    async with running(tmp_path) as sandbox:
        await sandbox.act("buy", account="ada", plan="Pro")
        await sandbox.becomes("ada", "pro")
        await sandbox.act("cancel", account="ada")
        # GitHub cancels at the billing date, which the jump passes, and tells the server by a delivery.
        await sandbox.act("jump", seconds=40 * 86_400)
        await sandbox.becomes("ada", "trial")
        sandbox.program.signal(signal.SIGINT)
        assert (await sandbox.program.end()).code == 0


async def test_a_question_in_a_thread_is_answered_there(tmp_path: Path) -> None:
    async with running(tmp_path) as sandbox:
        await sandbox.act("install", account="acme")
        await sandbox.act("buy", account="acme", plan="Pro")
        await sandbox.becomes("acme", "pro")
        asked = await sandbox.thread("acme", "mona")
        await sandbox.act("set_fault", fault="lost_answer", on=True)
        await sandbox.act("comment", **asked, body="/credits")
        await sandbox.shows("reacted with eyes")
        # GitHub has posted the answer and didn't say so: it is looked for before it is posted again.
        await sandbox.act("jump", seconds=600)
        text = await sandbox.shows("That was the first minute.")
        await sandbox.shows('<span class="event">reply</span><span class="badge good">')
        assert text.count('class="post ours"') == 1
        await sandbox.act("comment", **asked, body="@tallyhook-sandbox help")
        await sandbox.shows("this list")

        sandbox.program.signal(signal.SIGTERM)
        ended = await sandbox.program.end()

    assert re.findall(r"\[(\w+) *\] (\w+)", ended.stderr) == [("warning", "effect_put_off")]


async def test_a_question_to_a_kept_database_is_answered_after_a_restart_too(tmp_path: Path) -> None:
    for _ in range(2):
        async with running(tmp_path, "--database", str(tmp_path / "sandbox.db")) as sandbox:
            await sandbox.act("install", account="acme")
            asked = await sandbox.thread("acme", "mona")
            await sandbox.act("comment", **asked, body="@tallyhook-sandbox help")
            await sandbox.shows("this list")
            sandbox.program.signal(signal.SIGTERM)
            assert (await sandbox.program.end()).code == 0


async def test_credits_are_given_and_used_and_figures_shown_at_the_console(tmp_path: Path) -> None:
    async with running(tmp_path) as sandbox:
        acme = await sandbox.account("acme")
        unknown = await sandbox.refused("grant", account=acme, credits=3)
        await sandbox.act("install", account="acme")
        await sandbox.becomes("acme", "trial", available=5)
        assert await sandbox.act("grant", account=acme, credits=3) == "3 credits given."
        assert await sandbox.act("spend", account=acme, credits=1) == "1 credit used."
        await sandbox.becomes("acme", "trial", available=7)
        too_much = await sandbox.refused("spend", account=acme, credits=70)
        said = [await sandbox.act("show_figures", account=acme, shown=shown) for shown in (True, False, True)]
        text = await sandbox.shows('id="figures" role="switch" aria-checked="true"')

    assert "install the App or buy a plan first" in unknown
    assert too_much == "That can't be done: 70 credits were asked for, 7 are available."
    assert said[:2] == ["Figures are shown in public repositories.", "Public repositories are told a word only."]
    assert "given at the sandbox&#39;s console" in text


async def test_every_ready_made_customer_is_made_by_the_real_server(tmp_path: Path) -> None:
    async with running(tmp_path) as sandbox:
        names = re.findall(r'id="scenario-(\w+)"', await sandbox.page())
        for name in names:
            assert "is ready" in await sandbox.act("put_into", scenario=name), name
        known = {each["github_login"]: each for each in await sandbox.customers()}

    assert len(names) > 10
    assert known["upgraded-1"]["plan"] == "pro"
    assert known["cancelled-1"]["plan"] == "trial"


async def test_starting_over_begins_anew_at_the_same_addresses(tmp_path: Path) -> None:
    async with running(tmp_path) as sandbox:
        await sandbox.act("install", account="acme")
        await sandbox.becomes("acme", "trial", available=5)
        page = await sandbox.page()
        await sandbox.act("jump", seconds=400 * 86_400)
        [former] = re.findall(r'data-run="(\w+)"', page)
        async with sandbox.browser.get(f"{sandbox.console}events") as stream:
            assert await sandbox.act("start_over") == "Starting over …"
            # Open pages are let go, and come back by themselves.
            async for _ in stream.content:
                pass
        told = await sandbox.program.stdout_line_with("Started over.")
        text = await sandbox.comes_back()
        assert await sandbox.customers() == []
        await sandbox.act("install", account="acme")
        await sandbox.becomes("acme", "trial", available=5)
        async with sandbox.browser.get(f"{sandbox.server}readyz") as ready:
            assert ready.status == 200
        sandbox.program.signal(signal.SIGTERM)
        ended = await sandbox.program.end()

    assert told.strip() == "Started over. Everything is new."
    assert former not in text
    before, after = (
        datetime.fromisoformat(re.findall(r'id="now" datetime="([^"]+)"', each)[0]) for each in (page, text)
    )
    assert after - before < timedelta(days=1)
    assert ended.code == 0
    assert not Path(sandbox.settings["DATABASE_URL"].partition("///")[2]).exists()


async def test_starting_over_sets_a_kept_database_aside(tmp_path: Path) -> None:
    kept = tmp_path / "sandbox.db"
    async with running(tmp_path, "--database", str(kept)) as sandbox:
        for number in (1, 2):
            await sandbox.act("install", account="grace")
            await sandbox.becomes("grace", "trial", available=5)
            await sandbox.act("start_over")
            told = await sandbox.program.stdout_line_with("Started over.")
            assert f"kept as {tmp_path / f'sandbox-{number}.db'}" in told
            assert f"sandbox-{number}.db" in await sandbox.comes_back()
            assert await sandbox.customers() == []
        aside = {**sandbox.settings, "DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'sandbox-1.db'}"}
        listed = await asyncio.to_thread(invoke, "customers", "list", "--json", settings=aside)

    assert [each["github_login"] for each in json.loads(listed.stdout)] == ["grace"]


async def test_a_kept_database_goes_on_where_it_was(tmp_path: Path) -> None:
    kept = tmp_path / "kept" / "sandbox.db"
    installed: list[str] = []
    for _ in range(2):
        async with running(tmp_path, "--database", str(kept)) as sandbox:
            await sandbox.act("install", account="grace")
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


async def test_above_the_highest_port_the_console_takes_a_free_one(tmp_path: Path) -> None:
    program = await start("sandbox", "--port", "65535", directory=tmp_path)
    try:
        lines = [await program.stdout_line_with(word) for word in ("Console", "Server")]
    finally:
        await program.kill()
    console, server = (int(re.findall(r"http://127.0.0.1:(\d+)/", line)[0]) for line in lines)
    assert 0 < console < server == 65535


async def test_nothing_real_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DATABASE_URL=postgresql://real.example/production\nGITHUB_APP_ID=1\n")

    async with running(tmp_path) as sandbox:
        assert await sandbox.customers() == []

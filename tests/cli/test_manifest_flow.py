"""The manifest flow's page: how long it waits, what it does without an answer, and an App without a secret."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from billing.errors import TemporaryFailureError
from bot.cli.failures import CommandError
from bot.cli.manifest_flow import CODE_LIFE_SECONDS, CreatedApp, ManifestFlow, Registrar
from bot.cli.setup_new import create_app
from bot.cli.setup_values import SetupOptions
from bot.settings import read_settings_file
from sandbox.clock import VirtualClock
from sandbox.github.keys import process_private_key
from tests.bot.working import until_true
from tests.cli.test_setup import confirm_at_github

STATE = "the-state-of-this-run"
ANSWER = {
    "id": 7,
    "slug": "credits",
    "html_url": "https://github.example/apps/credits",
    "client_id": "Iv23liAbCdEfGhIjKlMn",
    "client_secret": "c" * 40,
    "webhook_secret": "w" * 40,
    "pem": process_private_key(),
}


class Flow:
    """A flow under way, whose code is exchanged by a function of the test's."""

    def __init__(self, answer: Callable[[], Mapping[str, Any]]) -> None:
        self.clock = VirtualClock(frozen=True)
        self.asked: list[str] = []
        self._answer = answer
        self.page = asyncio.get_running_loop().create_future()

    async def convert(self, code: str) -> Mapping[str, Any]:
        self.asked.append(code)
        return self._answer()

    async def run(self) -> CreatedApp:
        flow = ManifestFlow(
            manifest={"url": "https://x.example"},
            registrar=Registrar(web_url="http://127.0.0.1:9", organization=""),
            state=STATE,
            convert=self.convert,
            clock=self.clock,
        )
        return await flow.run(port=0, announce=self.page.set_result)

    async def come_back(self, **query: str) -> tuple[int, str]:
        """Come back from GitHub, as the browser does."""
        page = await self.page
        async with aiohttp.ClientSession() as browser, browser.get(f"{page}created", params=query) as answer:
            return answer.status, await answer.text()


async def test_a_code_that_is_not_answered_is_asked_for_three_times() -> None:
    def no_answer() -> Mapping[str, Any]:
        raise TemporaryFailureError("GitHub answered 502")

    flow, over = Flow(no_answer), asyncio.Event()

    async def come_back() -> tuple[int, str]:
        answer = await flow.come_back(state=STATE, code="abc")
        over.set()
        return answer

    async def end_each_wait() -> None:
        while not over.is_set():
            await asyncio.sleep(0)
            flow.clock.advance(seconds=5)

    failure, answer, _ = await asyncio.gather(flow.run(), come_back(), end_each_wait(), return_exceptions=True)

    assert isinstance(failure, CommandError)
    assert "GitHub answered 502" in failure.what
    assert "tallyhook setup --existing" in failure.way_out
    assert flow.asked == ["abc"] * 3
    assert not isinstance(answer, BaseException)
    assert answer[0] == 502
    assert "tallyhook setup --existing" in answer[1]


@pytest.mark.parametrize("missing", sorted(ANSWER))
async def test_an_answer_that_lacks_something_is_told(missing: str) -> None:
    flow = Flow(lambda: {name: value for name, value in ANSWER.items() if name != missing})

    async def both() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(flow.run())
            group.create_task(flow.come_back(state=STATE, code="abc"))

    with pytest.raises(ExceptionGroup) as failures:
        await both()

    (failure,) = failures.value.exceptions
    assert isinstance(failure, CommandError)
    assert missing in failure.what


async def test_nobody_is_waited_for_longer_than_a_code_lives() -> None:
    flow = Flow(lambda: ANSWER)

    async def jump() -> None:
        await until_true(lambda: flow.clock.sleeping > 0)
        flow.clock.advance(seconds=CODE_LIFE_SECONDS)

    with pytest.raises(CommandError, match="within an hour"):
        await asyncio.gather(flow.run(), jump())


async def test_a_taken_port_is_told(unused_tcp_port: int) -> None:
    listener = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", unused_tcp_port)
    flow = ManifestFlow(
        manifest={},
        registrar=Registrar(web_url="http://127.0.0.1:9", organization=""),
        state=STATE,
        convert=Flow(lambda: ANSWER).convert,
        clock=VirtualClock(),
    )

    async with listener:
        with pytest.raises(CommandError, match=str(unused_tcp_port)):
            await flow.run(port=unused_tcp_port, announce=lambda _address: None)


@pytest.mark.parametrize(
    ("organization", "address"),
    [
        ("", "https://github.example/settings/apps/new?state=s"),
        ("acme", "https://github.example/organizations/acme/settings/apps/new?state=s"),
        ("a/b", "https://github.example/organizations/a%2Fb/settings/apps/new?state=s"),
    ],
)
def test_the_manifest_goes_to_its_owners_page(organization: str, address: str) -> None:
    assert Registrar(web_url="https://github.example/", organization=organization).registration_url("s") == address


@asynccontextmanager
async def secretive_github(hooks: list[dict[str, Any]], *, hook_status: int) -> AsyncIterator[str]:
    """A GitHub that makes no secret for the webhook, as its description allows."""

    async def register(request: web.Request) -> web.Response:
        target = json.loads(str((await request.post())["manifest"]))["redirect_url"]
        raise web.HTTPFound(f"{target}?code=abc&state={request.query['state']}")

    async def convert(_request: web.Request) -> web.Response:
        return web.json_response(ANSWER | {"webhook_secret": None}, status=201)

    async def set_hook(request: web.Request) -> web.Response:
        hooks.append(await request.json())
        return web.json_response({}, status=hook_status)

    app = web.Application()
    app.add_routes(
        [
            web.post("/settings/apps/new", register),
            web.post("/app-manifests/abc/conversions", convert),
            web.patch("/app/hook/config", set_hook),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("hook_status", [200, 403])
async def test_a_webhook_without_a_secret_gets_one_of_ours(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], hook_status: int
) -> None:
    hooks: list[dict[str, Any]] = []

    async def confirm() -> None:
        said = ""
        while "http" not in said:
            await asyncio.sleep(0.01)
            said += capsys.readouterr().err
        await confirm_at_github(said.split()[-1])

    async with secretive_github(hooks, hook_status=hook_status) as address:
        options = SetupOptions(
            file=tmp_path / ".env",
            web_url=address,
            api_url=address,
            public_url="https://billing.example.com",
            browser=False,
        )
        result, _ = await asyncio.gather(create_app(options, clock=VirtualClock()), confirm(), return_exceptions=True)

    written = read_settings_file(tmp_path / ".env")["github_webhook_secret"]
    assert [(hook["secret"], hook["url"]) for hook in hooks] == [
        (written, "https://billing.example.com/webhooks/github")
    ]
    if hook_status == 200:
        assert not isinstance(result, BaseException)
        assert result.hook_was_set
    else:
        assert isinstance(result, CommandError)
        assert result.way_out == "Run `tallyhook setup --existing`."

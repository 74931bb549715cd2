"""GitHub's manifest flow: a page on this machine posts the manifest to GitHub, and gets back a code for the App.

The steps are those of GitHub's documentation, "Registering a GitHub App from a manifest": the browser posts the
manifest with a `state`; whoever is signed in confirms; GitHub sends the browser back with a `code`, which is exchanged
for the App's credentials once and within the hour.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from aiohttp import web

from billing.errors import TemporaryFailureError
from billing.ports import Clock
from bot.cli.failures import CommandError
from bot.cli.github_desk import GitHubRefusalError
from bot.cli.manifest_page import message_page, registration_page

LOOPBACK: Final = "127.0.0.1"
CODE_LIFE_SECONDS: Final = 3600
_CONVERSION_DELAYS_SECONDS: Final = (0.0, 1.0, 3.0)
_START_AGAIN: Final = "Run `tallyhook setup` again."
_ADOPT: Final = (
    "If GitHub shows the App, make a private key and a client secret on its page and run `tallyhook setup --existing`."
)

Convert = Callable[[str], Awaitable[Mapping[str, Any]]]
"""Exchanges a code for GitHub's answer about the App."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedApp:
    """The App as GitHub tells of it once, right after its creation. The secrets are never shown again."""

    app_id: int
    slug: str
    html_url: str
    client_id: str
    client_secret: str
    webhook_secret: str | None
    private_key: str

    @classmethod
    def from_answer(cls, answer: Mapping[str, Any]) -> "CreatedApp":
        """Take the answer of the conversion apart.

        Raises:
            CommandError: something is missing in it.
        """
        try:
            return cls(
                app_id=int(answer["id"]),
                slug=str(answer["slug"]),
                html_url=str(answer["html_url"]),
                client_id=str(answer["client_id"]),
                client_secret=str(answer["client_secret"]),
                webhook_secret=answer["webhook_secret"] or None,
                private_key=str(answer["pem"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise CommandError(f"GitHub's answer lacks what an App needs ({error!r}).", _ADOPT) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Registrar:
    """Where the manifest goes: GitHub's pages, and the organization that the App will belong to ("" for oneself)."""

    web_url: str
    organization: str

    def registration_url(self, state: str) -> str:
        """Return where the manifest is posted to."""
        owner = f"organizations/{quote(self.organization, safe='')}/" if self.organization else ""
        return f"{self.web_url.rstrip('/')}/{owner}settings/apps/new?{urlencode({'state': state})}"


class ManifestFlow:
    """One run of the flow. The page answers to one state, and to that only once.

    Args:
        manifest: the App's fields, without `redirect_url`.
        registrar: takes the manifest.
        state: unguessable; binds GitHub's answer to this run.
        convert: exchanges a code for the App.
        clock: for the delays between attempts.
    """

    def __init__(
        self,
        *,
        manifest: Mapping[str, Any],
        registrar: Registrar,
        state: str,
        convert: Convert,
        clock: Clock,
    ) -> None:
        self._manifest = manifest
        self._registrar = registrar
        self._state = state
        self._convert = convert
        self._clock = clock
        self._used = False
        self._host = ""
        self._created: asyncio.Future[CreatedApp] = asyncio.get_running_loop().create_future()

    async def run(self, *, port: int, announce: Callable[[str], None]) -> CreatedApp:
        """Serve the page until GitHub has sent the browser back, and return the App.

        Args:
            port: of the page; 0 takes a free one.
            announce: gets the page's address.

        Raises:
            CommandError: the port is taken, nobody came back within the hour, or GitHub refused the code.
        """
        app = web.Application()
        app.add_routes([web.get("/", self._show_form), web.get("/created", self._receive_code)])
        runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await runner.setup()
        try:
            self._host = f"{LOOPBACK}:{await _listen(runner, port)}"
            announce(f"http://{self._host}/")
            async with asyncio.TaskGroup() as group:
                deadline = group.create_task(self._clock.sleep(CODE_LIFE_SECONDS))
                awaited: set[asyncio.Future[Any]] = {deadline, self._created}
                await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
                deadline.cancel()
            # A code that is being exchanged is waited for: the App would be lost.
            if not self._created.done() and not self._used:
                raise CommandError("Nobody came back from GitHub within an hour.", _START_AGAIN)
            return await self._created
        finally:
            # Waits for the page that tells how it went.
            await runner.cleanup()

    async def _show_form(self, request: web.Request) -> web.Response:
        """Show what will be registered, and the button that takes it to GitHub."""
        self._require_own_host(request)
        manifest = {**self._manifest, "redirect_url": f"http://{self._host}/created"}
        return registration_page(
            manifest,
            owner=self._registrar.organization or "your own account",
            form_url=self._registrar.registration_url(self._state),
            form_origin=self._registrar.web_url,
        )

    async def _receive_code(self, request: web.Request) -> web.Response:
        """Check the state, exchange the code, and hand the App to whoever waits for it."""
        self._require_own_host(request)
        state, code = request.query.get("state", ""), request.query.get("code", "")
        if not hmac.compare_digest(state.encode(), self._state.encode()):
            return message_page("Not for this run", "The address doesn't belong to the set-up under way.", status=400)
        if self._used:
            return message_page("Used already", "The App was fetched; look at the terminal.", status=409)
        if not code:
            return message_page("No code", "GitHub sent none along. Go back and try again.", status=400)
        self._used = True
        try:
            created = await self._exchange(code)
        except CommandError as error:
            self._created.set_exception(error)
            return message_page("That failed", f"{error.what} {error.way_out}", status=502)
        self._created.set_result(created)
        return message_page("The App is registered", "Its settings are on their way to the terminal; close this page.")

    async def _exchange(self, code: str) -> CreatedApp:
        """Exchange the code for the App, trying again where no answer came.

        Raises:
            CommandError: GitHub refused the code, or gave no answer.
        """
        reason = ""
        for delay_seconds in _CONVERSION_DELAYS_SECONDS:
            await self._clock.sleep(delay_seconds)
            try:
                return CreatedApp.from_answer(await self._convert(code))
            except GitHubRefusalError as error:
                what = f"GitHub refused the code ({error}); a code lives for an hour and is good for once."
                raise CommandError(what, _ADOPT) from error
            except TemporaryFailureError as error:
                reason = error.reason
        raise CommandError(f"GitHub didn't exchange the code ({reason}).", _ADOPT)

    def _require_own_host(self, request: web.Request) -> None:
        """Refuse a request under another name than the page's own: a foreign site could have its name point here."""
        if request.host != self._host:
            raise web.HTTPMisdirectedRequest(text="Use the address that the terminal shows.")


async def _listen(runner: web.AppRunner, port: int) -> int:
    """Listen on loopback and return the port.

    Raises:
        CommandError: the port is taken.
    """
    site = web.TCPSite(runner, LOOPBACK, port)
    try:
        await site.start()
    except OSError as error:
        raise CommandError(
            f"Port {port} can't be used: {error.strerror}.", "Name another by --port, or leave it out."
        ) from error
    return int(runner.addresses[0][1])

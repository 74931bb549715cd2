"""The front page: what this server is, for people as a page and for programs as JSON."""

import base64
import hashlib
from functools import cached_property
from importlib.metadata import version
from importlib.resources import files
from typing import Final

import msgspec
from aiohttp import hdrs, web
from jinja2 import Environment, PackageLoader, StrictUndefined

from bot.settings import ServerSettings
from bot.webhooks.routes import PATHS
from bot.webhooks.verify import Hook

DESCRIPTION: Final = (
    "The billing back end of a GitHub App: it turns purchases and installations into plans and credits, "
    "and keeps every credit in an append-only ledger."
)

_PAGE: Final = "text/html"
_DOCUMENT: Final = "application/json"


class HomePage:
    """Answers `GET /`."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings

    async def show(self, request: web.Request) -> web.Response:
        """Show the page, or the same as JSON to whoever would rather have that."""
        if prefers_json(request.headers.get(hdrs.ACCEPT, "")):
            answer = web.Response(body=self._document, content_type=_DOCUMENT)
        else:
            answer = web.Response(
                text=self._page, content_type=_PAGE, headers={"Content-Security-Policy": self._policy}
            )
        answer.headers[hdrs.VARY] = hdrs.ACCEPT
        return answer

    @cached_property
    def _style(self) -> str:
        return files("bot.pages").joinpath("style.css").read_text(encoding="utf-8")

    @cached_property
    def _policy(self) -> str:
        # The one style is named by its hash, so that no other can be slipped in.
        digest = base64.b64encode(hashlib.sha256(self._style.encode()).digest()).decode()
        allowed = f"default-src 'none'; style-src 'sha256-{digest}'"
        return f"{allowed}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    @cached_property
    def _page(self) -> str:
        environment = Environment(
            loader=PackageLoader("bot.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        return environment.get_template("home.html").render(
            style=self._style,
            description=DESCRIPTION,
            version=version("tallyhook"),
            installations=f"{self._settings.github_web_url}/settings/installations",
            webhooks=self._webhooks,
        )

    @cached_property
    def _document(self) -> bytes:
        return msgspec.json.encode(
            {
                "name": "Tallyhook",
                "description": DESCRIPTION,
                "version": version("tallyhook"),
                "webhooks": self._webhooks,
                "health": {"live": "/healthz", "ready": "/readyz"},
            }
        )

    @property
    def _webhooks(self) -> dict[str, str]:
        return {
            "app": f"{self._settings.public_url}{PATHS[Hook.APP]}",
            "marketplace": f"{self._settings.public_url}{PATHS[Hook.MARKETPLACE]}",
        }


def prefers_json(accept: str) -> bool:
    """Tell whether an `Accept` header asks for JSON rather than for a page. Without a preference it is the page."""
    weights = {_PAGE: 0.0, _DOCUMENT: 0.0}
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if name in weights:
            weights[name] = _weight(parameters)
    return weights[_DOCUMENT] > weights[_PAGE]


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter.removeprefix("q="))
            except ValueError:
                return 0.0
    return 1.0

"""What `setup` and `doctor` ask of GitHub, and how they are refused."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from billing.ports import Clock
from bot.github.client import API_VERSION, USER_AGENT, GitHubClient
from bot.github.transport import Answer, Request, Transport


class GitHubRefusalError(Exception):
    """GitHub answered, and not with what was asked for.

    Attributes:
        status: the HTTP status.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status} {message}".strip())
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredApp:
    """The App as GitHub shows it to the App itself."""

    app_id: int
    client_id: str
    slug: str
    html_url: str
    permissions: Mapping[str, str]
    events: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """What an App asks for, or what one of its installations has agreed to."""

    permissions: Mapping[str, str]
    events: frozenset[str]


class GitHubDesk:
    """Asks GitHub as the App.

    Attributes:
        clock_ahead: by how much our clock was ahead of GitHub's at the last answer; None before one.
    """

    def __init__(self, client: GitHubClient, *, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self.clock_ahead: timedelta | None = None

    async def app(self) -> RegisteredApp:
        """Ask who we are.

        Raises:
            GitHubRefusalError: GitHub refuses the token: another App's key, or a clock that is off.
            TemporaryFailureError: no answer.
        """
        answer = _object(await self._ask("GET", "/app"), HTTPStatus.OK)
        granted = _granted(answer)
        return RegisteredApp(
            app_id=int(answer["id"]),
            client_id=str(answer.get("client_id") or ""),
            slug=str(answer.get("slug") or ""),
            html_url=str(answer["html_url"]),
            permissions=granted.permissions,
            events=granted.events,
        )

    async def hook_url(self) -> str:
        """Ask where the App's webhook points; "" if nowhere. GitHub never shows its secret.

        Raises:
            GitHubRefusalError, TemporaryFailureError: as for `app`.
        """
        return str(_object(await self._ask("GET", "/app/hook/config"), HTTPStatus.OK).get("url") or "")

    async def set_hook(self, *, url: str, secret: str) -> None:
        """Point the App's webhook to us.

        Raises:
            GitHubRefusalError, TemporaryFailureError: as for `app`.
        """
        body = {"url": url, "secret": secret, "content_type": "json", "insecure_ssl": "0"}
        _object(await self._ask("PATCH", "/app/hook/config", json.dumps(body).encode()), HTTPStatus.OK)

    async def listing_plan_ids(self) -> Sequence[int]:
        """Ask for the ids of all plans of the Marketplace listing.

        Raises:
            GitHubRefusalError, TemporaryFailureError: as for `app`; 404 if there is no listing.
        """
        ids: list[int] = []
        async for page in self._client.pages_as_app("/marketplace_listing/plans?per_page=100"):
            ids.extend(int(plan["id"]) for plan in _document(page, HTTPStatus.OK))
        return ids

    async def installations(self) -> AsyncIterator[tuple[str, Granted]]:
        """Ask for all installations: whose each is, and what it has agreed to.

        Raises:
            GitHubRefusalError, TemporaryFailureError: as for `app`.
        """
        async for page in self._client.pages_as_app("/app/installations?per_page=100"):
            for each in _document(page, HTTPStatus.OK):
                account = each.get("account") or {}
                yield str(account.get("login") or each["id"]), _granted(each)

    async def _ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        """Ask, and compare the clocks. GitHub's is told in whole seconds, at some time between asking and now."""
        sent_at = self._clock.now()
        answer = await self._client.ask_as_app(method, path, body=body)
        self.clock_ahead = _clock_ahead(answer.date, sent_at=sent_at, now=self._clock.now())
        return answer


async def convert_code(transport: Transport, *, api_url: str, code: str) -> Mapping[str, Any]:
    """Exchange the manifest flow's code for the App with its secrets. Good for once; asked without any credential.

    Raises:
        GitHubRefusalError: GitHub doesn't know the code, or no longer.
        TemporaryFailureError: no answer.
    """
    url = f"{api_url.rstrip('/')}/app-manifests/{quote(code, safe='')}/conversions"
    headers = {
        "Accept": "application/vnd.github+json",
        "User-Agent": USER_AGENT,
        "X-GitHub-Api-Version": API_VERSION,
    }
    answer = await transport.send(Request(method="POST", url=url, headers=headers))
    return _object(answer, HTTPStatus.CREATED)


def _granted(answer: Mapping[str, Any]) -> Granted:
    return Granted(
        permissions={str(name): str(level) for name, level in answer["permissions"].items()},
        events=frozenset(str(event) for event in answer["events"]),
    )


def _clock_ahead(date: datetime | None, *, sent_at: datetime, now: datetime) -> timedelta | None:
    """Return how far our clock is ahead of this date, None if there is none."""
    if date is None:
        return None
    return timedelta(0) if sent_at - timedelta(seconds=1) <= date <= now else sent_at - date


def _document(answer: Answer, expected: HTTPStatus) -> Any:  # noqa: ANN401 -- JSON holds anything
    """Return the answer's JSON.

    Raises:
        GitHubRefusalError: the status is another one, or the body isn't JSON.
    """
    try:
        document = json.loads(answer.body) if answer.body else None
    except ValueError:
        raise GitHubRefusalError(answer.status, "and what came isn't JSON") from None
    if answer.status != expected:
        message = document.get("message", "") if isinstance(document, dict) else ""
        raise GitHubRefusalError(answer.status, str(message))
    return document


def _object(answer: Answer, expected: HTTPStatus) -> Mapping[str, Any]:
    """Return the answer's JSON object.

    Raises:
        GitHubRefusalError: the status is another one, or the body is no object.
    """
    document = _document(answer, expected)
    if not isinstance(document, dict):
        raise GitHubRefusalError(answer.status, "and what came isn't an object")
    return document

"""Registering an App from a manifest: the page that takes it, and the code that is exchanged for the App's secrets."""

import asyncio
import json
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from aiohttp import web

from sandbox.github import payloads, shapes
from sandbox.github.courier import Courier
from sandbox.github.errors import ActionError, not_found
from sandbox.github.keys import new_private_key
from sandbox.github.model import Account, AppRegistration
from sandbox.github.state import LONGEST_LOGIN, GitHubState
from sandbox.loopback import NotLoopbackError, require_loopback_url

Json = dict[str, Any]
CODE_LIFE = timedelta(hours=1)
"""How long a code can be exchanged (GitHub documentation, "Registering a GitHub App from a manifest")."""

SELF_EVIDENT_EVENTS = frozenset(
    {"github_app_authorization", "installation", "installation_repositories", "marketplace_purchase"}
)
"""Events that reach an App by themselves, or only its listing, and that no manifest may name."""

_FORM = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Register a GitHub App</title>
<h1>Register a GitHub App from a manifest</h1>
<form method="post"><label>Manifest (JSON)<br><textarea name="manifest" rows="20" cols="80" required></textarea></label>
<p><button>Create GitHub App for {owner}</button></form></html>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A manifest that was accepted and waits for its code to be exchanged."""

    manifest: Json
    owner: Account
    created_at: datetime


class ManifestFlow:
    """Both ends of the manifest flow.

    A newly registered App takes the place of the one before, without its installations and purchases.
    """

    def __init__(self, state: GitHubState, courier: Courier) -> None:
        """Start with no codes out."""
        self._state = state
        self._courier = courier
        self._waiting: dict[str, Registration] = {}

    def register_api(self, app: web.Application) -> None:
        """Add the API's route."""
        app.router.add_post("/app-manifests/{code}/conversions", self.convert)

    def register_web(self, app: web.Application) -> None:
        """Add the pages' routes."""
        for path in ("/settings/apps/new", "/organizations/{organization}/settings/apps/new"):
            app.router.add_get(path, self.show)
            app.router.add_post(path, self.submit)

    async def show(self, request: web.Request) -> web.Response:
        """Show the form that takes a manifest."""
        return web.Response(text=_FORM.format(owner=escape(self._owner(request).login)), content_type="text/html")

    async def submit(self, request: web.Request) -> web.Response:
        """Accept a manifest as if its owner had confirmed it, and send the browser back with a code."""
        form = await request.post()
        owner, now = self._owner(request), self._state.clock.now()
        try:
            manifest = _checked_manifest(form.get("manifest"))
            target = require_loopback_url(manifest["redirect_url"])
        except (ActionError, NotLoopbackError) as error:
            return web.Response(status=422, text=f"The manifest is refused: {error}")
        code = secrets.token_hex(20)
        self._waiting[code] = Registration(manifest=manifest, owner=owner, created_at=now)
        state = request.query.get("state") or form.get("state")
        return web.Response(status=302, headers={"Location": _with_query(target, code=code, state=state)})

    async def convert(self, request: web.Request) -> web.Response:
        """Answer `POST /app-manifests/{code}/conversions`: once, within an hour, and without any token."""
        registration = self._waiting.pop(request.match_info["code"], None)
        now = self._state.clock.now()
        if registration is None or now - registration.created_at > CODE_LIFE:
            raise not_found()
        # Making a key takes a tenth of a second of work.
        key = await asyncio.get_running_loop().run_in_executor(None, new_private_key)
        self._install(registration, key)
        body = shapes.application(self._state)
        app = self._state.app
        body |= {
            "client_secret": app.client_secret,
            "webhook_secret": self._state.hooks["app"].secret,
            "pem": app.private_key_pem,
        }
        return web.json_response(body, status=201)

    def _install(self, registration: Registration, private_key_pem: str) -> None:
        """Put a new App in the place of the one before."""
        manifest, now = registration.manifest, self._state.clock.now()
        number = self._state.next_id("app")
        name = str(manifest.get("name") or f"App {number}")
        self._state.replace_app(
            AppRegistration(
                id=number,
                client_id=f"Iv23li{number:014d}",
                client_secret=secrets.token_hex(20),
                slug=_slug(name) or f"app-{number}",
                name=name,
                description=manifest.get("description"),
                external_url=str(manifest["url"]),
                owner=registration.owner,
                permissions=dict(manifest.get("default_permissions", {})),
                events=list(manifest.get("default_events", [])),
                private_key_pem=private_key_pem,
                created_at=now,
                updated_at=now,
            )
        )
        hook, attributes = self._state.hooks["app"], manifest.get("hook_attributes", {})
        hook.url, hook.active = attributes.get("url"), bool(attributes.get("active", True))
        if hook.url is not None:
            self._courier.emit("app", "ping", payloads.ping_event(self._state, hook))

    def _owner(self, request: web.Request) -> Account:
        """Return for whom the App is registered."""
        login = request.match_info.get("organization")
        owner = self._state.app.owner if login is None else self._state.find_login(login)
        if owner is None:
            raise web.HTTPNotFound(text="There is no such organization.")
        return owner


def _checked_manifest(text: object) -> Json:
    """Return a manifest as GitHub would accept it.

    Raises:
        ActionError: It isn't JSON, or a field that GitHub asks for is missing or wrong.
    """
    try:
        manifest = json.loads(text) if isinstance(text, str) else None
    except ValueError as error:
        raise ActionError("it isn't JSON") from error
    if not isinstance(manifest, dict):
        raise ActionError("it isn't a JSON object")
    for field in ("url", "redirect_url"):
        if not isinstance(manifest.get(field), str):
            raise ActionError(f"{field!r} is required")
    attributes = manifest.get("hook_attributes", {})
    if not isinstance(attributes, dict) or "secret" in attributes:
        raise ActionError("'hook_attributes' takes 'url' and 'active' only: GitHub makes the secret")
    if attributes and not isinstance(attributes.get("url"), str):
        raise ActionError("'hook_attributes.url' is required")
    unwanted = SELF_EVIDENT_EVENTS.intersection(manifest.get("default_events", []))
    if unwanted:
        raise ActionError(f"Default events unsupported: {', '.join(sorted(unwanted))}")
    return manifest


def _slug(name: str) -> str:
    """Return a name as it stands in addresses, and in the login of the App's bot."""
    return re.sub("[^a-z0-9]+", "-", name.lower())[:LONGEST_LOGIN].strip("-")


def _with_query(url: str, *, code: str, state: object) -> str:
    """Return an address with the code, and the state if there is one, added to its query."""
    parts = urlsplit(url)
    query = [*parse_qsl(parts.query, keep_blank_values=True), ("code", code)]
    if isinstance(state, str):
        query.append(("state", state))
    return urlunsplit(parts._replace(query=urlencode(query)))

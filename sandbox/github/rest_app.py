"""REST routes of the App: itself, its hook, its installations and their tokens."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from sandbox.github import shapes, shapes_repository
from sandbox.github.actors import InstallationActors
from sandbox.github.errors import ApiError, not_found
from sandbox.github.keys import InstallationToken, check_app_token
from sandbox.github.model import HookDelivery, Installation
from sandbox.github.rest_paging import page_of, page_size
from sandbox.github.state import GitHubState

Json = dict[str, Any]
DELIVERY_LOG_LIFE = timedelta(days=3)
"""How long deliveries can be listed (GitHub documentation, "Viewing webhook deliveries")."""


def bearer(request: web.Request) -> str:
    """Return the token of a request.

    Raises:
        ApiError: 401; there is none.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() not in {"bearer", "token"} or not token.strip():
        raise ApiError(401, "Requires authentication")
    return token.strip()


def require_app(request: web.Request, state: GitHubState) -> None:
    """Let only the App itself pass, by its signed token.

    Raises:
        ApiError: 401.
    """
    check_app_token(bearer(request), app=state.app, now=state.clock.now())


def require_installation(request: web.Request, state: GitHubState) -> InstallationToken:
    """Let only an installation pass, by its token.

    Raises:
        ApiError: 401 or 403.
    """
    return state.tokens.check(bearer(request), now=state.clock.now())


async def json_body(request: web.Request) -> Json:
    """Return a request's JSON object; an absent body is an empty one.

    Raises:
        ApiError: 400; it is something else.
    """
    raw = await request.read()
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise ApiError(400, "Problems parsing JSON") from error
    if not isinstance(body, dict):
        raise ApiError(400, "Body should be a JSON object")
    return body


class AppRoutes:
    """What `/app` and the tokens answer."""

    def __init__(self, state: GitHubState, actors: InstallationActors) -> None:
        """Remember the state and who acts on it."""
        self._state = state
        self._actors = actors

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        number = r"{id:\d+}"
        app.add_routes(
            [
                web.get("/app", self.get_app),
                web.get("/app/hook/config", self.get_hook),
                web.patch("/app/hook/config", self.update_hook),
                web.get("/app/hook/deliveries", self.list_deliveries),
                web.get(f"/app/hook/deliveries/{number}", self.get_delivery),
                web.post(f"/app/hook/deliveries/{number}/attempts", self.redeliver),
                web.get("/app/installations", self.list_installations),
                web.get(f"/app/installations/{number}", self.get_installation),
                web.delete(f"/app/installations/{number}", self.delete_installation),
                web.post(f"/app/installations/{number}/access_tokens", self.create_token),
                web.put(f"/app/installations/{number}/suspended", self.suspend),
                web.delete(f"/app/installations/{number}/suspended", self.unsuspend),
                web.get("/installation/repositories", self.list_repositories),
            ]
        )

    async def get_app(self, request: web.Request) -> web.Response:
        """Answer `GET /app`."""
        require_app(request, self._state)
        return web.json_response(shapes.application(self._state))

    async def get_hook(self, request: web.Request) -> web.Response:
        """Answer `GET /app/hook/config`."""
        require_app(request, self._state)
        return web.json_response(shapes.hook_config(self._state.hooks["app"]))

    async def update_hook(self, request: web.Request) -> web.Response:
        """Answer `PATCH /app/hook/config`."""
        require_app(request, self._state)
        body, hook = await json_body(request), self._state.hooks["app"]
        if body.get("content_type", hook.content_type) not in {"json", "form"}:
            raise ApiError(
                422, "Validation Failed", errors=[{"resource": "Hook", "field": "content_type", "code": "invalid"}]
            )
        url = body.get("url", hook.url)
        if url is not None and urlsplit(str(url)).hostname is None:
            raise ApiError(422, "Validation Failed", errors=[{"resource": "Hook", "field": "url", "code": "invalid"}])
        hook.url = url
        hook.content_type = body.get("content_type", hook.content_type)
        hook.insecure_ssl = str(body.get("insecure_ssl", hook.insecure_ssl))
        hook.secret = body.get("secret", hook.secret)
        self._state.changed()
        return web.json_response(shapes.hook_config(hook))

    async def list_deliveries(self, request: web.Request) -> web.Response:
        """Answer `GET /app/hook/deliveries`, newest first, by cursor."""
        require_app(request, self._state)
        known = self._listed()[::-1]
        status, cursor = request.query.get("status"), request.query.get("cursor")
        if status is not None:
            # An attempt without an answer has status 0 and is in neither list.
            low, high = (200, 400) if status == "success" else (400, 600)
            known = [delivery for delivery in known if low <= delivery.status_code < high]
        if cursor is not None:
            before = int(cursor.removeprefix("v1_")) if cursor.removeprefix("v1_").isdigit() else 0
            known = [delivery for delivery in known if delivery.id < before]
        size = page_size(request.query)
        page, headers = known[:size], {}
        if len(known) > size:
            more = f"&status={status}" if status else ""
            link = f"{self._state.api_url}/app/hook/deliveries?per_page={size}&cursor=v1_{page[-1].id}{more}"
            headers["Link"] = f'<{link}>; rel="next"'
        return web.json_response([shapes.delivery_item(delivery) for delivery in page], headers=headers)

    async def get_delivery(self, request: web.Request) -> web.Response:
        """Answer `GET /app/hook/deliveries/{id}`."""
        require_app(request, self._state)
        delivery = self._delivery(request)
        return web.json_response(shapes.delivery_detail(delivery))

    async def redeliver(self, request: web.Request) -> web.Response:
        """Answer `POST /app/hook/deliveries/{id}/attempts`."""
        require_app(request, self._state)
        self._actors.courier.redeliver("app", self._delivery(request).id)
        return web.json_response({}, status=202)

    async def list_installations(self, request: web.Request) -> web.Response:
        """Answer `GET /app/installations`."""
        require_app(request, self._state)
        page, headers = page_of(request, self._state, self._state.live_installations(), path="/app/installations")
        return web.json_response([shapes.installation(self._state, installed) for installed in page], headers=headers)

    async def get_installation(self, request: web.Request) -> web.Response:
        """Answer `GET /app/installations/{id}`."""
        require_app(request, self._state)
        return web.json_response(shapes.installation(self._state, self._installation(request)))

    async def delete_installation(self, request: web.Request) -> web.Response:
        """Answer `DELETE /app/installations/{id}`."""
        require_app(request, self._state)
        self._actors.uninstall(self._installation(request).account)
        return web.Response(status=204)

    async def create_token(self, request: web.Request) -> web.Response:
        """Answer `POST /app/installations/{id}/access_tokens`."""
        require_app(request, self._state)
        installed, body = self._installation(request), await json_body(request)
        if installed.suspended_at is not None:
            raise ApiError(403, "This installation has been suspended")
        wanted: dict[str, str] = body.get("permissions", installed.permissions)
        for name, level in wanted.items():
            if installed.permissions.get(name) not in {level, "write", "admin"}:
                raise ApiError(422, "The permissions requested are not granted to this installation.")
        chosen = self._chosen_repositories(installed, body)
        token = self._state.tokens.mint(
            self._state.app, installed, now=self._state.clock.now(), permissions=wanted, repository_ids=chosen
        )
        return web.json_response(shapes_repository.access_token(self._state, token), status=201)

    async def suspend(self, request: web.Request) -> web.Response:
        """Answer `PUT /app/installations/{id}/suspended`."""
        require_app(request, self._state)
        installed = self._installation(request)
        if installed.suspended_at is None:
            self._actors.suspend(installed.account)
        return web.Response(status=204)

    async def unsuspend(self, request: web.Request) -> web.Response:
        """Answer `DELETE /app/installations/{id}/suspended`."""
        require_app(request, self._state)
        installed = self._installation(request)
        if installed.suspended_at is not None:
            self._actors.unsuspend(installed.account)
        return web.Response(status=204)

    async def list_repositories(self, request: web.Request) -> web.Response:
        """Answer `GET /installation/repositories`."""
        token = require_installation(request, self._state)
        installed = token.installation
        visible = [
            known
            for known in installed.repositories
            if token.repository_ids is None or known.id in token.repository_ids
        ]
        page, headers = page_of(request, self._state, visible, path="/installation/repositories")
        body = {
            "total_count": len(visible),
            "repository_selection": installed.repository_selection,
            "repositories": [shapes_repository.repository(self._state, known) for known in page],
        }
        return web.json_response(body, headers=headers)

    def _chosen_repositories(self, installed: Installation, body: Json) -> tuple[int, ...] | None:
        """Return the ids a token is narrowed to, or `None`."""
        if "repository_ids" not in body and "repositories" not in body:
            return None
        ids, names = set(body.get("repository_ids", [])), set(body.get("repositories", []))
        chosen = [known for known in installed.repositories if known.id in ids or known.name in names]
        if len(chosen) != len(ids) + len(names):
            raise ApiError(
                422,
                "There is at least one repository that does not exist or is not accessible to the parent installation.",
            )
        return tuple(known.id for known in chosen)

    def _installation(self, request: web.Request) -> Installation:
        """Return the installation a path names."""
        found = self._state.installations.get(int(request.match_info["id"]))
        if found is None or found.deleted_at is not None:
            raise not_found()
        return found

    def _listed(self) -> list[HookDelivery]:
        """Return the App hook's deliveries that are still kept."""
        oldest = self._state.clock.now() - DELIVERY_LOG_LIFE
        return [delivery for delivery in self._state.deliveries["app"] if delivery.delivered_at >= oldest]

    def _delivery(self, request: web.Request) -> HookDelivery:
        """Return the delivery a path names."""
        wanted = int(request.match_info["id"])
        for delivery in self._listed():
            if delivery.id == wanted:
                return delivery
        raise not_found()

"""The sandbox's own addresses, by which a page or a script acts on the stand-in: plain JSON under `/_sandbox`."""

import datetime as dt
from typing import Any, Literal

import msgspec
from aiohttp import web

from sandbox.github import shapes
from sandbox.github.control import ACTS, Command, read_command, what_came_of_it
from sandbox.github.errors import ActionError
from sandbox.github.model import Repository, Thread
from sandbox.github.rest_faults import RestFault
from sandbox.github.state import GitHubState
from sandbox.github.variants import VARIANTS
from sandbox.github.webhook_faults import WebhookFault
from sandbox.github.world import World

Json = dict[str, Any]
_MOST_DELIVERIES_SHOWN = 100


class MoveClock(Command, kw_only=True):
    """Move the clock by so many seconds, or to a moment."""

    seconds: float | None = None
    to: dt.datetime | None = None


class AddRestFault(Command, kw_only=True):
    """Switch on a fault of the REST API; fields as in `RestFault`."""

    kind: Literal[
        "status",
        "slow",
        "lost_answer",
        "lands_late",
        "dropped",
        "garbled",
        "secondary_limit",
        "redirect",
        "young_token",
        "exhausted",
    ]
    method: str = "*"
    path: str = "*"
    times: int | None = 1
    status: int = 502
    seconds: float = 0.0
    retry_after_seconds: int | None = None
    location: str = ""


class AddWebhookFault(Command, kw_only=True):
    """Switch on a fault of webhooks; fields as in `WebhookFault`."""

    effect: Literal["duplicate", "hold", "late", "lose", "fail"]
    event: str = "*"
    action: str = "*"
    times: int | None = 1
    copies: int = 2
    seconds: float = 60.0


class AlterWebhooks(Command, kw_only=True):
    """Send webhooks with an unusual body: one of `variants.VARIANTS`."""

    variant: str
    event: str = "*"
    action: str = "*"
    times: int | None = 1


class Release(Command, kw_only=True):
    """Send what was held."""

    reverse: bool = False
    shuffle: bool = False


class Redeliver(Command, kw_only=True):
    """Send a logged delivery again."""

    hook: Literal["app", "marketplace"]
    id: int


def _repository(state: GitHubState, known: Repository) -> Json:
    """Return a repository at a glance, with who may do what there."""
    return {
        "id": known.id,
        "full_name": known.full_name,
        "private": known.private,
        "archived": known.archived,
        "roles": {state.account(person).login: role for person, role in known.roles.items()},
    }


def _thread(thread: Thread) -> Json:
    """Return an issue or pull request at a glance, with all that was written."""
    return {
        "thread": thread.name,
        "title": thread.title,
        "body": thread.body,
        "author": thread.author.login,
        "pull_request": thread.is_pull_request,
        "locked": thread.locked,
        "created_at": shapes.rest_time(thread.created_at),
        "comments": [
            {
                "id": comment.id,
                "author": comment.author.login,
                "body": comment.body,
                "via_app": comment.via_app,
                "created_at": shapes.rest_time(comment.created_at),
                "updated_at": shapes.rest_time(comment.updated_at),
                "reactions": [[reaction.author.login, reaction.content] for reaction in comment.reactions],
            }
            for comment in thread.comments
        ],
    }


class ControlRoutes:
    """The addresses under `/_sandbox`. Answers are JSON; what can't be done is a `409` that says why."""

    def __init__(self, github: World) -> None:
        """Remember whom to act on."""
        self._github = github

    def register(self, app: web.Application) -> None:
        """Add the routes."""
        app.add_routes(
            [
                web.get("/_sandbox/state", self.show_state),
                web.post("/_sandbox/act/{name}", self.act),
                web.post("/_sandbox/clock", self.move_clock),
                web.post("/_sandbox/faults/rest", self.add_rest_fault),
                web.post("/_sandbox/faults/webhooks", self.add_webhook_fault),
                web.post("/_sandbox/faults/variants", self.alter_webhooks),
                web.delete("/_sandbox/faults", self.clear_faults),
                web.post("/_sandbox/webhooks/release", self.release),
                web.post("/_sandbox/webhooks/redeliver", self.redeliver),
                web.post("/_sandbox/webhooks/settle", self.settle),
            ]
        )

    async def show_state(self, _request: web.Request) -> web.Response:
        """Show everything at a glance."""
        self._github.catch_up()
        state = self._github.state
        return web.json_response(
            {
                "now": self._github.clock.now().isoformat(),
                "version": state.version,
                "accounts": [shapes.simple_user(state, account) for account in state.accounts.values()],
                "bots": [shapes.simple_user(state, bot) for bot in state.bots.values()],
                "repositories": [_repository(state, known) for known in state.repositories.values()],
                "threads": [_thread(thread) for thread in state.threads()],
                "installations": [shapes.installation(state, installed) for installed in state.live_installations()],
                "plans": [shapes.plan(state, plan) for plan in state.plans.values()],
                "purchases": [shapes.purchase(state, purchase) for purchase in state.purchases.values()],
                "webhooks": {"waiting": self._github.courier.waiting, "held": len(self._github.courier.held)},
                "deliveries": {
                    hook: [shapes.delivery_item(delivery) for delivery in deliveries[-_MOST_DELIVERIES_SHOWN:]]
                    for hook, deliveries in state.deliveries.items()
                },
            }
        )

    async def act(self, request: web.Request) -> web.Response:
        """Do what a person would do at GitHub, and tell the ids of what came of it."""
        name = request.match_info["name"]
        kind = ACTS.get(name)
        if kind is None:
            raise web.HTTPNotFound(text=f"There is no act {name!r}; there are: {', '.join(ACTS)}.\n")
        command = await read_command(request, kind)
        try:
            made = getattr(self._github, name)(**msgspec.structs.asdict(command))
        except ActionError as error:
            return web.json_response({"error": str(error)}, status=409)
        return web.json_response({"version": self._github.state.version, **what_came_of_it(made)})

    async def move_clock(self, request: web.Request) -> web.Response:
        """Move the clock forward."""
        command: MoveClock = await read_command(request, MoveClock)
        try:
            if command.to is not None:
                self._github.clock.set(command.to)
            if command.seconds is not None:
                self._github.clock.advance(seconds=command.seconds)
        except (ValueError, OverflowError) as error:
            return web.json_response({"error": str(error)}, status=409)
        self._github.catch_up()
        return web.json_response({"now": self._github.clock.now().isoformat()})

    async def add_rest_fault(self, request: web.Request) -> web.Response:
        """Switch on a fault of the REST API."""
        command: AddRestFault = await read_command(request, AddRestFault)
        match command.kind:
            case "young_token":
                self._github.state.tokens.refuse_young(1 if command.times is None else command.times)
            case "exhausted":
                self._github.faults.exhaust(now=self._github.clock.now(), seconds=command.seconds)
            case _:
                self._github.faults.rules.append(RestFault(**msgspec.structs.asdict(command)))
        self._github.state.changed()
        return web.json_response({})

    async def add_webhook_fault(self, request: web.Request) -> web.Response:
        """Switch on a fault of webhooks."""
        command: AddWebhookFault = await read_command(request, AddWebhookFault)
        self._github.webhook_faults.rules.append(WebhookFault(**msgspec.structs.asdict(command)))
        self._github.state.changed()
        return web.json_response({})

    async def alter_webhooks(self, request: web.Request) -> web.Response:
        """Send webhooks with an unusual body."""
        command: AlterWebhooks = await read_command(request, AlterWebhooks)
        alter = VARIANTS.get(command.variant)
        if alter is None:
            return web.json_response({"error": f"there are: {', '.join(VARIANTS)}"}, status=409)
        self._github.webhook_faults.alter(alter, event=command.event, action=command.action, times=command.times)
        return web.json_response({})

    async def clear_faults(self, _request: web.Request) -> web.Response:
        """Switch all faults off."""
        self._github.faults.clear()
        self._github.webhook_faults.clear()
        self._github.state.changed()
        return web.json_response({})

    async def release(self, request: web.Request) -> web.Response:
        """Send what was held."""
        command: Release = await read_command(request, Release)
        return web.json_response(
            {"released": self._github.courier.release(reverse=command.reverse, shuffle=command.shuffle)}
        )

    async def redeliver(self, request: web.Request) -> web.Response:
        """Send a logged delivery again; for the listing's hook this is the only way, as at GitHub."""
        command: Redeliver = await read_command(request, Redeliver)
        try:
            self._github.courier.redeliver(command.hook, command.id)
        except ActionError as error:
            return web.json_response({"error": str(error)}, status=409)
        return web.json_response({})

    async def settle(self, _request: web.Request) -> web.Response:
        """Answer once every webhook that is due was answered."""
        await self._github.settle()
        return web.json_response({"version": self._github.state.version})

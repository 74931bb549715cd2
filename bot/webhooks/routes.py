"""The addresses of the webhooks."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from bot.webhooks.reading import expect_nothing_yet
from bot.webhooks.receiving import DeliveryReceiver
from bot.webhooks.verify import Hook

PATHS: Final[Mapping[Hook, str]] = {
    Hook.APP: "/webhooks/github",
    Hook.MARKETPLACE: "/webhooks/github/marketplace",
}


def add_webhooks(app: web.Application, receivers: Mapping[Hook, DeliveryReceiver]) -> None:
    """Let each receiver answer at its address, whatever the method: it says what is wrong with another one itself."""
    for hook, receiver in receivers.items():
        app.router.add_route("*", PATHS[hook], receiver.receive, expect_handler=expect_nothing_yet)

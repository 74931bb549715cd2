"""Where a delivery belongs, as this server sees it: by its settings, and by the name that the App has just now."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from bot.github.identity import AppIdentity
from handlers.routing import Routed, RoutingRules, route
from handlers.tolerant import JsonText

COMMENT_EVENT: Final = "issue_comment"


class DeliveryRouter:
    """Says where deliveries belong (`bot.webhooks.preparing.Route`). May be called from any thread.

    Args:
        identity: tells who the App is; asked anew each time, since the server is wired before it may speak to GitHub.
    """

    def __init__(
        self, *, marketplace: bool, app_id: int, slash_words: frozenset[str], identity: Callable[[], AppIdentity]
    ) -> None:
        self._identity = identity
        self._rules = RoutingRules(
            marketplace=marketplace, app_id=app_id, slug=lambda: identity().slug, slash_words=slash_words
        )
        self._rules_of_anybody = replace(self._rules, slug=lambda: None)

    def __call__(self, event: str, action: str | None, body: JsonText) -> Routed | None:
        """The delivery's partition; None for what no handler can care for.

        A comment that asks somebody else what we could be asked isn't kept. But perhaps it is us, by a name that the
        App has had since a short while ago: GitHub is asked for that, at most once a minute, and what comes until it
        has answered is kept for the handler to decide.
        """
        routed = route(event, action, body, rules=self._rules)
        if routed is not None or event != COMMENT_EVENT or not self._identity().can_be_doubted:
            return routed
        doubtful = route(event, action, body, rules=self._rules_of_anybody)
        if doubtful is not None:
            self._identity().doubt()
        return doubtful

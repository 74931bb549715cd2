"""Which deliveries can matter, which of them exclude each other, and who handles them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from gidgethub.routing import Router

from billing.values import EPOCH
from handlers import comments, installation, marketplace
from handlers.comment_payload import IssueComment
from handlers.comment_text import ANSWER_MARK, might_command
from handlers.payloads import InstallationChange, MarketplacePurchase
from handlers.tolerant import JsonText

router: Final = Router(marketplace.router, installation.router, comments.router)
"""Every handler. One at most for an event and action: gidgethub runs several in an undefined order."""

_without_marketplace: Final = Router(installation.router, comments.router)

INSTALLATION_EVENTS: Final = frozenset({"installation", "installation_repositories", "installation_target"})

UNKNOWN_PARTITION: Final = "github:unknown"
"""Of deliveries that name neither an account nor an installation; they end ignored, one after another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed:
    """A delivery that has to be recorded. Deliveries of one partition are handled one at a time."""

    partition: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingRules:
    """What decides beside the delivery itself.

    Attributes:
        marketplace: whether there is a Marketplace to ask, which GitHub Enterprise Server has not.
        app_id: our App's id at GitHub, by which our own comments are known.
        slug: tells the App's slug, by which it is mentioned; None as long as GitHub hasn't told it.
        slash_words: the words that are commands by themselves behind a slash.
    """

    marketplace: bool
    app_id: int
    slug: Callable[[], str | None]
    slash_words: frozenset[str]


def router_for(*, marketplace: bool) -> Router:
    """The handlers to use. Without a Marketplace, a purchase has nobody who could confirm it."""
    return router if marketplace else _without_marketplace


def route(event: str, action: str | None, body: JsonText, *, rules: RoutingRules) -> Routed | None:
    """Tell whether a delivery can matter, and its partition; None for what needn't be recorded.

    An action that no handler has is recorded all the same if the event is one of ours: it will be shown as ignored. An
    event of ours without any action is nothing that GitHub sends. Of comments only those are recorded that may ask us
    something: the others are other people's conversations.

    Args:
        event: The event's name, from the header.
        action: The payload's `action`; None if it has none.
        body: The payload as JSON text.
        rules: What decides beside the delivery.
    """
    if action is None:
        return None
    if event == "marketplace_purchase" and rules.marketplace:
        account = MarketplacePurchase.parse(body).account
        return Routed(partition=UNKNOWN_PARTITION if account is None else f"github:{account.id}")
    if event in INSTALLATION_EVENTS:
        return Routed(partition=_partition(InstallationChange.parse(body)))
    if event == "issue_comment" and action == "created":
        return _thread(IssueComment.parse(body), rules)
    return None


def _thread(comment: IssueComment, rules: RoutingRules) -> Routed | None:
    """Name the thread, so that its comments are answered one at a time; None if the comment can't be for us.

    Each of the guards against talking to ourselves and to other programs would do; loops have been seen in the wild
    where there was one.
    """
    # Nothing is asked yet: this tells where it would be.
    question = comment.question((), received_at=EPOCH)
    is_ours = comment.app_id == rules.app_id or ANSWER_MARK in comment.text
    if question is None or comment.author is None or is_ours:
        return None
    if not might_command(comment.text, rules.slug(), rules.slash_words):
        return None
    return Routed(partition=f"github:thread:{question.repository_id}:{question.number}")


def _partition(change: InstallationChange) -> str:
    """Name the account where it is known, so that what concerns one customer is handled one at a time."""
    if change.known_account is not None:
        return f"github:{change.known_account.id}"
    if change.installation_id is not None:
        return f"github:installation:{change.installation_id}"
    return UNKNOWN_PARTITION

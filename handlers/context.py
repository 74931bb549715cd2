"""What a handler gets: the event, and the context with the read-backs and billing.

The read-backs return values, None for what GitHub says doesn't exist, or raise `TemporaryFailureError`. Everything else
that GitHub answers (401, 403, 429, 5xx, nonsense) means "unknown", never "none". Where GitHub lets us do nothing at all
they raise `CannotActError`.
"""

from dataclasses import dataclass
from typing import Protocol

from gidgethub import sansio

from billing.commands import (
    Cause,
    Command,
    InstallationTruth,
    MarketplaceTruth,
    Outcome,
)
from billing.values import GitHubAccountId, InstallationId, Permission


class Event(sansio.Event):
    """A recorded delivery on its way to its handler.

    `data` holds just what gidgethub's router looks at (`action`); handlers parse `body`, the JSON text, into typed
    models.
    """

    def __init__(self, *, event: str, action: str | None, delivery_id: str, body: bytes, cause: Cause) -> None:
        super().__init__({} if action is None else {"action": action}, event=event, delivery_id=delivery_id)
        self.body = body
        self.cause = cause


class GitHub(Protocol):
    """What is asked of GitHub."""

    async def marketplace_account(self, account_id: GitHubAccountId) -> MarketplaceTruth | None:
        """The account's purchase; None only when GitHub confirmed that there is none.

        A `404` counts as confirmed only if the listing's plans can be read right after and name a plan of the
        catalogue.
        """
        ...

    async def installation(self, installation_id: InstallationId) -> InstallationTruth | None:
        """The installation; None when GitHub says it doesn't exist (any more)."""
        ...

    async def permission(
        self, installation_id: InstallationId, *, owner: str, repository: str, user_id: GitHubAccountId, login: str
    ) -> Permission:
        """What this user may do in the repository; NONE for whoever has no part in it.

        GitHub is asked by login. Logins get reused, so an answer about another user's id counts as NONE.

        Raises:
            CannotActError: when the installation was suspended or is gone.
        """
        ...

    async def app_slug(self) -> str:
        """The App's own slug, by which it is mentioned."""
        ...


class Billing(Protocol):
    """Where commands go."""

    async def handle(self, command: Command) -> Outcome:
        """Carry out the command in one transaction and return what became of it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """A handler's surroundings.

    Attributes:
        slash_words: the words that are commands by themselves behind a slash; other bots may own the rest.
    """

    github: GitHub
    billing: Billing
    slash_words: frozenset[str]

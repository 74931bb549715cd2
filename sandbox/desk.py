"""What a person at the console may do at the product itself, besides acting at GitHub.

Whoever starts both implements it by the product's own commands.
"""

from typing import Protocol


class Desk(Protocol):
    """Acts on the product. Each act returns a sentence that says what came of it.

    An account is given by GitHub's id. What can't be done raises `sandbox.github.errors.ActionError`, whose text is
    shown as it is.
    """

    async def grant(self, account_id: int, credits: int) -> str:  # noqa: A002 -- the product's own word
        """Give an account this many credits, as an operator does out of goodwill."""

    async def spend(self, account_id: int, credits: int) -> str:  # noqa: A002 -- the product's own word
        """Spend this many of an account's credits, as the vendor's app does for its work."""

    async def hold(self, account_id: int, credits: int) -> str:  # noqa: A002 -- the product's own word
        """Set this many of an account's credits aside, as the vendor's app does before its work."""

    async def capture(self, account_id: int, hold_id: int) -> str:
        """Use what a hold holds, as the vendor's app does when its work is delivered."""

    async def release(self, account_id: int, hold_id: int) -> str:
        """Give back what a hold holds, as the vendor's app does when its work has failed."""

    async def show_figures(self, account_id: int, shown: bool) -> str:  # noqa: FBT001 -- the account's yes or no
        """Note whether an account wants its figures shown in public repositories."""

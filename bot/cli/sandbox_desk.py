"""What the sandbox's console may do at the product: by the same commands that everybody else uses."""

import secrets
from datetime import timedelta
from typing import Final

from billing.commands import (
    Applied,
    CaptureHold,
    GrantCredits,
    HoldCredits,
    KeyedCommand,
    Note,
    Refused,
    ReleaseHold,
    ShowFigures,
    SpendCredits,
)
from billing.decide.holds import USUAL
from billing.errors import BillingError, TemporaryFailureError
from billing.ports import Clock
from billing.service import BillingService
from billing.values import NEVER, Credits, CustomerId, GitHubAccountId, HoldId
from bot.cli.output import credits_in_words
from sandbox.github.errors import ActionError
from storage.database import Database

ACTOR: Final = "operator"
REFERENCE: Final = "sandbox"
KEY_BYTES: Final = 8
SALT_BYTES: Final = 16


class BillingDesk:
    """Grants, spends and chooses for customers; a `sandbox.desk.Desk`.

    Args:
        database: opened.
        billing: carries the commands out.
        clock: the one that the server goes by.
    """

    def __init__(self, database: Database, billing: BillingService, *, clock: Clock) -> None:
        self._database = database
        self._billing = billing
        self._clock = clock

    async def grant(self, account_id: int, credits: int) -> str:  # noqa: A002 -- the unit's own name
        """Give credits that never expire.

        Raises:
            ActionError: the account is no customer, or it is no amount.
        """
        note = Note(text="given at the sandbox's console", actor_name="console", salt=secrets.token_bytes(SALT_BYTES))
        await self._carry_out(
            GrantCredits(
                customer_id=await self._customer(account_id),
                amount=_amount(credits),
                expires_at=NEVER,
                key=_key(),
                actor=ACTOR,
                note=note,
            )
        )
        return f"{credits_in_words(credits)} given."

    async def spend(self, account_id: int, credits: int) -> str:  # noqa: A002 -- the unit's own name
        """Use credits, as a delivered fix does.

        Raises:
            ActionError: the account is no customer, it is no amount, or there aren't so many.
        """
        await self._carry_out(
            SpendCredits(
                customer_id=await self._customer(account_id),
                amount=_amount(credits),
                key=_key(),
                actor=ACTOR,
                reference=REFERENCE,
                occurred_at=self._clock.now(),
            )
        )
        return f"{credits_in_words(credits)} used."

    async def hold(self, account_id: int, credits: int) -> str:  # noqa: A002 -- the unit's own name
        """Set credits aside, as the vendor's app does before its work.

        Raises:
            ActionError: the account is no customer, it is no amount, or there aren't so many.
        """
        await self._carry_out(
            HoldCredits(
                customer_id=await self._customer(account_id),
                amount=_amount(credits),
                lasts=USUAL,
                key=_key(),
                actor=ACTOR,
                reference=REFERENCE,
            )
        )
        return f"{credits_in_words(credits)} held, for {USUAL // timedelta(hours=1)} hours at most."

    async def capture(self, account_id: int, hold_id: int) -> str:
        """Use all that a hold holds, as the vendor's app does when its work is delivered.

        Raises:
            ActionError: the account is no customer, or has no such hold, or it has ended.
        """
        customer_id = await self._customer(account_id)
        held = await self._database.reads.hold(HoldId(hold_id))
        amount = _amount(1 if held is None else held.units)
        await self._carry_out(
            CaptureHold(customer_id=customer_id, hold_id=HoldId(hold_id), amount=amount, key=_key(), actor=ACTOR)
        )
        return f"Hold {hold_id} captured: {credits_in_words(amount.count)} used."

    async def release(self, account_id: int, hold_id: int) -> str:
        """Give back all that a hold holds, as the vendor's app does when its work has failed.

        Raises:
            ActionError: the account is no customer, or has no such hold, or it has ended.
        """
        customer_id = await self._customer(account_id)
        await self._carry_out(ReleaseHold(customer_id=customer_id, hold_id=HoldId(hold_id), key=_key(), actor=ACTOR))
        return f"Hold {hold_id} released: its credits are back."

    async def show_figures(self, account_id: int, shown: bool) -> str:  # noqa: FBT001 -- the protocol's own shape
        """Choose whether figures are shown in the account's public repositories.

        Raises:
            ActionError: the account is no customer.
        """
        await self._carry_out(ShowFigures(customer_id=await self._customer(account_id), shown=shown))
        return "Figures are shown in public repositories." if shown else "Public repositories are told a word only."

    async def _customer(self, account_id: int) -> CustomerId:
        """Return the account's customer."""
        state = await self._database.reads.by_github_account(GitHubAccountId(account_id))
        if state is None:
            raise ActionError("Tallyhook doesn't know the account yet; install the App or buy a plan first")
        return state.customer.id

    async def _carry_out(self, command: KeyedCommand | ShowFigures) -> None:
        """Carry a command out.

        Raises:
            ActionError: it was refused, or can't be done just now.
        """
        try:
            outcome = await self._billing.handle(command)
        except TemporaryFailureError as error:
            raise ActionError(f"{error}; try again") from error
        match outcome:
            case Applied():
                return
            case Refused(error=refusal):
                raise ActionError(str(refusal)) from refusal
            case _:
                raise ActionError("nothing was done")


def _amount(count: int) -> Credits:
    """Return so many credits.

    Raises:
        ActionError: it is no amount.
    """
    try:
        return Credits(count)
    except BillingError as error:
        raise ActionError(str(error)) from error


def _key() -> str:
    """Return an idempotency key of its own: each press of a button is meant."""
    return f"{ACTOR}:{secrets.token_hex(KEY_BYTES)}"

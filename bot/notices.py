"""Telling the vendor what happened to a customer's credits: the vendor's own systems tell the customer.

A notice isn't an alarm: nobody has to look after it, it is told once, and nothing repeats it
(docs/decisions/0064-a-low-balance-is-told-once.md).
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from billing.errors import UnknownCustomerError
from billing.records import LowBalance
from billing.state import Customer
from bot.alerting import JSON_HEADERS, written
from bot.posting import Poster
from storage.effects import ClaimedEffect
from storage.low_balances import LOW_BALANCE_TOPIC, unpack_low_balance
from storage.reads import Reads

NOBODY: Final = "no ALERT_WEBHOOK_URL is set"


class NoticeSender:
    """Tells of low balances by `ALERT_WEBHOOK_URL`.

    Args:
        reads: Where whose balance it is is looked up.
        poster: Posts there; None if it isn't set.
    """

    def __init__(self, *, reads: Reads, poster: Poster | None) -> None:
        self._reads = reads
        self._poster = poster

    async def send(self, effect: ClaimedEffect) -> str:
        """Tell of one low balance; why nobody was told, if so.

        Raises:
            TemporaryFailureError: It couldn't be told now.
        """
        if self._poster is None:
            return NOBODY
        low_balance = unpack_low_balance(effect.payload)
        state = await self._reads.customer(low_balance.customer_id)
        if state is None:
            raise UnknownCustomerError(str(low_balance.customer_id))
        await self._poster.post(JSON_HEADERS, msgspec.json.encode(_document(low_balance, state.customer)))
        return ""


def _document(low_balance: LowBalance, customer: Customer) -> Mapping[str, object]:
    """What the webhook gets; chat services show `text`. By its `id` one that comes twice is told from two."""
    crossed = f"{low_balance.account_id}:{low_balance.threshold}:{low_balance.seq}"
    return {
        "id": f"{LOW_BALANCE_TOPIC}:{crossed}",
        "kind": LOW_BALANCE_TOPIC,
        "customer_id": customer.id,
        "github_account_id": customer.github_account_id,
        "github_login": customer.github_login or None,
        "balance": low_balance.balance,
        "threshold": low_balance.threshold,
        "entry": low_balance.seq,
        "at": written(low_balance.at),
        "text": f"Tallyhook: {_who(customer)} has {_left(low_balance.balance)} left.",
    }


def _who(customer: Customer) -> str:
    return customer.github_login or f"the GitHub account {customer.github_account_id}"


def _left(balance: int) -> str:
    if balance == 0:
        return "no credits"
    return "1 credit" if balance == 1 else f"{balance} credits"

"""Telling the vendor what happened to a customer's credits: the vendor's own systems tell the customer.

A notice isn't an alarm: nobody has to look after it, it is told once, and nothing repeats it
(docs/decisions/0064-a-low-balance-is-told-once.md).
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from billing.errors import UnknownCustomerError
from billing.state import Customer
from billing.values import CustomerId, from_milliseconds
from bot.alerting import JSON_HEADERS, written
from bot.posting import Poster
from storage.effects import ClaimedEffect
from storage.reads import Reads

NOBODY: Final = "no ALERT_WEBHOOK_URL is set"


class LowBalanceNotice(msgspec.Struct, frozen=True, kw_only=True):
    """A balance that crossed a threshold of its plan on the way down, the payload of an effect of this topic.

    Attributes:
        threshold, balance: In credits; the balance is what was left behind the entry `seq`.
        at: When it was booked, in milliseconds since 1970.
    """

    customer_id: int
    account_id: int
    threshold: int
    balance: int
    seq: int
    at: int

    @property
    def id(self) -> str:
        """What tells a notice that comes twice from two notices."""
        return f"low_balance:{self.account_id}:{self.threshold}:{self.seq}"


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
        notice = msgspec.json.decode(effect.payload, type=LowBalanceNotice)
        if self._poster is None:
            return NOBODY
        state = await self._reads.customer(CustomerId(notice.customer_id))
        if state is None:
            raise UnknownCustomerError(str(notice.customer_id))
        await self._poster.post(JSON_HEADERS, msgspec.json.encode(_document(notice, state.customer)))
        return ""


def _document(notice: LowBalanceNotice, customer: Customer) -> Mapping[str, object]:
    """What the webhook gets; chat services show `text`."""
    who = customer.github_login or f"GitHub account {customer.github_account_id}"
    left = "no credits" if notice.balance == 0 else f"{notice.balance} credit{'s' if notice.balance != 1 else ''}"
    return {
        "id": notice.id,
        "kind": "low_balance",
        "customer_id": notice.customer_id,
        "github_account_id": customer.github_account_id,
        "github_login": customer.github_login or None,
        "balance": notice.balance,
        "threshold": notice.threshold,
        "entry": f"{notice.customer_id}:{notice.seq}",
        "at": written(from_milliseconds(notice.at)),
        "text": f"Tallyhook: {who} has {left} left.",
    }

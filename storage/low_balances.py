"""Low balances as effects of the outbox: written in the commit that crosses the threshold, told of afterwards."""

import json
from datetime import datetime
from typing import Final

from billing.records import LowBalance
from billing.values import AccountId, CustomerId, from_milliseconds, to_milliseconds
from storage.effects import NewEffect

LOW_BALANCE_TOPIC: Final = "low_balance"


def low_balance_effect(low_balance: LowBalance, now: datetime) -> NewEffect:
    """The effect that tells of it: those of an account one after another, and each crossing once."""
    account_id = low_balance.account_id
    return NewEffect(
        topic=LOW_BALANCE_TOPIC,
        key=f"account:{account_id}",
        dedupe_key=f"{LOW_BALANCE_TOPIC}:{account_id}:{low_balance.threshold}:{low_balance.seq}",
        payload=pack_low_balance(low_balance),
        run_at=now,
    )


def pack_low_balance(low_balance: LowBalance) -> bytes:
    """The low balance as an effect carries it: JSON, so that people can look at it too."""
    return json.dumps(
        {
            "customer_id": low_balance.customer_id,
            "account_id": low_balance.account_id,
            "threshold": low_balance.threshold,
            "balance": low_balance.balance,
            "seq": low_balance.seq,
            "at": to_milliseconds(low_balance.at),
        }
    ).encode()


def unpack_low_balance(payload: bytes) -> LowBalance:
    """The low balance that an effect carries."""
    packed = json.loads(payload)
    return LowBalance(
        customer_id=CustomerId(packed["customer_id"]),
        account_id=AccountId(packed["account_id"]),
        threshold=packed["threshold"],
        balance=packed["balance"],
        seq=packed["seq"],
        at=from_milliseconds(packed["at"]),
    )

"""Holds, in words and for programs."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from billing.settled import settled
from billing.state import CustomerState, Hold
from billing.values import HoldState
from bot.cli.database import Session, with_database
from bot.cli.output import readable_time, rfc3339


def holds_of(reference: str, *, everything: bool, limit: int) -> Sequence[Hold]:
    """Return a customer's holds, the newest first: those that are open, or all that there ever were.

    One that has timed out is told so, whether that is booked or not.
    """
    state, now = with_database(lambda session: _whole(session, reference))
    shown = [hold for hold in settled(state, now).holds if everything or hold.state is HoldState.OPEN]
    return sorted(shown, key=lambda hold: hold.id, reverse=True)[:limit]


async def _whole(session: Session, reference: str) -> tuple[CustomerState, datetime]:
    """Return a customer with all holds, and the moment."""
    return await session.whole_customer(reference), session.clock.now()


def hold_in_words(hold: Hold) -> str:
    """Tell what a hold holds, for what, and until when."""
    parts = [
        f"{count} {word}"
        for count, word in (
            (hold.credits, "held"),
            (hold.paid_units, f"to be charged at {hold.price_cents / 100:.2f} each"),
            (hold.waived_units, "for nothing, as billing was off"),
        )
        if count
    ]
    about = f", for {hold.reference}" if hold.reference else ""
    until = readable_time(hold.expires_at)
    return f"hold {hold.id}, {readable_time(hold.made_at)}{about}: {', '.join(parts)}, until {until}"


def hold_record(hold: Hold) -> dict[str, Any]:
    """Return a hold for programs."""
    return {
        "id": hold.id,
        "state": hold.state.value,
        "credits": hold.credits,
        "paid_units": hold.paid_units,
        "price_cents": hold.price_cents,
        "waived_units": hold.waived_units,
        "captured": hold.captured,
        "reference": hold.reference or None,
        "made_at": rfc3339(hold.made_at),
        "expires_at": rfc3339(hold.expires_at),
    }

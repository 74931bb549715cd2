"""What is stored, and what the model has, in the same words."""

from collections.abc import Mapping
from typing import Any, Final

from billing.values import HoldId
from tests.ledger.model import Line, Model
from tests.ledger.witness import Stored

PERIODIC: Final = frozenset({"plan", "rollover", "timeout"})
"""Keys of the ledger's own entries that say more than the model knows."""


def stored_line(entry: dict[str, Any], numbers: Mapping[HoldId, int], stored: Stored) -> dict[str, Any]:
    """An entry as it is stored. `numbers` are the model's for the program's holds."""
    key = entry["idempotency_key"]
    return {
        "seq": entry["seq"],
        "kind": entry["kind"],
        "moves": stored.moves.get(entry["seq"], []),
        "occurred": entry["occurred_at"],
        "booked": entry["recorded_at"],
        # Our own keys name the program's holds and periods.
        "key": key.partition(":")[0] if key.partition(":")[0] in PERIODIC else key,
        "hold": numbers.get(entry["hold_id"], 0),
        "reverses": entry["reverses"],
        "posted": entry["balance_after"],
        "held": entry["held_after"],
        "debt": entry["debt_after"],
        "change": entry["amount"],
    }


def model_line(model: Model, line: Line) -> dict[str, Any]:
    """The model's entry."""
    before = model.journal[line.seq - 2].posted if line.seq > 1 else 0
    names = ("seq", "kind", "moves", "occurred", "booked", "hold", "reverses", "posted", "held", "debt")
    key = line.key.partition(":")[0] if line.key.partition(":")[0] in PERIODIC else line.key
    return {name: getattr(line, name) for name in names} | {"key": key, "change": line.posted - before}


def stored_grant(row: dict[str, Any]) -> dict[str, Any]:
    """A grant as it is stored, but for what the model knows nothing of."""
    return {name: value for name, value in row.items() if name not in ("account_id", "provider", "period_starts_at")}


def stored_hold(row: dict[str, Any], numbers: Mapping[HoldId, int], stored: Stored) -> dict[str, Any]:
    """A hold as it is stored."""
    kept = {name: value for name, value in row.items() if name not in ("id", "account_id", "reference")}
    return kept | {"number": numbers[row["id"]], "shares": stored.shares.get(row["id"], [])}

"""What is stored, seen with plain SQL through the bare drivers and without the program's own reading."""

import json
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from billing.values import AccountId, CustomerId
from storage.engines import is_sqlite, parse_url, sqlite_path
from storage.low_balances import unpack_low_balance
from tests.ledger.model import Move

Row = dict[str, Any]

SELECTS: Final = {
    "accounts": "SELECT * FROM credit_accounts WHERE id = :account_id",
    "grants": "SELECT * FROM credit_grants WHERE account_id = :account_id ORDER BY number",
    "holds": "SELECT * FROM credit_holds WHERE account_id = :account_id ORDER BY id",
    "shares": (
        "SELECT hold_shares.* FROM hold_shares JOIN credit_holds ON credit_holds.id = hold_shares.hold_id "
        "WHERE account_id = :account_id ORDER BY hold_id, line"
    ),
    "charges": "SELECT * FROM charges WHERE account_id = :account_id ORDER BY seq, hold_id, number",
    "entries": "SELECT * FROM credit_transactions WHERE account_id = :account_id AND seq > :seen ORDER BY seq",
    "moves": "SELECT * FROM credit_moves WHERE account_id = :account_id AND seq > :seen ORDER BY seq, line",
    "effects": (
        "SELECT payload FROM effects WHERE topic = 'low_balance' AND key = 'account:' || :account_id ORDER BY id"
    ),
}

ACCOUNT_OF: Final = {"accounts": "SELECT id FROM credit_accounts WHERE customer_id = :customer_id"}


@dataclass(kw_only=True)
class Stored:
    """What the database holds of one account. Entries come with their moves, only those not seen before."""

    account: Row
    grants: list[Row]
    holds: list[Row]
    shares: dict[int, list[tuple[int, int]]]
    charges: list[Row]
    entries: list[Row]
    moves: dict[int, list[Move]]
    alerts: list[tuple[int, int, int]]


class Witness:
    """Looks at what is stored. Each look sees one state of the database.

    A simulation looks after each of its steps, so a look has to cost little: PostgreSQL answers all of it in one
    statement, and a SQLite file is read in passing, without handing it to another thread and back.
    """

    def __init__(self, url: str) -> None:
        self._url = parse_url(url)
        self._file: sqlite3.Connection | None = None
        self._server: asyncpg.Connection | None = None

    async def close(self) -> None:
        """Let go of the database."""
        if self._file is not None:
            self._file.close()
        if self._server is not None:
            await self._server.close()

    async def account_of(self, customer_id: CustomerId) -> AccountId:
        """The customer's credit account."""
        seen = await self._see(ACCOUNT_OF, {"customer_id": customer_id})
        return AccountId(seen["accounts"][0]["id"])

    async def look(self, account_id: AccountId, seen: int) -> Stored:
        """Everything of an account at one moment; of its journal what comes after `seen`."""
        rows = await self._see(SELECTS, {"account_id": account_id, "seen": seen})
        shares: dict[int, list[tuple[int, int]]] = {}
        for share in rows["shares"]:
            shares.setdefault(share["hold_id"], []).append((share["grant_number"], share["amount"]))
        moves: dict[int, list[Move]] = {}
        for move in rows["moves"]:
            moved = (move["debit"], move["credit"], move["grant_number"], move["amount"])
            moves.setdefault(move["seq"], []).append(moved)
        told = [unpack_low_balance(_as_bytes(effect["payload"])) for effect in rows["effects"]]
        return Stored(
            account=rows["accounts"][0],
            grants=rows["grants"],
            holds=rows["holds"],
            shares=shares,
            charges=rows["charges"],
            entries=rows["entries"],
            moves=moves,
            alerts=[(each.threshold, each.balance, each.seq) for each in told],
        )

    async def _see(self, selects: dict[str, str], names: dict[str, int]) -> dict[str, list[Row]]:
        """The rows of each of these, all at one moment."""
        if is_sqlite(self._url):
            return self._see_file(selects, names)
        if self._server is None:
            self._server = await asyncpg.connect(self._url.set(drivername="postgresql").render_as_string())
        seen = await self._server.fetchval(_in_one(selects, list(names)), *names.values())
        rows: dict[str, list[Row]] = json.loads(seen)
        return rows

    def _see_file(self, selects: dict[str, str], names: dict[str, int]) -> dict[str, list[Row]]:
        if self._file is None:
            self._file = sqlite3.connect(sqlite_path(self._url), isolation_level=None)
            self._file.row_factory = sqlite3.Row
        # One transaction sees one state; the driver by itself would begin none for reading.
        self._file.execute("BEGIN")
        try:
            return {name: [dict(row) for row in self._file.execute(sql, names)] for name, sql in selects.items()}
        finally:
            self._file.execute("ROLLBACK")


def _in_one(selects: dict[str, str], names: Sequence[str]) -> str:
    """One statement of PostgreSQL's that answers all of them in JSON."""
    parts = [f"'{name}', (SELECT coalesce(json_agg(each), '[]') FROM ({sql}) AS each)" for name, sql in selects.items()]
    return re.sub(
        r":(account_id|customer_id|seen)\b",
        lambda name: f"${names.index(name[1]) + 1}::bigint",
        f"SELECT json_build_object({', '.join(parts)})",
    )


def _as_bytes(payload: bytes | str) -> bytes:
    """Bytes as SQLite gives them, or as PostgreSQL writes them in JSON."""
    return payload if isinstance(payload, bytes) else bytes.fromhex(payload.removeprefix("\\x"))

"""Reading the journal: pages of entries with their moves and notes, one entry, and how far it went at a moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from billing.commands import Note
from billing.ledger.entries import Entry
from billing.values import AccountId
from storage.mapping import to_entry, to_note
from storage.statements import register
from storage.tables import credit_moves, credit_notes, credit_transactions

_of_account = credit_transactions.c.account_id == bindparam("account_id")
ENTRIES_AFTER = register(
    "journal.entries_after",
    select(credit_transactions)
    .where(_of_account, credit_transactions.c.seq > bindparam("after"))
    .order_by(credit_transactions.c.seq)
    .limit(bindparam("limit")),
)
ENTRIES_BEFORE = register(
    "journal.entries_before",
    select(credit_transactions)
    .where(_of_account, credit_transactions.c.seq < bindparam("before"))
    .order_by(credit_transactions.c.seq.desc())
    .limit(bindparam("limit")),
)
MOVES = register(
    "journal.moves",
    select(credit_moves)
    .where(
        credit_moves.c.account_id == bindparam("account_id"),
        credit_moves.c.seq.between(bindparam("first"), bindparam("last")),
    )
    .order_by(credit_moves.c.seq, credit_moves.c.line),
)
NOTES = register(
    "journal.notes",
    select(credit_notes).where(
        credit_notes.c.account_id == bindparam("account_id"),
        credit_notes.c.seq.between(bindparam("first"), bindparam("last")),
    ),
)
LAST = register(
    "journal.last",
    select(credit_transactions.c.seq).where(_of_account).order_by(credit_transactions.c.seq.desc()).limit(1),
)
RECORDED_AT = register(
    "journal.recorded_at",
    select(credit_transactions.c.recorded_at).where(_of_account, credit_transactions.c.seq == bindparam("number")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalPage:
    """Some entries of an account in ascending order, and their notes by sequence number. An empty page is false."""

    entries: tuple[Entry, ...]
    notes: Mapping[int, Note]

    def __bool__(self) -> bool:
        return bool(self.entries)


def page_after(connection: Connection, account_id: AccountId, after: int, limit: int) -> JournalPage:
    """The entries that follow this one."""
    parameters = {"account_id": account_id, "after": after, "limit": limit}
    return _page(connection, account_id, list(connection.execute(ENTRIES_AFTER, parameters)))


def page_before(connection: Connection, account_id: AccountId, before: int, limit: int) -> JournalPage:
    """The entries that lead up to this one."""
    parameters = {"account_id": account_id, "before": before, "limit": limit}
    return _page(connection, account_id, list(connection.execute(ENTRIES_BEFORE, parameters))[::-1])


def length_at(connection: Connection, account_id: AccountId, moment: int) -> int:
    """How many entries were booked by that moment, in milliseconds.

    Nothing is booked before its predecessor, so that the place is found by halving: even of ten million entries only
    two dozen are looked at.
    """
    booked, beyond = 0, (connection.execute(LAST, {"account_id": account_id}).scalar() or 0) + 1
    while beyond - booked > 1:
        middle = (booked + beyond) // 2
        recorded_at = connection.execute(RECORDED_AT, {"account_id": account_id, "number": middle}).scalar_one()
        booked, beyond = (middle, beyond) if recorded_at <= moment else (booked, middle)
    return booked


def _page(connection: Connection, account_id: AccountId, rows: list[Row[Any]]) -> JournalPage:
    if not rows:
        return JournalPage(entries=(), notes={})
    between = {"account_id": account_id, "first": rows[0].seq, "last": rows[-1].seq}
    moves: dict[int, list[Row[Any]]] = {row.seq: [] for row in rows}
    for move in connection.execute(MOVES, between):
        moves[move.seq].append(move)
    notes = {row.seq: to_note(row) for row in connection.execute(NOTES, between)}
    return JournalPage(entries=tuple(to_entry(row, moves[row.seq]) for row in rows), notes=notes)

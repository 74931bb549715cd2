"""A customer's statement: the ledger's entries, each with the balance after it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from billing.commands import Note
from billing.ledger.entries import Entry
from billing.ledger.references import for_people
from billing.state import Grant
from bot.cli.database import Session, with_database
from bot.cli.entry_words import entry_in_words
from bot.cli.output import print_json, print_table, readable_time, rfc3339
from storage.reads import JournalPage

PAGE_SIZE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Latest:
    """The last entries, the oldest first, and the account's grants by number, used-up ones too."""

    page: JournalPage
    grants: Mapping[int, Grant]


def print_statement(reference: str, *, limit: int, as_json: bool) -> None:
    """Print the last entries of a customer's ledger, the oldest first."""
    latest = with_database(lambda session: _latest(session, reference, limit))
    entries, notes = latest.page.entries, latest.page.notes
    if as_json:
        print_json([entry_record(entry, notes.get(entry.seq)) for entry in entries])
        return
    columns: dict[str, list[str]] = {
        "ENTRY": [str(entry.seq) for entry in entries],
        "BOOKED": [readable_time(entry.recorded_at) for entry in entries],
        "KIND": [entry.kind.value for entry in entries],
        "AMOUNT": [f"{entry.amount:+d}" for entry in entries],
        "BALANCE": [str(entry.balance_after) for entry in entries],
    }
    # Most customers never hold or owe anything.
    if any(entry.held_after for entry in entries):
        columns["HELD"] = [str(entry.held_after) for entry in entries]
    if any(entry.debt_after for entry in entries):
        columns["OWED"] = [str(entry.debt_after) for entry in entries]
    columns |= {
        "WHAT": [entry_in_words(entry, latest.grants, None) for entry in entries],
        "ACTOR": [entry.actor for entry in entries],
        "REFERENCE": [for_people(entry.reference) or "-" for entry in entries],
        "REASON": [_said(notes.get(entry.seq)) for entry in entries],
    }
    print_table(
        list(columns),
        list(zip(*columns.values(), strict=True)),
        empty="Nothing was ever booked.",
        numbers=("ENTRY", "AMOUNT", "BALANCE", "HELD", "OWED"),
    )


async def _latest(session: Session, reference: str, limit: int) -> Latest:
    """Return the last entries. The grants are read after them, so that each entry's grant is there."""
    state = await session.customer(reference)
    reads = session.database.reads
    page = await reads.latest_entries(state.account.id, limit=limit)
    grants = await reads.grants(state.account.id, include_closed=True)
    return Latest(page=page, grants={grant.number: grant for grant in grants})


def entry_record(entry: Entry, note: Note | None) -> dict[str, Any]:
    """Return an entry for programs."""
    return {
        "entry": entry.seq,
        "kind": entry.kind.value,
        "amount": entry.amount,
        "balance_after": entry.balance_after,
        "held_after": entry.held_after,
        "debt_after": entry.debt_after,
        "occurred_at": rfc3339(entry.occurred_at),
        "recorded_at": rfc3339(entry.recorded_at),
        "actor": entry.actor,
        "reference": entry.reference or None,
        "key": entry.key,
        "reason": note.text if note else None,
        "actor_name": note.actor_name if note else None,
        "hold_id": entry.hold_id or None,
        "reverses": entry.reverses or None,
        "moves": [
            {"debit": move.debit, "credit": move.credit, "grant": move.grant_number, "amount": move.amount}
            for move in entry.moves
        ],
        "hash": entry.hash.hex(),
    }


def _said(note: Note | None) -> str:
    """Return why, and who said so."""
    return "-" if note is None else f"{note.text} ({note.actor_name})"

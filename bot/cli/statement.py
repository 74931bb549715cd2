"""A customer's statement: the ledger's entries, each with the balance after it."""

from typing import Any, Final

from billing.commands import Note
from billing.ledger.entries import Entry
from bot.cli.database import Session, with_database
from bot.cli.output import print_json, print_table, readable_time, rfc3339
from storage.reads import JournalPage

PAGE_SIZE: Final = 500


def print_statement(reference: str, *, limit: int, as_json: bool) -> None:
    """Print the last entries of a customer's ledger, the oldest first."""
    page = with_database(lambda session: _latest(session, reference, limit))
    if as_json:
        print_json([entry_record(entry, page.notes.get(entry.seq)) for entry in page.entries])
        return
    cells = [
        (
            str(entry.seq),
            readable_time(entry.recorded_at),
            entry.kind.value,
            f"{entry.amount:+d}",
            str(entry.balance_after),
            entry.actor,
            entry.reference or "-",
            _said(page.notes.get(entry.seq)),
        )
        for entry in page.entries
    ]
    columns = ("ENTRY", "BOOKED", "KIND", "AMOUNT", "BALANCE", "ACTOR", "REFERENCE", "REASON")
    print_table(columns, cells, empty="Nothing was ever booked.", numbers=("ENTRY", "AMOUNT", "BALANCE"))


async def _latest(session: Session, reference: str, limit: int) -> JournalPage:
    """Return the last entries."""
    state = await session.customer(reference)
    return await session.database.reads.latest_entries(state.account.id, limit=limit)


def entry_record(entry: Entry, note: Note | None) -> dict[str, Any]:
    """Return an entry for programs."""
    return {
        "entry": entry.seq,
        "kind": entry.kind.value,
        "amount": entry.amount,
        "balance_after": entry.balance_after,
        "occurred_at": rfc3339(entry.occurred_at),
        "recorded_at": rfc3339(entry.recorded_at),
        "actor": entry.actor,
        "reference": entry.reference or None,
        "key": entry.key,
        "reason": note.text if note else None,
        "actor_name": note.actor_name if note else None,
        "moves": [{"grant": move.grant_number, "amount": move.amount} for move in entry.moves],
        "hash": entry.hash.hex(),
    }


def _said(note: Note | None) -> str:
    """Return why, and who said so."""
    return "-" if note is None else f"{note.text} ({note.actor_name})"

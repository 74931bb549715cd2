"""Taking back one entry of the ledger, as it was booked."""

import re
from typing import Any, Final

from billing.commands import Note, ReverseEntry
from billing.errors import EntryNotReversibleError, UnknownEntryError
from billing.ledger.entries import Entry
from billing.state import CustomerState
from billing.values import EntryKind, HoldState
from bot.cli.corrections import ACTOR, about, balance_record, carried_out
from bot.cli.database import Session, with_database
from bot.cli.entry_words import entry_in_words
from bot.cli.failures import CommandError, WrongUseError
from bot.cli.output import balance_in_words, print_json, print_lines, readable_time, say
from bot.cli.questions import require_yes

ENTRY: Final = re.compile(r"(?P<reference>.+):(?P<seq>[1-9][0-9]{0,17})")


def reverse(entry: str, *, note: Note, yes: bool, as_json: bool) -> None:
    """Show the entry, ask, take it back, and tell the new balance.

    Raises:
        CommandError: with the way out.
    """
    named = ENTRY.fullmatch(entry)
    if named is None:
        raise WrongUseError(
            f"{entry!r} names no entry.", "Give customer and number, such as 12:5 or github:@acme:5; see the statement."
        )
    record = with_database(lambda session: _reverse(session, named["reference"], int(named["seq"]), note, yes=yes))
    if as_json:
        print_json(record)
        return
    again = " before; nothing was done now" if record["replayed"] else ""
    print_lines([f"Entry {record['entry']} taken back{again}.", f"{balance_in_words(record)} now."])


async def _reverse(session: Session, reference: str, seq: int, note: Note, *, yes: bool) -> dict[str, Any]:
    """Take one entry back."""
    state = await session.customer(reference)
    for line in about(session, state):
        say(line)
    entry, told = await _told(session, state, seq)
    say(told)
    require_yes(f"Take entry {seq} back?", yes=yes)
    command = ReverseEntry(customer_id=state.customer.id, seq=seq, actor=ACTOR, note=note)
    try:
        done = await carried_out(session, command)
    except EntryNotReversibleError as error:
        raise await _with_way_out(session, entry, error) from error
    return {
        "customer_id": state.customer.id,
        "entry": seq,
        "key": command.key,
        "entries": list(done.entries),
        "replayed": done.replayed,
        **await balance_record(session, state.customer.id),
    }


async def _told(session: Session, state: CustomerState, seq: int) -> tuple[Entry, str]:
    """Return the entry, and itself in words.

    Raises:
        UnknownEntryError: there is none.
    """
    reads = session.database.reads
    page = await reads.entries(state.account.id, after_seq=seq - 1, limit=1)
    if not page or page.entries[0].seq != seq:
        raise UnknownEntryError(seq)
    grants = {grant.number: grant for grant in await reads.grants(state.account.id, include_closed=True)}
    (entry,) = page.entries
    return entry, f"entry {seq}, {_signed(entry)}: {entry_in_words(entry, grants, page.notes.get(seq))}"


async def _with_way_out(session: Session, entry: Entry, error: EntryNotReversibleError) -> Exception:
    """Return the refusal; that of an entry about a hold with a way out of its own, as no adjustment ends a hold."""
    match entry.kind:
        case EntryKind.HOLD | EntryKind.EXTEND:
            hold = await session.database.reads.hold(entry.hold_id)
            way_out = (
                f"The App releases it, or it ends by itself at {readable_time(hold.expires_at)};"
                " meanwhile: `tallyhook credits grant` gives as many."
                if hold is not None and hold.state is HoldState.OPEN and hold.expires_at > session.clock.now()
                else "The hold has ended, and what it held is back or was used: `tallyhook credits holds REF --all`."
            )
        case EntryKind.RELEASE:
            way_out = "Have the App hold them again; `tallyhook credits revoke` takes away what nobody should use."
        case _:
            return error
    return CommandError(f"Entry {error.seq} can't be reversed: {error.reason}.", way_out)


def _signed(entry: Entry) -> str:
    """Return what an entry did to the balance."""
    return f"{entry.amount:+d}" if entry.amount else "no change of the balance"

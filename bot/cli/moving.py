"""Moving everything from a SQLite file to PostgreSQL, verified before and after."""

from typing import Final

from bot.cli.backing_up import Copied
from bot.cli.failures import WrongUseError
from bot.cli.proving import Prover
from bot.cli.reaching import reaching_the_database
from storage import migrating
from storage.backups import fill_postgres, held
from storage.engines import is_sqlite, parse_url

TARGET: Final = "--to-url (or TO_DATABASE_URL)"
NOTHING_MOVED: Final = "nothing was moved. See `tallyhook verify`"
MOVED_BROKEN: Final = "use the SQLite file as before, drop that database, and tell the makers of this program"


def move(address: str, to_address: str, *, prover: Prover) -> Copied:
    """Copy a SQLite database that nobody serves into an empty PostgreSQL database, all or nothing.

    Raises:
        BrokenLedgerError: The ledger doesn't hold, in the source or in the target.
        ContentDiffersError: The target doesn't keep what it is given.
        DatabaseInUseError: A server runs on the source.
        RowsNotCopiedError: PostgreSQL refuses a row.
        SchemaOutdatedError: Either has tables of another revision.
        TargetNotEmptyError: The target has rows.
        WrongUseError: It isn't from SQLite to PostgreSQL.
    """
    if not is_sqlite(parse_url(address)) or is_sqlite(parse_url(to_address)):
        raise WrongUseError(
            "--to-url moves from SQLite to PostgreSQL only.",
            "Any other way: `tallyhook backup FILE`, then `tallyhook restore FILE` with the other DATABASE_URL.",
        )
    status = migrating.status(address)
    status.require_current()
    with held(address) as source:
        before = prover.prove(address, place="in the SQLite file", way_out=NOTHING_MOVED)
        with reaching_the_database(named_by=TARGET):
            tables = fill_postgres(source, to_address, prover.show_table("copying"))
    with reaching_the_database(named_by=TARGET):
        after = prover.prove(to_address, place="on PostgreSQL", way_out=MOVED_BROKEN)
    assert (after.accounts, after.entries) == (before.accounts, before.entries)
    return Copied(made_at=None, revision=status.head, accounts=after.accounts, entries=after.entries, tables=tables)

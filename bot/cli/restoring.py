"""Restoring a backup: checked on a copy, which then takes the database's place whole, or is poured into PostgreSQL."""

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from bot.cli.failures import CommandError
from bot.cli.proving import Prover
from storage import migrating
from storage.backup_files import DamagedFileError, copy_file, fold, opened, replace_database, workshop
from storage.backups import TargetNotEmptyError, address_of, fill_postgres, holds_data
from storage.engines import is_sqlite, parse_url, sqlite_path
from storage.errors import SchemaOutdatedError
from storage.file_lock import FileLock
from storage.seals import Examined, break_seal, examine

UNTOUCHED: Final = "the database is untouched. Take another backup"
RESTORED_BROKEN: Final = "start no server on it, restore another backup, and look after the disk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What is in place now.

    Attributes:
        file: the backup.
        made_at: when the backup was made, by its seal; None for a file without one.
        revision: of the tables, now.
        migrated_from: the backup's revision, if it was another.
        kept: where the former database is, if there was one.
        accounts, entries: what was verified.
    """

    file: Path
    made_at: datetime | None
    revision: str
    migrated_from: str | None
    kept: Path | None
    accounts: int
    entries: int


def require_room(address: str, file: Path, *, replace: bool) -> str:
    """Refuse early what can't be restored into; what there is to be replaced, in words.

    Raises:
        CommandError: There is no such file, it is the database itself, or there is data and `replace` isn't said.
        DatabaseInUseError: A server runs on the SQLite file.
        TargetNotEmptyError: There is data on PostgreSQL.
    """
    if not file.is_file():
        raise CommandError(f"There is no file {file}.", "Name one that `tallyhook backup` wrote.")
    url = parse_url(address)
    if not is_sqlite(url):
        filled = holds_data(address)
        if filled:
            raise TargetNotEmptyError(filled)
        return ""
    database = sqlite_path(url)
    if database.exists() and file.samefile(database):
        raise CommandError(f"{file} is the database itself.", "Name the backup, or another DATABASE_URL.")
    with ExitStack() as locked:
        _lock(database, locked)
        data = _data_in_words(address)
    if data and not replace:
        raise CommandError(
            f"The database has data: {data}.", "Add --force to replace it; it will be kept beside under another name."
        )
    return data


def restore_into(address: str, file: Path, *, replace: bool, prover: Prover) -> Restored:
    """Check the backup and put it in place.

    Raises:
        BrokenLedgerError: Its ledger doesn't hold.
        CommandError: There is data meanwhile, and `replace` isn't said.
        DamagedFileError: The file isn't as it was written.
        DatabaseInUseError: A server runs on the SQLite file.
        FileNotCopiedError: It can't be read, or there is no room for it.
        SchemaOutdatedError: Either has tables of a newer version.
        TargetNotEmptyError: There is data on PostgreSQL.
    """
    url = parse_url(address)
    kept = None
    with ExitStack() as stack:
        if is_sqlite(url):
            database = sqlite_path(url)
            _lock(database, stack)
            draft = stack.enter_context(workshop(database))
            examined = _prepare(file, draft, prover)
            # Something may have been written since it was asked for.
            if not replace and _data_in_words(address):
                raise CommandError("The database has data by now.", "Add --force to replace it.")
            kept = replace_database(draft, database)
        else:
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="tallyhook-restore-"))
            draft = Path(directory) / "draft.db"
            examined = _prepare(file, draft, prover)
            with opened(draft) as source:
                fill_postgres(source, address, prover.show_table("copying"))
        report = prover.prove(address, place="in its place", way_out=RESTORED_BROKEN)
    status = examined.schema
    return Restored(
        file=file,
        made_at=None if examined.seal is None else examined.seal.made_at,
        revision=status.head,
        migrated_from=None if status.is_current else status.current,
        kept=kept,
        accounts=report.accounts,
        entries=report.entries,
    )


def _prepare(file: Path, draft: Path, prover: Prover) -> Examined:
    """Copy the backup, check the copy from end to end, and bring it to this version's tables."""
    copy_file(file, draft, lambda per_cent: prover.show(f"copied {per_cent} %"))
    examined = examine(draft, file, prover.show_table("checking"))
    status = examined.schema
    if status.current is None:
        raise DamagedFileError(file, "it has none of our tables")
    if status.is_newer:
        raise SchemaOutdatedError(current=status.current, head=status.head, is_newer=True)
    break_seal(draft)
    if not status.is_current:
        prover.show("migrating")
        migrating.upgrade(address_of(draft))
        fold(draft)
    prover.prove(address_of(draft), place=f"in {file}", way_out=UNTOUCHED)
    return examined


def _lock(database: Path, stack: ExitStack) -> None:
    """Keep servers and migrations out."""
    database.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(database)
    lock.acquire()
    stack.callback(lock.release)


def _data_in_words(address: str) -> str:
    """Return whether there is anything, and what; what can't be read counts as data."""
    try:
        tables = holds_data(address)
    except DamagedFileError as error:
        return f"it can't be read ({error.problem})"
    return f"{len(tables)} tables have rows" if tables else ""

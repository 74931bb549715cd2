"""Making a backup: copied at one moment, verified, sealed, and only then given its name."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from billing.errors import BillingError
from bot.cli.failures import CommandError
from bot.cli.proving import Prover
from bot.cli.verifying import Report
from storage import migrating
from storage.backup_files import copy_file, opened, publish, workshop
from storage.backups import address_of, fill_from_postgres
from storage.copying import Content
from storage.engines import is_sqlite, parse_url, sqlite_path
from storage.errors import SchemaOutdatedError
from storage.seals import seal

NOTHING_WRITTEN: Final = "no backup was written, and earlier ones are untouched. See `tallyhook verify`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What was copied and found whole. `made_at` is None where only the rows were carried over."""

    made_at: datetime | None
    revision: str
    accounts: int
    entries: int
    tables: Mapping[str, Content]


class FileExistsAlreadyError(BillingError):
    """A backup replaces nothing by accident."""

    def __init__(self, file: Path) -> None:
        super().__init__(f"{file} is there already; name another file, or add --force to replace it")


def back_up(address: str, file: Path, *, replace: bool, prover: Prover) -> Copied:
    """Write a backup of the database into a file.

    Raises:
        BrokenLedgerError: What was copied doesn't hold; nothing is written.
        CommandError: The file can't be written there.
        FileExistsAlreadyError: It is there, and `replace` isn't said.
        SchemaOutdatedError: The database has no tables, or newer ones.
    """
    _require_place(address, file, replace=replace)
    status = migrating.status(address)
    if status.current is None or status.is_newer:
        status.require_current()
    with workshop(file) as draft:
        made_at = prover.clock.now()
        if is_sqlite(parse_url(address)):
            copy_file(sqlite_path(parse_url(address)), draft, lambda per_cent: prover.show(f"copied {per_cent} %"))
        else:
            status.require_current()
            fill_from_postgres(address, draft, prover.show_table("copying"))
        report, revision = _proven(draft, prover)
        sealed = seal(draft, made_at, prover.show_table("sealing"))
        _require_place(address, file, replace=replace)
        publish(draft, file)
    return Copied(
        made_at=made_at, revision=revision, accounts=report.accounts, entries=report.entries, tables=sealed.tables
    )


def _require_place(address: str, file: Path, *, replace: bool) -> None:
    """Refuse what would be overwritten, the database itself above all."""
    if not file.parent.is_dir():
        raise CommandError(f"There is no directory {file.parent}.", "Create it, or name another file.")
    if not file.exists():
        return
    url = parse_url(address)
    if is_sqlite(url) and sqlite_path(url).exists() and file.samefile(sqlite_path(url)):
        raise CommandError(f"{file} is the database itself.", "Name another file for the backup.")
    if not replace or not file.is_file():
        raise FileExistsAlreadyError(file)


def _proven(draft: Path, prover: Prover) -> tuple[Report, str]:
    """Verify a draft. One of an older revision is verified by a copy that is brought to this one's tables."""
    with opened(draft) as connection:
        status = migrating.schema_status(connection)
    if status.current is None or status.is_newer:
        raise SchemaOutdatedError(current=status.current, head=status.head, is_newer=status.is_newer)
    checked = draft
    if not status.is_current:
        checked = draft.with_name("migrated.db")
        copy_file(draft, checked, lambda _per_cent: prover.show("trying the migration on a copy"))
        migrating.upgrade(address_of(checked))
    report = prover.prove(address_of(checked), place="in the copy", way_out=NOTHING_WRITTEN)
    return report, status.current

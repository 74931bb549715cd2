"""What a backup says of itself: a table in it that tells when it was made, and what each of its tables held.

Hash chains vouch for the journal only. The seal vouches for every row and every definition, so that a byte that a disk
or a transfer turned over is seen before anything is replaced. It is no signature: whoever forges a backup can seal it.
"""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from billing.values import from_milliseconds, to_milliseconds
from storage.backup_files import DamagedFileError, opened, reading
from storage.copying import Content, Progress, contents
from storage.migrating import SchemaStatus, schema_status

TABLE: Final = "backup_seal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """When the backup was made, and what was in it."""

    made_at: datetime
    tables: Mapping[str, Content]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What a whole file is: its revision, and its seal. A file that no backup made has none."""

    schema: SchemaStatus
    seal: Seal | None


def seal(draft: Path, made_at: datetime, on_progress: Progress) -> Seal:
    """Write into the draft what it holds."""
    with opened(draft) as connection:
        tables = contents(connection, on_progress)
        definitions = _definitions(connection)
    document = json.dumps(
        {
            "made_at": to_milliseconds(made_at),
            "definitions": definitions,
            "tables": {name: asdict(content) for name, content in tables.items()},
        }
    )
    with reading(draft), closing(sqlite3.connect(draft)) as file, file:
        file.execute(f"CREATE TABLE {TABLE} (document TEXT NOT NULL, digest TEXT NOT NULL)")
        row = (document, sha256(document.encode()).hexdigest())
        file.execute(f"INSERT INTO {TABLE} VALUES (?, ?)", row)  # noqa: S608 - a name of ours
    return Seal(made_at=made_at, tables=tables)


def break_seal(draft: Path) -> None:
    """Take the seal out of a draft that becomes a database."""
    with reading(draft), closing(sqlite3.connect(draft)) as file, file:
        file.execute(f"DROP TABLE IF EXISTS {TABLE}")


def examine(draft: Path, file: Path, on_progress: Progress) -> Examined:
    """Go through a copy of `file` from end to end: its pages, its indexes, its conditions, and what its seal says.

    Raises:
        DamagedFileError: Something isn't as it was; `file` is named.
    """
    try:
        with opened(draft) as connection:
            _require_whole(connection, file)
            return Examined(schema=schema_status(connection), seal=_unbroken(connection, file, on_progress))
    except DamagedFileError as error:
        raise DamagedFileError(file, error.problem) from error


def _require_whole(connection: Connection, file: Path) -> None:
    found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalars().all()
    if found != ["ok"]:
        raise DamagedFileError(file, " ".join(str(found[0]).split()))
    orphan = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if orphan is not None:
        raise DamagedFileError(file, f"a row of {orphan[0]} refers to one of {orphan[2]} that isn't there")
    if not inspect(connection).has_table("alembic_version"):
        raise DamagedFileError(file, "it has none of our tables")


def _unbroken(connection: Connection, file: Path, on_progress: Progress) -> Seal | None:
    """Return the seal, held against what is there."""
    if not inspect(connection).has_table(TABLE):
        return None
    row = connection.execute(text(f"SELECT document, digest FROM {TABLE}")).first()  # noqa: S608 - a name of ours
    # A flipped bit can make bytes out of text.
    if row is None or sha256(str(row.document).encode()).hexdigest() != row.digest:
        raise DamagedFileError(file, "its seal was changed")
    said = json.loads(row.document)
    if said["definitions"] != _definitions(connection):
        raise DamagedFileError(file, "the definition of a table, an index or a trigger was changed")
    tables = {name: Content(**content) for name, content in said["tables"].items()}
    found = contents(connection, on_progress, leaving_out=[TABLE])
    for name in sorted(tables.keys() | found.keys()):
        if tables.get(name) != found.get(name):
            raise DamagedFileError(file, f"table {name} holds other rows than were backed up")
    return Seal(made_at=from_milliseconds(said["made_at"]), tables=tables)


def _definitions(connection: Connection) -> str:
    """Return a digest of how everything is defined."""
    rows = connection.execute(
        text("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE tbl_name <> :seal ORDER BY type, name"),
        {"seal": TABLE},
    )
    return sha256(ascii([tuple(row) for row in rows]).encode()).hexdigest()

"""Database files on a disk: copied as they stood at one moment, made out of sight, and put in their place whole."""

import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from billing.errors import BillingError
from storage.engines import BUSY_SECONDS
from storage.failures import PRIMARY_CODE, SQLITE_AWAY

STEP_PAGES: Final = 4096
"""Pages that are copied between two reports of how far it is: 16 MiB."""

BESIDE: Final = ("-wal", "-shm", "-journal")
"""What SQLite lays beside a file that is in use, or was when its process died."""


class DamagedFileError(BillingError):
    """The file isn't what a backup wrote, or no database at all."""

    def __init__(self, file: Path, problem: str) -> None:
        super().__init__(f"{file} is damaged: {problem}; nothing was changed. Take another backup")
        self.file = file
        self.problem = problem


class FileNotCopiedError(BillingError):
    """The disk, the permissions or another process stand in the way."""

    def __init__(self, file: Path, problem: str) -> None:
        super().__init__(
            f"{file} can't be copied: {problem}; nothing was changed. "
            "Look whether it is there, may be read, has room beside it, and isn't being written to for long"
        )
        self.file = file
        self.problem = problem


class FileOpenElsewhereError(BillingError):
    """Another process has the database open, so that it can't be replaced."""

    def __init__(self, file: Path) -> None:
        super().__init__(f"another process has {file} open; end it, and run this again. Nothing was changed")
        self.file = file


@contextmanager
def workshop(final: Path) -> Iterator[Path]:
    """A place on the same disk where what will be `final` is made; only its owner can look in.

    It is gone when the work ends, however that was. What a killed process leaves is a directory `.NAME.….partial`.

    Raises:
        OSError: nothing can be made beside `final`.
    """
    directory = Path(tempfile.mkdtemp(prefix=f".{final.name}.", suffix=".partial", dir=final.parent))
    try:
        yield directory / "draft.db"
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def copy_file(source: Path, draft: Path, on_progress: Callable[[int], None]) -> None:
    """Copy a SQLite database as it stands at one moment, while others go on writing to it; the copy is one whole file.

    Args:
        source: the database; what lies beside it and isn't merged yet is part of it.
        draft: a file that isn't there yet.
        on_progress: gets the per cent done.

    Raises:
        DamagedFileError: The source is no database.
        FileNotCopiedError: It can't be read, or the copy can't be written.
    """
    os.close(os.open(draft, os.O_CREAT | os.O_EXCL, 0o600))

    def tell(_status: int, remaining: int, total: int) -> None:
        on_progress(100 * (total - remaining) // max(total, 1))

    with reading(source), closing(_opened(source)) as origin, closing(_opened(draft)) as copy:
        # A transaction holds the moment: without one, each commit of a server would make the copying begin anew.
        origin.execute("BEGIN")
        origin.execute("SELECT 1 FROM sqlite_master").fetchone()
        origin.backup(copy, pages=STEP_PAGES, progress=tell)
    with reading(source):
        fold(draft)


def fold(file: Path, *, patience_seconds: float = BUSY_SECONDS) -> None:
    """Merge into the file what SQLite keeps beside it, so that it is whole by itself until it is served again.

    Waits for whoever has it open, so long.

    Raises:
        FileOpenElsewhereError: Another process has it open.
        sqlite3.DatabaseError: It can't be done; the file is damaged.
    """
    with closing(_opened(file, patience_seconds)) as connection:
        try:
            mode = connection.execute("PRAGMA journal_mode = DELETE").fetchone()[0]
        except sqlite3.OperationalError as error:
            if _code(error) == sqlite3.SQLITE_BUSY:
                raise FileOpenElsewhereError(file) from error
            raise
    assert mode == "delete"


@contextmanager
def opened(file: Path) -> Iterator[Connection]:
    """A connection for looking into a file that nobody serves, and that is left as it is.

    Raises:
        DamagedFileError: What is asked of it can't be answered.
        FileNotCopiedError: It can't be read just now.
    """
    engine = create_engine(URL.create("sqlite+pysqlite", database=str(file)), poolclass=NullPool, hide_parameters=True)
    try:
        with reading(file), engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


@contextmanager
def reading(file: Path) -> Iterator[None]:
    """Tell a file that is damaged from one that can't be had just now.

    Raises:
        DamagedFileError: instead of the driver's error.
        FileNotCopiedError: likewise.
    """
    try:
        yield
    except UnicodeDecodeError as error:
        raise DamagedFileError(file, "there is text that is none") from error
    except (sqlite3.Error, DBAPIError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if isinstance(cause, sqlite3.Error) and _code(cause) in SQLITE_AWAY:
            raise FileNotCopiedError(file, str(cause)) from error
        raise DamagedFileError(file, str(cause)) from error


def publish(draft: Path, file: Path) -> None:
    """Put the draft in its place, durably and at once: whoever looks sees what was there before, or the whole draft."""
    _flush(draft)
    draft.replace(file)
    _flush(file.parent)


def replace_database(draft: Path, database: Path, *, patience_seconds: float = BUSY_SECONDS) -> Path | None:
    """Put the draft in the place of a database that nobody serves; the old one's new name, if there was one.

    At every moment one of the two is there whole. Waits for commands that have the old one open, so long.

    Raises:
        FileOpenElsewhereError: Another process has the old one open.
    """
    kept = None
    if database.exists():
        kept = _free_name(database)
        _detach(database, kept, patience_seconds)
        # The old file gets a second name before it loses its first.
        kept.hardlink_to(database)
        _hand_over(draft, database)
    publish(draft, database)
    return kept


def _detach(database: Path, kept: Path, patience_seconds: float) -> None:
    """Leave nothing beside the database that SQLite would take for the new one's unmerged commits."""
    try:
        fold(database, patience_seconds=patience_seconds)
    except sqlite3.DatabaseError:
        # It is damaged, which may be why it is replaced: what SQLite left beside it goes with it.
        for ending in BESIDE:
            with suppress(FileNotFoundError):
                database.with_name(database.name + ending).rename(kept.with_name(kept.name + ending))


def _free_name(database: Path) -> Path:
    number = 1
    while (kept := database.with_name(f"{database.stem}-replaced-{number}{database.suffix}")).exists():
        number += 1
    return kept


def _hand_over(draft: Path, database: Path) -> None:
    """Let the draft belong to whom the database belongs, and be open to whom that is: root may restore it."""
    old = database.stat()
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        os.chown(draft, old.st_uid, old.st_gid)
    # Only after its owner: changing that clears some of the mode.
    draft.chmod(stat.S_IMODE(old.st_mode))


def _opened(file: Path, patience_seconds: float = BUSY_SECONDS) -> sqlite3.Connection:
    """Open a file that is there; one that can't be written is opened for reading."""
    address = f"{file.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(address, uri=True, timeout=patience_seconds, isolation_level=None)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _code(error: sqlite3.Error) -> int:
    # What the module itself raises, such as for text that isn't UTF-8, carries none.
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & PRIMARY_CODE

"""The lock by which one process serves a SQLite file. The kernel drops it with the process, so a crash leaves none."""

import fcntl
import os
from pathlib import Path
from typing import IO

from storage.errors import DatabaseInUseError


class FileLock:
    """An exclusive lock beside a database file. It keeps out servers and migrations, not the short work of commands."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._file: IO[str] | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            DatabaseInUseError: Another process has it.
        """
        file = self._database.with_name(f"{self._database.name}.lock").open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise DatabaseInUseError(str(self._database), holder) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file

    def release(self) -> None:
        """Give the lock back. Without one this does nothing."""
        if self._file is not None:
            self._file.close()
            self._file = None

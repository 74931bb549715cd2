"""Making room for a sandbox that starts over: its former database is set aside, or goes."""

from pathlib import Path
from typing import Final

BESIDE: Final = ("", "-wal", "-shm")
"""The files of a SQLite database, by what their names end in."""


def set_aside(path: Path) -> Path:
    """Give a closed database the next free name beside its own, such as `sandbox-1.db`; return it."""
    number = 1
    while (aside := path.with_name(f"{path.stem}-{number}{path.suffix}")).exists():
        number += 1
    for ending in BESIDE:
        file = path.with_name(path.name + ending)
        if file.exists():
            file.rename(aside.with_name(aside.name + ending))
    return aside


def remove(path: Path) -> None:
    """Delete a closed database that nobody wanted kept."""
    for ending in BESIDE:
        path.with_name(path.name + ending).unlink(missing_ok=True)

"""A SQLite file is its owner's alone, whatever the machine's habits are: it holds deliveries, names and notes."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.clock import VirtualClock
from storage import migrating
from storage.database import Database
from tests.storage.builders import delivery


@pytest.fixture(autouse=True)
def usual_habits() -> Iterator[None]:
    """What new files may be read by on most machines: everybody."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(directory: Path) -> dict[str, str]:
    """The permissions of everything that holds data in a directory."""
    return {path.name: oct(path.stat().st_mode & 0o777) for path in directory.iterdir() if path.suffix != ".lock"}


async def test_a_new_file_and_what_lies_beside_it_is_readable_by_its_owner_only(
    tmp_path: Path, clock: VirtualClock
) -> None:
    address = f"sqlite:///{tmp_path}/tallyhook.db"
    migrating.upgrade(address)
    database = Database.connect(address, clock=clock)
    await database.open()
    await database.inbox.record(delivery("a", clock.now()))
    while_open = modes(tmp_path)
    await database.close()

    assert while_open == {"tallyhook.db": "0o600", "tallyhook.db-wal": "0o600", "tallyhook.db-shm": "0o600"}


async def test_reading_makes_no_file_that_others_can_read_either(tmp_path: Path, clock: VirtualClock) -> None:
    database = Database.connect(f"sqlite:///{tmp_path}/none.db", clock=clock)
    await database.ping()
    await database.close()

    assert set(modes(tmp_path).values()) == {"0o600"}


def test_the_permissions_of_a_file_that_is_there_are_its_owners_business(tmp_path: Path) -> None:
    path = tmp_path / "tallyhook.db"
    path.touch(mode=0o640)
    migrating.upgrade(f"sqlite:///{path}")

    assert modes(tmp_path)["tallyhook.db"] == "0o640"

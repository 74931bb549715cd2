"""A failure before any statement of any command, or at its commit, leaves all or nothing; a repeat happens once."""

from dataclasses import replace
from typing import get_args

import pytest

from billing.commands import Applied, Command, KeyedCommand, Refused
from billing.values import EntryKind
from sandbox.clock import VirtualClock
from storage.database import Database
from tests.database import START
from tests.storage.builders import offence
from tests.storage.every_command import CASES, Case
from tests.storage.faults import InjectedError, Traffic, watched
from tests.storage.raw import Content, everything, execute, is_the_same

MOST_STATEMENTS = 40
FEWEST_STATEMENTS = 2


async def undisturbed(case: Case, url: str) -> None:
    """Carry out the case where nothing fails, with a clock of its own; the ledger is whole afterwards."""
    clock = VirtualClock(START, frozen=True)
    database = Database.connect(url, clock=clock)
    await database.open()
    desk, command = await case.stage(database, clock)
    await desk.service.handle(command)
    for account_id in await database.reads.accounts():
        assert await offence(database, account_id) is None
    await database.close()


def added(before: Content, after: Content) -> dict[str, int]:
    """How many rows each table got, but for the journal."""
    more = {table: len(rows) - len(before[table]) for table, rows in after.items()}
    return {
        table: count for table, count in more.items() if count and table not in {"credit_transactions", "credit_moves"}
    }


async def kinds(url: str) -> tuple[str, ...]:
    """The kinds of all entries in the order in which they were written."""
    return tuple(row[0] for row in await execute(url, "SELECT kind FROM credit_transactions ORDER BY id"))


@pytest.mark.parametrize("name", CASES)
async def test_a_command_is_carried_out_whole_or_not_at_all_and_once(
    database: Database, database_url: str, clock: VirtualClock, twin_url: str, name: str
) -> None:
    case = CASES[name]
    await undisturbed(case, twin_url)
    desk, command = await case.stage(database, clock)
    assert isinstance(command, case.command)
    before, kinds_before = await everything(database_url), await kinds(database_url)

    with watched(Traffic(fail_at_commit=1)), pytest.raises(InjectedError):
        await desk.service.handle(command)
    assert await everything(database_url) == before
    outcome = None
    fail_at = 0
    while outcome is None:
        fail_at += 1
        assert fail_at < MOST_STATEMENTS
        with watched(Traffic(fail_at=fail_at)) as traffic:
            try:
                outcome = await desk.service.handle(command)
            except InjectedError:
                assert await everything(database_url) == before, traffic.statements[-1]
    assert fail_at > FEWEST_STATEMENTS

    after = await everything(database_url)
    assert (await kinds(database_url))[len(kinds_before) :] == case.kinds
    assert added(before, after) == case.rows
    assert await is_the_same(database_url, twin_url)
    assert isinstance(outcome, Refused) == case.is_refused, outcome
    if isinstance(command, KeyedCommand):
        again = await desk.service.handle(command)
        assert isinstance(again, Applied | Refused)
        assert again.replayed
        assert str(again) == str(replace(again, replayed=True))
        # A number that was drawn for a hold, and not needed, is lost.
        assert {**await everything(database_url), "sequences": []} == {**after, "sequences": []}


def test_no_command_and_no_kind_of_entry_is_forgotten() -> None:
    assert {case.command for case in CASES.values()} == set(get_args(Command))
    assert {kind for case in CASES.values() for kind in case.kinds} == {kind.value for kind in EntryKind}

"""The ledger does as the naive model, whatever happens: seed by seed, on both engines.

A failure prints the command that plays its seed again, step by step. `make simulate` plays on for as long as one likes.
"""

from typing import Final

import pytest

from billing.values import EntryKind
from tests.ledger.play import Play, Tally
from tests.ledger.simulation import command_for
from tests.ledger.translation import KINDS
from tests.unsynced import unsynced

SHARE: Final = 25
"""How many seeds a test plays on its database."""

COMMANDS: Final = 50

FIRSTS: Final = range(1, 201, SHARE)

# The model says whether the program is right; that its lines were run says nothing beside that, and counting them
# takes more time than running them.
pytestmark = [pytest.mark.no_cover, pytest.mark.timeout(600)]


async def play(url: str, engine: str, first: int) -> None:
    """Play so many seeds, one after another on the same database; nothing must be missing among what happened."""
    tally = Tally()
    for seed in range(first, first + SHARE):
        steps: list[str] = []
        try:
            with unsynced():
                await Play(url, seed, tally=tally, tell=steps.append).run(COMMANDS)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is told with the command that repeats it
            last = "\n".join(steps[-40:])
            again = command_for(seed, engine, COMMANDS)
            pytest.fail(f"{last}\nseed {seed}: {type(error).__name__}: {error}\nplay it again: {again}", pytrace=False)
    assert tally.commands.total() >= SHARE * COMMANDS
    assert set(tally.commands) == set(KINDS)
    assert set(tally.entries) == set(EntryKind)
    assert {"InsufficientCreditsError", "HoldEndedError", "IdempotencyConflictError"} <= set(tally.refusals)
    assert min(tally.replays, tally.bursts, tally.restarts, tally.charges, tally.alerts) > 0


@pytest.mark.parametrize("first", FIRSTS)
async def test_sqlite_does_as_the_model(sqlite_url: str, first: int) -> None:
    await play(sqlite_url, "sqlite", first)


@pytest.mark.parametrize("first", FIRSTS)
async def test_postgresql_does_as_the_model(postgresql_url: str, first: int) -> None:
    await play(postgresql_url, "postgresql", first)

"""What spends cost the database while many wait: statements and commits, which no noise changes."""

import asyncio
from dataclasses import replace

import pytest

from billing.commands import Applied
from billing.ports import Changes
from billing.service import BillingService
from billing.values import CustomerId
from sandbox.clock import VirtualClock
from storage.database import Database
from tests.billing.builders import PLANS, grant, spend
from tests.storage.builders import new_customer
from tests.storage.faults import Traffic, watched

ROUNDS = 3
"""How often each caller asks again, once it was answered."""

MOST_STATEMENTS = 16
"""For a batch, however many spends are in it; the beginning of the transaction included, which is one on SQLite."""

A_GOAL_FOR_EACH_SPEND = 0.25
"""Statements for each spend in a full batch."""


async def granted(database: Database, service: BillingService, clock: VirtualClock, customers: int) -> list[CustomerId]:
    """Customers with credits."""
    now = clock.now()
    states = [new_customer(number, 1000 + number, number, now) for number in range(1, customers + 1)]
    changes = Changes(states=[(None, state) for state in states])
    await database.store.transact(lambda unit: unit.save(changes, now))
    ids = [state.customer.id for state in states]
    await asyncio.gather(*(service.handle(replace(grant(1000, key="given"), customer_id=each)) for each in ids))
    return ids


@pytest.mark.parametrize("customers", [1, 64])
@pytest.mark.parametrize("callers", [1, 16, 64, 256])
async def test_spends_of_all_who_wait_share_statements_and_commits(
    database: Database, clock: VirtualClock, callers: int, customers: int
) -> None:
    """Each commit is a disk sync; whoever was answered and asks again is in the next one."""
    service = BillingService(database.store, clock, PLANS)
    ids = await granted(database, service, clock, customers)

    async def call(caller: int) -> None:
        for number in range(ROUNDS):
            command = replace(spend(1, key=f"{caller}:{number}"), customer_id=ids[caller % customers])
            assert isinstance(await service.handle(command), Applied)

    with watched(Traffic()) as traffic:
        await asyncio.gather(*(call(caller) for caller in range(callers)))

    batches = ROUNDS * max(1, callers // 64)
    assert traffic.commits == batches
    # What isn't seen can't be too much.
    assert sum(sql.startswith("INSERT INTO credit_transactions") for sql in traffic.statements) == batches
    assert len(traffic.statements) <= batches * MOST_STATEMENTS, traffic.statements
    if callers >= 64:
        assert len(traffic.statements) / (callers * ROUNDS) <= A_GOAL_FOR_EACH_SPEND
    left = [state.account.posted for state in [await database.reads.customer(each) for each in ids] if state]
    assert sum(left) == 1000 * customers - callers * ROUNDS

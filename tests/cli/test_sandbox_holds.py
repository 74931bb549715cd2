"""The sandbox's desk and inspector on a real database: what the console does with holds, and is shown of them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from billing.commands import AdjustCredits, Note
from billing.service import BillingService
from bot.cli.sandbox_desk import BillingDesk
from bot.cli.sandbox_inspector import StorageInspector
from sandbox.clock import VirtualClock
from sandbox.github.errors import ActionError
from sandbox.inspector import CustomerView
from storage.database import Database
from tests.cli.seeding import OCTOCAT, Seeding, shipped_plans


@dataclass
class Sandbox:
    """A desk and an inspector, and the clock of both."""

    desk: BillingDesk
    inspector: StorageInspector
    clock: VirtualClock
    seeding: Seeding

    async def shown(self) -> CustomerView:
        """What the console shows of octocat."""
        view = await self.inspector.customer(OCTOCAT.id)
        assert view is not None
        return view


@pytest.fixture
async def sandbox(database: Database, clock: VirtualClock) -> AsyncIterator[Sandbox]:
    """Octocat has installed, and so has five credits."""
    plans = shipped_plans()
    billing = BillingService(database.store, clock, plans)
    seeding = Seeding(database, clock)
    await seeding.install(OCTOCAT)
    inspector = StorageInspector(database, plans, clock=clock)
    yield Sandbox(BillingDesk(database, billing, clock=clock), inspector, clock, seeding)
    await billing.close()


def told(view: CustomerView) -> list[tuple[str, int, int]]:
    """The ledger as the console shows it, the oldest first: kind, change and balance."""
    return [(entry.kind, entry.amount, entry.balance_after) for entry in reversed(view.entries)]


async def test_what_is_held_captured_and_released_is_shown(sandbox: Sandbox) -> None:
    assert await sandbox.desk.hold(OCTOCAT.id, 3) == "3 credits held, for 24 hours at most."
    assert await sandbox.desk.hold(OCTOCAT.id, 1) == "1 credit held, for 24 hours at most."
    before = await sandbox.shown()
    three, one = before.holds
    assert (before.available, before.held, before.debt) == (1, 4, 0)
    assert [(grant.remaining, grant.held) for grant in before.grants] == [(1, 4)]

    assert await sandbox.desk.capture(OCTOCAT.id, three.id) == f"Hold {three.id} captured: 3 credits used."
    assert await sandbox.desk.release(OCTOCAT.id, one.id) == f"Hold {one.id} released: its credits are back."

    after = await sandbox.shown()
    assert (after.available, after.held, after.holds) == (2, 0, ())
    assert told(after) == [("grant", 5, 5), ("hold", -3, 2), ("hold", -1, 1), ("capture", 0, 1), ("release", 1, 2)]
    assert after.entries[1].description == f"hold {three.id} captured: 3 used, of grant 1"


async def test_credits_that_are_all_held_are_still_shown(sandbox: Sandbox) -> None:
    await sandbox.desk.hold(OCTOCAT.id, 5)

    view = await sandbox.shown()

    assert [(grant.remaining, grant.held, grant.expires_at) for grant in view.grants] == [(0, 5, None)]
    assert view.available == 0


async def test_a_time_out_is_shown_before_it_is_booked_and_behind(sandbox: Sandbox) -> None:
    await sandbox.desk.hold(OCTOCAT.id, 3)
    sandbox.clock.advance(hours=25)

    unbooked = await sandbox.shown()
    await sandbox.desk.spend(OCTOCAT.id, 1)
    booked = await sandbox.shown()

    (came_back,) = unbooked.expired
    assert (unbooked.available, unbooked.held, unbooked.holds) == (5, 0, ())
    assert came_back.amount == -3
    assert booked.expired == ()
    assert told(booked)[2:] == [("release", 3, 5), ("spend", -1, 4)]
    assert booked.entries[1].happened_at == came_back.at < booked.entries[1].booked_at


async def test_what_is_owed_is_shown(sandbox: Sandbox) -> None:
    await sandbox.seeding.carry_out(
        AdjustCredits(
            customer_id=await sandbox.seeding.customer(OCTOCAT),
            change=-7,
            key="a",
            actor="operator",
            note=Note(text="x", actor_name="Ada", salt=b"s"),
        )
    )

    view = await sandbox.shown()

    assert (view.available, view.debt) == (0, 2)
    assert view.entries[0].description == "set right by hand: 5 taken back, of grant 1; 2 owed: x"


async def test_what_cannot_be_done_is_said(sandbox: Sandbox) -> None:
    with pytest.raises(ActionError, match="6 credits were asked for, 5 are available"):
        await sandbox.desk.hold(OCTOCAT.id, 6)
    for end in (sandbox.desk.capture, sandbox.desk.release):
        with pytest.raises(ActionError, match="there is no hold 99"):
            await end(OCTOCAT.id, 99)
        with pytest.raises(ActionError, match="doesn't know the account yet"):
            await end(1, 99)
    await sandbox.desk.hold(OCTOCAT.id, 1)
    (hold,) = (await sandbox.shown()).holds
    await sandbox.desk.release(OCTOCAT.id, hold.id)
    with pytest.raises(ActionError, match="has ended: it is released"):
        await sandbox.desk.capture(OCTOCAT.id, hold.id)

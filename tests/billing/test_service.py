"""Commands that arrive together are committed together; each succeeds, is refused or fails alone."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

import pytest
from typing_extensions import override

from billing.commands import Applied, Ignore, Ignored, Postponed, Refused, RenameAccount
from billing.errors import IdempotencyConflictError, LeaseLostError, TemporaryFailureError, UnknownCustomerError
from billing.ports import Unit
from billing.service import BATCH_SIZE, MOST_UNDERWAY
from billing.values import CustomerId
from tests.billing.builders import ACCOUNT, PRO, day, grant, truth
from tests.billing.office import Office, spending
from tests.fakes import ConstraintViolatedError, MemoryStore

T = TypeVar("T")


@pytest.fixture
def office() -> Office:
    return Office()


async def test_a_command_is_committed_when_its_answer_comes(office: Office) -> None:
    outcome = await office.service.handle(office.installed(7))
    assert outcome == Applied(customer_id=CustomerId(1), entries=(1,))
    state = office.store.state(CustomerId(1))
    assert (state.customer.github_account_id, state.account.posted) == (7, 5)
    (end,) = office.store.tables.deliveries.values()
    assert (end.state, end.error, end.run_at) == ("done", "", None)
    office.verify()


async def test_commands_that_arrive_together_share_a_commit(office: Office) -> None:
    customers = await office.customers(BATCH_SIZE)
    before = office.store.transactions
    outcomes = await office.together([spending(each, 2, "fix:1") for each in customers])
    assert all(isinstance(outcome, Applied) for outcome in outcomes)
    # The first one leads; the others came in the same turn of the event loop.
    assert office.store.transactions - before == 1
    office.verify()


async def test_a_batch_holds_no_more_than_its_size(office: Office) -> None:
    (customer,) = await office.customers(1)
    before = office.store.transactions
    await office.together([spending(customer, 1, f"fix:{number}") for number in range(2 * BATCH_SIZE + 2)])
    assert office.store.transactions - before == 3
    assert office.store.state(customer).account.posted == 0
    office.verify()


async def test_callers_who_ask_again_share_every_commit(office: Office) -> None:
    """Whoever gets the lead doesn't leave with a batch of its own while the others are still being answered."""
    customers = await office.customers(BATCH_SIZE)
    before = office.store.transactions

    async def ask_thrice(customer: CustomerId) -> None:
        for number in range(3):
            assert isinstance(await office.service.handle(spending(customer, 1, f"fix:{number}")), Applied)

    async with asyncio.TaskGroup() as group:
        for customer in customers:
            group.create_task(ask_thrice(customer))
    assert office.store.transactions - before == 3
    office.verify()


async def test_commands_of_one_batch_see_each_other(office: Office) -> None:
    (customer,) = await office.customers(1)
    outcomes = await office.together(
        [
            Ignore(reason="leads", cause=office.cause(99)),
            spending(customer, 3, "a"),
            spending(customer, 3, "b"),
            spending(customer, 2, "c"),
            spending(customer, 3, "a"),
            spending(customer, 3, "b"),
            spending(customer, 1, "c"),
        ]
    )
    assert outcomes[1] == Applied(customer_id=customer, entries=(2,))
    assert outcomes[3] == Applied(customer_id=customer, entries=(3,))
    assert outcomes[4] == Applied(customer_id=customer, entries=(2,), replayed=True)
    refusals = [outcomes[2], outcomes[5], outcomes[6]]
    assert all(isinstance(outcome, Refused) for outcome in refusals)
    assert [outcome.replayed for outcome in refusals if isinstance(outcome, Refused)] == [False, True, False]
    assert isinstance(refusals[2], Refused)
    assert isinstance(refusals[2].error, IdempotencyConflictError)
    office.verify()


async def test_answers_are_remembered_across_batches(office: Office) -> None:
    (customer,) = await office.customers(1)
    command = replace(grant(3, key="k"), customer_id=customer)
    first = await office.service.handle(command)
    again = await office.service.handle(command)
    assert first == Applied(customer_id=customer, entries=(2,))
    assert again == Applied(customer_id=customer, entries=(2,), replayed=True)
    assert office.store.notes(office.store.state(customer).account.id)[2].text == "sorry"
    nobody = await office.service.handle(spending(CustomerId(99), 1, "k"))
    assert isinstance(nobody, Refused)
    assert isinstance(nobody.error, UnknownCustomerError)


async def test_a_new_account_told_of_twice_in_a_batch_gets_one_customer(office: Office) -> None:
    outcomes = await office.together(
        [
            Ignore(reason="leads", cause=office.cause(99)),
            office.shown(7, truth(PRO)),
            office.installed(7),
            office.installed(8),
        ]
    )
    assert outcomes[1:] == [
        Applied(customer_id=CustomerId(1), entries=(1,)),
        Applied(customer_id=CustomerId(1), entries=(2,)),
        Applied(customer_id=CustomerId(3), entries=(1,)),
    ]
    assert office.store.state(CustomerId(1)).account.posted == 65
    office.verify()


async def test_how_deliveries_end(office: Office) -> None:
    renamed = RenameAccount(account=ACCOUNT, cause=office.cause(1))
    postponed = office.shown(2, None)
    ignored = Ignore(reason="names no account", cause=office.cause(3))
    outcomes = await office.together([renamed, postponed, ignored, office.installed(4)])
    assert isinstance(outcomes[0], Ignored)
    assert isinstance(outcomes[1], Postponed)
    ends = office.store.tables.deliveries.values()
    assert [(end.state, end.error, end.run_at) for end in sorted(ends, key=lambda end: end.cause.delivery_id)] == [
        ("ignored", "no customer has this account", None),
        ("received", "GitHub's answer contradicts its delivery", day(12, 1, 9) + timedelta(seconds=10)),
        ("ignored", "names no account", None),
        ("done", "", None),
    ]


async def test_a_lost_lease_fails_its_command_alone(office: Office) -> None:
    lost = office.installed(7)
    office.store.claim("github:7")
    outcomes = await office.together([lost, lost, office.installed(8)])
    for outcome in outcomes[:2]:
        assert isinstance(outcome, LeaseLostError)
        assert outcome.partition == "github:7"
    assert isinstance(outcomes[2], Applied)
    assert [state.customer.github_account_id for state in office.store.tables.states.values()] == [8]


async def test_a_bug_in_a_decision_fails_its_command_alone(office: Office) -> None:
    nonsense: dict[str, Any] = {"observation": None}
    await office.service.handle(office.installed(7))
    before = office.store.state(CustomerId(1))
    broken = replace(office.installed(7), cause=replace(office.cause(7), **nonsense))
    outcomes = await office.together([office.installed(8), broken, office.installed(9)])
    assert isinstance(outcomes[1], TypeError)
    assert "NoneType" in str(outcomes[1]), "it is the decision's own error"
    assert isinstance(outcomes[0], Applied)
    assert isinstance(outcomes[2], Applied)
    assert office.store.state(CustomerId(1)) == before


async def test_a_busy_customer_waits_alone(office: Office) -> None:
    busy, free = await office.customers(2)
    async with asyncio.TaskGroup() as group:
        with office.store.locked_elsewhere(busy):
            commands = (spending(busy, 1, "a"), office.installed(1))
            waiting = [group.create_task(office.service.handle(command)) for command in commands]
            for number in range(5):
                assert isinstance(await office.service.handle(spending(free, 1, f"fix:{number}")), Applied)
            assert not any(each.done() for each in waiting)
    assert all(isinstance(each.result(), Applied) for each in waiting)
    office.verify()


async def test_a_customer_that_stays_busy_is_given_up(office: Office) -> None:
    (busy,) = await office.customers(1)
    with (
        office.store.locked_elsewhere(busy),
        pytest.raises(TemporaryFailureError, match=r"^the customer stays locked by another transaction$"),
    ):
        await office.service.handle(spending(busy, 1, "a"))
    assert isinstance(await office.service.handle(spending(busy, 1, "a")), Applied)


async def test_a_batch_that_the_database_refuses_is_redone_one_by_one(office: Office) -> None:
    first, broken, last = await office.customers(3)
    account = office.store.state(broken).account
    # Somebody has written to this journal past the ledger: its next number is taken.
    stray = replace(office.store.entries(account.id)[0], seq=2, key="stray")
    office.store.tables.entries[account.id, 2] = stray
    outcomes = await office.together([spending(each, 1, "fix:1") for each in (first, broken, last, broken)])
    assert [type(outcome) for outcome in outcomes] == [
        Applied,
        ConstraintViolatedError,
        Applied,
        ConstraintViolatedError,
    ]
    assert [office.store.state(each).account.posted for each in (first, broken, last)] == [4, 5, 4]


class GatedStore(MemoryStore):
    """A store whose transactions begin when its gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()
        self.is_away = False

    @override
    async def transact(self, work: Callable[[Unit], T]) -> T:
        await self.gate.wait()
        if self.is_away:
            raise TemporaryFailureError("the database is away")
        return await super().transact(work)


@pytest.fixture
def gated() -> Office:
    return Office(GatedStore())


def gate(office: Office) -> GatedStore:
    """The office's store, with its gate."""
    assert isinstance(office.store, GatedStore)
    return office.store


async def let_all_run() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_database_that_is_away_is_told_to_everyone(gated: Office) -> None:
    customers = await gated.customers(3)
    gate(gated).is_away = True
    outcomes = await gated.together([spending(each, 1, "a") for each in customers])
    assert [str(outcome) for outcome in outcomes] == ["the database is away"] * 3
    gate(gated).is_away = False
    outcomes = await gated.together([spending(each, 1, "a") for each in customers])
    assert all(isinstance(outcome, Applied) for outcome in outcomes)


async def test_a_cancelled_leader_leaves_the_others_to_go_on(gated: Office) -> None:
    customers = await gated.customers(3)
    gate(gated).gate.clear()
    async with asyncio.TaskGroup() as group:
        leader, *others = (group.create_task(gated.service.handle(spending(each, 1, "a"))) for each in customers)
        await let_all_run()
        leader.cancel()
        await let_all_run()
        gate(gated).gate.set()
    assert leader.cancelled()
    assert all(isinstance(each.result(), Applied) for each in others)
    assert [gated.store.state(each).account.posted for each in customers] == [5, 4, 4]


async def test_a_cancelled_leader_of_a_batch_puts_its_others_back_in_their_order(gated: Office) -> None:
    (customer,) = await gated.customers(1)
    gate(gated).gate.clear()
    async with asyncio.TaskGroup() as group:
        first, second, third, fourth = (
            group.create_task(gated.service.handle(spending(customer, 2, f"fix:{number}"))) for number in range(4)
        )
        await let_all_run()
        first.cancel()
        await let_all_run()
        # Now the second leads a batch of all that wait, and is cancelled too.
        second.cancel()
        await let_all_run()
        gate(gated).gate.set()
    assert third.result() == Applied(customer_id=customer, entries=(2,))
    assert fourth.result() == Applied(customer_id=customer, entries=(3,))


async def test_a_cancelled_waiter_is_not_carried_out(gated: Office) -> None:
    first, second, third = await gated.customers(3)
    gate(gated).gate.clear()
    async with asyncio.TaskGroup() as group:
        group.create_task(gated.service.handle(spending(first, 1, "a")))
        await let_all_run()
        waiter, _ = (group.create_task(gated.service.handle(spending(each, 1, "a"))) for each in (second, third))
        await let_all_run()
        waiter.cancel()
        await let_all_run()
        gate(gated).gate.set()
    assert [gated.store.state(each).account.posted for each in (first, second, third)] == [4, 5, 4]


async def test_a_leader_cancelled_before_its_batch_sets_out_hands_on_the_lead(gated: Office) -> None:
    first, second = await gated.customers(2)
    async with asyncio.TaskGroup() as group:
        leader, other = (group.create_task(gated.service.handle(spending(each, 1, "a"))) for each in (first, second))
        # One turn: the first leads, and waits for who else comes.
        await asyncio.sleep(0)
        leader.cancel()
    assert leader.cancelled()
    assert isinstance(other.result(), Applied)
    assert [gated.store.state(each).account.posted for each in (first, second)] == [5, 4]


async def test_a_waiter_cancelled_while_its_batch_is_under_way_is_carried_out(gated: Office) -> None:
    customers = await gated.customers(4)
    gate(gated).gate.clear()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(gated.service.handle(spending(each, 1, "a"))) for each in customers]
        await let_all_run()
        tasks[0].cancel()
        await let_all_run()
        # The second leads a batch with the third by now.
        tasks[2].cancel()
        await let_all_run()
        gate(gated).gate.set()
    assert tasks[2].cancelled()
    assert [gated.store.state(each).account.posted for each in customers] == [5, 4, 4, 4]


async def test_a_waiter_cancelled_in_the_moment_it_gets_the_lead_hands_it_on(gated: Office) -> None:
    first, second, third = await gated.customers(3)
    gate(gated).gate.clear()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(gated.service.handle(spending(each, 1, "a"))) for each in (first, second, third)]
        await let_all_run()
        # Both before anything else runs: the lead goes to the second, who is gone.
        tasks[0].cancel()
        tasks[1].cancel()
        await let_all_run()
        gate(gated).gate.set()
    assert isinstance(tasks[2].result(), Applied)
    assert [gated.store.state(each).account.posted for each in (first, second, third)] == [5, 5, 4]


async def test_closing_waits_for_what_is_queued_and_takes_no_more(gated: Office) -> None:
    customers = await gated.customers(3)
    gate(gated).gate.clear()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(gated.service.handle(spending(each, 1, "a"))) for each in customers]
        await let_all_run()
        closing = group.create_task(gated.service.close())
        await let_all_run()
        assert not closing.done()
        with pytest.raises(TemporaryFailureError, match=r"^billing is closing$"):
            await gated.service.handle(spending(customers[0], 1, "b"))
        gate(gated).gate.set()
        await closing
        assert all(isinstance(each.result(), Applied) for each in tasks)


async def test_closing_waits_for_every_batch(gated: Office) -> None:
    first, second = await gated.customers(2)
    gate(gated).gate.clear()
    async with asyncio.TaskGroup() as group:
        leader = group.create_task(gated.service.handle(spending(first, 1, "a")))
        await let_all_run()
        other = group.create_task(gated.service.handle(spending(second, 1, "a")))
        closing = group.create_task(gated.service.close())
        await let_all_run()
        # The gate opens for one transaction only.
        leader.add_done_callback(lambda _: gate(gated).gate.clear())
        gate(gated).gate.set()
        await leader
        await let_all_run()
        assert (other.done(), closing.done()) == (False, False)
        gate(gated).gate.set()
        async with asyncio.timeout(10):
            await closing
    assert isinstance(other.result(), Applied)


async def test_no_more_commands_wait_than_the_bound(gated: Office) -> None:
    (customer,) = await gated.customers(1)
    gate(gated).gate.clear()
    async with asyncio.TaskGroup() as group:
        command = spending(customer, 1, "a")
        tasks = [group.create_task(gated.service.handle(command)) for _ in range(MOST_UNDERWAY)]
        await let_all_run()
        with pytest.raises(TemporaryFailureError, match=r"^too many commands are waiting$"):
            await gated.service.handle(command)
        gate(gated).gate.set()
    assert all(isinstance(each.result(), Applied) for each in tasks)
    assert gated.store.state(customer).account.posted == 4

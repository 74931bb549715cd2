"""A batch of any size costs the same number of look-ups, and its commands count what the earlier ones did."""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from typing_extensions import override

from billing.batch import Busy, delivery_end, run_batch
from billing.commands import Answered, Applied, Command, Ignore, Ignored, Postponed, Refused, ShowFigures
from billing.errors import BillingError, CannotActError, UnknownCustomerError
from billing.ports import DeliveryEnd, Locked, Unit, Wanted
from billing.values import CustomerId, GitHubAccountId, Permission, SubscriptionState, Word
from tests.billing.builders import PLANS, PRO, asked, truth
from tests.billing.office import Office, spending
from tests.fakes import MemoryStore

T = TypeVar("T")


class CountingUnit:
    """A unit that counts what is asked of it."""

    def __init__(self, unit: Unit, calls: Counter[str]) -> None:
        self._unit = unit
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        self._calls[name] += 1
        return getattr(self._unit, name)


class CountingStore(MemoryStore):
    """A store that counts what each transaction asks of its unit."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()

    @override
    async def transact(self, work: Callable[[Unit], T]) -> T:
        calls: Counter[str] = Counter()
        self.calls = calls
        return await super().transact(lambda unit: work(CountingUnit(unit, calls)))


@pytest.fixture
def office() -> Office:
    return Office(CountingStore())


async def carried_out(office: Office, commands: list[Command]) -> tuple[list[object], dict[str, int]]:
    """What became of the commands in one batch, and what it asked of the unit."""
    assert isinstance(office.store, CountingStore)
    results = await office.store.transact(lambda unit: run_batch(unit, commands, office.clock.now(), PLANS))
    office.verify()
    return list(results), dict(office.store.calls)


async def test_a_batch_asks_the_same_for_one_customer_as_for_sixty_four(office: Office) -> None:
    def commands(known: list[CustomerId], *, new: int) -> list[Command]:
        numbers = range(new, new + len(known))
        return [
            *(spending(customer_id, 1, "a") for customer_id in known),
            *(office.installed(number, installer=77) for number in numbers),
            *(office.shown(number, truth(PRO)) for number in numbers),
            office.shown(1, None, "cancelled"),
            *(Ignore(reason="nothing", cause=office.cause(number)) for number in numbers[1:]),
        ]

    customers = await office.customers(65)
    _, one = await carried_out(office, commands(customers[:1], new=101))
    results, many = await carried_out(office, commands(customers[1:], new=201))
    assert (
        one
        == many
        == dict.fromkeys(("lost_leases", "lock", "new_ids", "remembered", "losses_since", "signup_slots", "save"), 1)
    )
    assert len(results) == 4 * 64


async def test_who_is_about_nobody_waits_for_no_busy_customer(office: Office) -> None:
    busy, free = await office.customers(2)

    class LockedElsewhere:
        """A unit that finds one customer locked by another transaction."""

        def __init__(self, unit: Unit) -> None:
            self._unit = unit

        def __getattr__(self, name: str) -> Any:
            return getattr(self._unit, name)

        def lock(self, ids: Collection[CustomerId], github_ids: Collection[GitHubAccountId], wanted: Wanted) -> Locked:
            return replace(self._unit.lock({*ids} - {busy}, github_ids, wanted), busy=[busy])

    commands: list[Command] = [
        spending(busy, 1, "a"),
        Ignore(reason="nothing", cause=office.cause(1)),
        spending(free, 1, "b"),
    ]
    results = await office.store.transact(
        lambda unit: run_batch(LockedElsewhere(unit), commands, office.clock.now(), PLANS)
    )
    assert [type(result) for result in results] == [Busy, Ignored, Applied]
    office.verify()


async def test_a_batch_asks_only_for_what_its_commands_need(office: Office) -> None:
    await office.customers(1)
    _, calls = await carried_out(office, [spending(CustomerId(1), 1, "a")])
    assert calls == {"lock": 1, "remembered": 1, "save": 1}
    _, calls = await carried_out(office, [Ignore(reason="nothing", cause=office.cause(1))])
    assert calls == {"lost_leases": 1, "lock": 1, "save": 1}
    _, calls = await carried_out(office, [office.shown(1, None, "cancelled")])
    assert calls == {"lost_leases": 1, "lock": 1, "losses_since": 1, "save": 1}


async def test_an_answer_locks_no_customer_and_ends_its_delivery(office: Office) -> None:
    customers = await office.customers(1)
    answers: list[Command] = [
        asked(comment=901, why=office.cause(1)),
        asked(Permission.READ, comment=902, why=office.cause(1)),
        asked(Permission.READ, is_private=False, comment=903, why=office.cause(1)),
    ]
    with office.store.locked_elsewhere(customers[0]):
        results, calls = await carried_out(office, answers)
    assert [type(result) for result in results] == [Answered, Answered, Ignored]
    assert calls == {"lost_leases": 1, "lock": 1, "save": 1}
    tables = office.store.tables
    assert [end.state for end in tables.deliveries.values()][-3:] == ["done", "done", "ignored"]
    assert [(reply.question.comment_id, reply.reaction) for reply in tables.replies.values()] == [
        (901, "eyes"),
        (902, "confused"),
    ]


async def test_of_two_answers_to_one_comment_the_first_stands(office: Office) -> None:
    first, second = asked(why=office.cause(1)), asked(words=(Word.HELP,), why=office.cause(1))
    results, _ = await carried_out(office, [first])
    again, _ = await carried_out(office, [second])
    assert results == again == [Answered()]
    assert [reply.question.words for reply in office.store.tables.replies.values()] == [(Word.CREDITS,)]


async def test_whoever_was_allowed_to_write_since_is_answered_by_a_replay(office: Office) -> None:
    for permission in (Permission.READ, Permission.WRITE, Permission.WRITE):
        await carried_out(office, [asked(permission, why=office.cause(1))])
    assert [reply.reaction for reply in office.store.tables.replies.values()] == ["confused", "eyes"]


async def test_whether_figures_are_shown_is_decided_among_the_customers_other_commands(office: Office) -> None:
    customers = await office.customers(2)
    commands: list[Command] = [
        ShowFigures(customer_id=customers[0], shown=True),
        spending(customers[0], 1, "a"),
        ShowFigures(customer_id=CustomerId(99), shown=True),
    ]
    results, calls = await carried_out(office, commands)
    assert [type(result) for result in results] == [Applied, Applied, Refused]
    assert calls == {"lock": 1, "remembered": 1, "save": 1}
    first, second = (office.store.state(each) for each in customers)
    assert (first.customer.shows_figures, first.account.posted) == (True, 4)
    assert not second.customer.shows_figures


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (UnknownCustomerError("7"), "there is no customer 7"),
        (CannotActError("the installation is suspended"), "the installation is suspended"),
    ],
)
def test_a_refused_delivery_ends_as_refused(office: Office, error: BillingError, told: str) -> None:
    command = Ignore(reason="nothing", cause=office.cause(1))
    end = delivery_end(command, Refused(error=error))
    assert end == DeliveryEnd(cause=command.cause, state="refused", error=told)


async def test_rule_10_losses_of_the_same_batch_count(office: Office) -> None:
    for number in range(1, 26):
        await office.service.handle(office.shown(number, truth(PRO)))
    office.clock.advance(minutes=1)
    results, calls = await carried_out(office, [office.shown(number, None, "cancelled") for number in range(1, 26)])
    assert [type(result) for result in results] == [Applied] * 20 + [Postponed] * 5
    assert calls["living_subscriptions"] == 1
    states = [state.subscriptions[0].state for state in office.store.tables.states.values()]
    assert states == [SubscriptionState.ENDED] * 20 + [SubscriptionState.ACTIVE] * 5
    assert list(office.store.tables.open_alarms) == [("marketplace_losses", "github_marketplace")]
    office.clock.advance(minutes=59)
    (result,), _ = await carried_out(office, [office.shown(21, None, "cancelled")])
    assert isinstance(result, Postponed)
    office.clock.advance(minutes=2)
    (result,), _ = await carried_out(office, [office.shown(21, None, "cancelled")])
    assert isinstance(result, Applied)
    assert not office.store.tables.open_alarms


async def test_rule_09_places_taken_in_the_same_batch_count(office: Office) -> None:
    commands: list[Command] = [office.installed(number, installer=77, kind="Organization") for number in range(1, 6)]
    await carried_out(office, [*commands, office.installed(6, installer=78, kind="Organization")])
    balances = [state.account.posted for state in office.store.tables.states.values()]
    assert balances == [5, 5, 5, 0, 0, 5]
    withheld = [state.customer.signup_withheld for state in office.store.tables.states.values()]
    assert withheld == [False, False, False, True, True, False]
    assert sorted(office.store.tables.signup_slots) == [(77, 1), (77, 2), (77, 3), (78, 1)]


async def test_rule_09_places_taken_in_an_earlier_batch_count(office: Office) -> None:
    first = office.store.tables.last_id
    for number in range(1, 5):
        await carried_out(office, [office.installed(number, installer=77, kind="Organization")])
    assert [state.account.posted for state in office.store.tables.states.values()] == [5, 5, 5, 0]
    assert office.store.tables.last_id == first + 8, "two ids for each"


async def test_rule_10_as_many_losses_are_borne_as_the_living_allow(office: Office) -> None:
    await carried_out(office, [office.shown(number, truth(PRO)) for number in range(1, 441)])
    office.clock.advance(minutes=1)
    results, _ = await carried_out(office, [office.shown(number, None, "cancelled") for number in range(1, 26)])
    assert [type(result) for result in results] == [Applied] * 22 + [Postponed] * 3, "five in a hundred of 440"


async def test_rule_10_the_living_are_counted_only_where_it_matters(office: Office) -> None:
    await carried_out(office, [office.shown(number, truth(PRO)) for number in range(1, 21)])
    office.clock.advance(minutes=1)
    _, calls = await carried_out(office, [office.shown(number, None, "cancelled") for number in range(1, 21)])
    assert "living_subscriptions" not in calls

"""What a batch looks up for commands on credits: each thing once, and only what somebody needs."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from billing.batch import delivery_end, run_batch
from billing.commands import Applied, Backfilled, BackfillGrants, Command, Ignore, KeyedCommand, Refused
from billing.errors import EntryNotReversibleError, HoldEndedError, InsufficientCreditsError
from billing.ports import Wanted
from billing.service import BillingService
from billing.values import CustomerId, HoldId
from billing.wants import wanted_by
from tests.billing.builders import PLANS, day, grant, spend
from tests.billing.office import Office
from tests.billing.requests import adjust, capture, extend, hold, paid, refund, release, reverse, usage
from tests.billing.test_batch import CountingStore, carried_out


@pytest.fixture
def office() -> Office:
    return Office(CountingStore())


def by(customer_id: CustomerId, command: KeyedCommand) -> KeyedCommand:
    """The command as another customer's."""
    return replace(command, customer_id=customer_id)


async def one(office: Office, *commands: KeyedCommand) -> tuple[Sequence[object], dict[str, int]]:
    """What became of the first customer's commands in one batch, and what it asked of the unit."""
    return await carried_out(office, [by(CustomerId(1), command) for command in commands])


def newest_hold(office: Office) -> HoldId:
    """The hold that was made last."""
    return list(office.store.tables.holds)[-1]


def test_what_the_commands_need_beside_open_grants() -> None:
    first, second = CustomerId(1), CustomerId(2)
    wanted = wanted_by(
        [
            capture(HoldId(7), 1, key="a"),
            release(HoldId(8), key="b"),
            extend(HoldId(9), key="c"),
            refund(4, 100, key="d"),
            by(second, reverse(5)),
            usage(1, key="e", at=day(12, 3)),
            usage(1, key="f", at=day(12, 2)),
            by(second, usage(1, key="g", at=day(12, 4))),
            spend(1, key="h"),
        ],
        day(12, 5),
    )
    assert wanted == Wanted(
        now=day(12, 5),
        holds={HoldId(7), HoldId(8), HoldId(9)},
        grants={(first, 4)},
        entries={(second, 5)},
        used_at={first: day(12, 2), second: day(12, 4)},
    )


async def test_every_kind_of_command_shares_the_look_ups(office: Office) -> None:
    customers = await office.customers(64)
    commands: list[KeyedCommand] = [
        hold(2, key="h", terms=paid(2)),
        replace(spend(9, key="s"), paid=paid(9)),
        spend(9, key="short"),
        usage(3, key="u", at=office.clock.now()),
        adjust(4, key="a"),
        refund(1, 100, key="r"),
        reverse(2),
    ]
    _, single = await one(office, *commands)
    everybody: list[Command] = [by(customer, command) for customer in customers[1:] for command in commands]
    results, many = await carried_out(office, everybody)
    assert single == many == dict.fromkeys(("lock", "new_ids", "remembered", "is_billing_on", "save"), 1)
    assert Counter(type(result) for result in results) == {Applied: 63 * 5, Refused: 63 * 2}


async def test_the_kill_switch_is_asked_only_where_somebody_may_go_short(office: Office) -> None:
    await office.customers(1)
    _, calls = await one(office, spend(5, key="covered"), grant(9, key="g"), hold(2, key="h"))
    assert "is_billing_on" not in calls
    _, calls = await one(office, spend(2, key="s"), hold(3, key="i"), adjust(1, key="a"))
    assert "is_billing_on" not in calls
    work = newest_hold(office)
    _, calls = await one(office, capture(work, 3, key="c"))
    assert "is_billing_on" not in calls, "it holds no paid units"
    _, calls = await one(office, spend(99, key="t"), spend(98, key="u"))
    assert calls["is_billing_on"] == 1
    _, calls = await one(office, usage(1, key="v", at=office.clock.now()))
    assert calls["is_billing_on"] == 1


async def test_the_kill_switch_is_asked_where_time_may_have_changed_the_balance(office: Office) -> None:
    await office.customers(1)
    await one(office, grant(9, key="g", expires_at=office.clock.now() + timedelta(hours=1)))
    office.clock.advance(hours=2)
    _, calls = await one(office, spend(1, key="s"))
    assert calls["is_billing_on"] == 1


async def test_a_hold_with_paid_units_asks_when_captured(office: Office) -> None:
    await office.customers(1)
    await one(office, hold(7, key="h", terms=paid(2)))
    work = newest_hold(office)
    office.store.tables.is_billing_on = False
    _, calls = await one(office, capture(work, 7, key="c"))
    assert calls["is_billing_on"] == 1
    assert office.store.tables.charges == {}


async def test_the_flag_and_the_setting_each_switch_off(office: Office) -> None:
    _, second = await office.customers(2)
    store = office.store
    store.tables.is_billing_on = False
    (result,), _ = await one(office, spend(9, key="s"))
    assert isinstance(result, Applied)
    store.tables.is_billing_on = True
    refused = await office.service.handle(by(second, spend(9, key="s")))
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, InsufficientCreditsError)
    shadow = BillingService(store, office.clock, PLANS, billing_enabled=False)
    assert isinstance(await shadow.handle(by(second, spend(9, key="t"))), Applied)
    office.verify()


async def test_the_setting_needs_no_look_at_the_flag(office: Office) -> None:
    await office.customers(1)
    store = office.store
    assert isinstance(store, CountingStore)
    command = by(CustomerId(1), spend(9, key="s"))
    await store.transact(lambda unit: run_batch(unit, [command], office.clock.now(), PLANS, billing_enabled=False))
    assert "is_billing_on" not in store.calls


async def test_ids_are_drawn_for_those_who_may_make_a_hold(office: Office) -> None:
    await office.customers(1)
    last = office.store.tables.last_id
    results, calls = await one(
        office, hold(1, key="a"), spend(1, key="b"), replace(spend(1, key="c"), paid=paid(1)), hold(1, key="d")
    )
    assert all(isinstance(result, Applied) for result in results)
    assert calls["new_ids"] == 1
    assert office.store.tables.last_id == last + 3
    assert sorted(office.store.tables.holds) == [last + 1, last + 3]


async def test_ids_for_holds_and_for_new_customers_are_drawn_together(office: Office) -> None:
    await office.customers(1)
    results, calls = await carried_out(office, [by(CustomerId(1), hold(1, key="a")), office.installed(2)])
    assert all(isinstance(result, Applied) for result in results)
    assert calls["new_ids"] == 1
    ids = [int(each) for state in office.store.tables.states.values() for each in (state.customer.id, state.account.id)]
    assert int(newest_hold(office)) not in ids
    assert len(set(ids)) == 4


async def test_what_a_batch_wrote_its_later_commands_can_take_back(office: Office) -> None:
    await office.customers(1)
    results, _ = await one(office, spend(3, key="s"), reverse(2), reverse(2, text="again"), spend(5, key="t"))
    assert [type(result) for result in results] == [Applied, Applied, Refused, Applied]
    assert isinstance(results[2], Refused)
    assert isinstance(results[2].error, EntryNotReversibleError)


async def test_a_hold_is_ended_once_in_one_batch(office: Office) -> None:
    await office.customers(1)
    await one(office, hold(4, key="h"))
    work = newest_hold(office)
    results, _ = await one(office, capture(work, 2, key="a"), capture(work, 2, key="b"), release(work, key="c"))
    assert [type(result) for result in results] == [Applied, Refused, Refused]
    assert all(isinstance(each.error, HoldEndedError) for each in results if isinstance(each, Refused))
    assert office.store.state(CustomerId(1)).account.posted == 3


async def test_anothers_hold_grant_and_entry_are_unknown(office: Office) -> None:
    _, second = await office.customers(2)
    await one(office, hold(4, key="h"), adjust(2, key="a"))
    work = newest_hold(office)
    commands: list[Command] = [
        by(second, each) for each in (capture(work, 1, key="a"), refund(2, 100, key="b"), reverse(3))
    ]
    results, _ = await carried_out(office, commands)
    assert [type(result.error).__name__ for result in results if isinstance(result, Refused)] == [
        "UnknownHoldError",
        "UnknownGrantError",
        "UnknownEntryError",
    ]


async def test_a_low_balance_is_written_with_the_spend(office: Office) -> None:
    await office.customers(1)
    await one(office, spend(2, key="a"), spend(2, key="b"), spend(1, key="c"))
    told = office.store.tables.low_balances
    assert [(each.threshold, each.balance, each.seq) for each in told] == [(1, 1, 3), (0, 0, 4)]


async def test_a_backfill_is_a_command_like_others(office: Office) -> None:
    await office.customers(1)
    results, calls = await carried_out(office, [BackfillGrants(customer_id=CustomerId(1), is_dry_run=True)])
    assert results == [Backfilled(customer_id=CustomerId(1), missing=())]
    assert calls == {"lock": 1, "save": 1}
    end = delivery_end(Ignore(reason="x", cause=office.cause(1)), Backfilled(customer_id=CustomerId(1), missing=()))
    assert end.state == "done"


async def test_what_an_earlier_batch_wrote_can_be_taken_back(office: Office) -> None:
    await office.customers(1)
    await one(office, spend(3, key="s"))
    results, _ = await one(office, reverse(2))
    assert [type(result) for result in results] == [Applied]
    assert office.store.state(CustomerId(1)).account.posted == 5


async def test_a_key_that_was_used_before_is_named(office: Office) -> None:
    await office.customers(1)
    await one(office, spend(1, key="s"))
    for used in (spend(2, key="s"), spend(3, key="s")):
        results, _ = await one(office, used)
        assert isinstance(results[0], Refused)
        assert str(results[0].error) == "the key 's' was used before for another request"
    results, _ = await one(office, spend(1, key="t"), spend(2, key="t"))
    assert isinstance(results[1], Refused)
    assert str(results[1].error) == "the key 't' was used before for another request"


async def test_the_kill_switch_is_asked_where_credits_are_held_or_expire_just_now(office: Office) -> None:
    await office.customers(1)
    await one(office, grant(9, key="g", expires_at=office.clock.now() + timedelta(hours=1)), hold(10, key="h"))
    _, calls = await one(office, spend(4, key="covered"))
    assert "is_billing_on" not in calls
    _, calls = await one(office, spend(3, key="s"))
    assert calls["is_billing_on"] == 1, "what is held can't be spent"
    office.clock.advance(hours=1)
    await one(office, grant(1, key="k"))
    await one(office, grant(9, key="l", expires_at=office.clock.now() + timedelta(hours=1)))
    office.clock.advance(hours=1)
    _, calls = await one(office, spend(1, key="t"))
    assert calls["is_billing_on"] == 1


async def test_all_notes_and_refusals_of_a_batch_are_kept(office: Office) -> None:
    await office.customers(1)
    results, _ = await one(
        office,
        adjust(1, key="a", text="first"),
        spend(99, key="b"),
        adjust(1, key="c", text="second"),
        spend(98, key="d"),
        spend(99, key="b"),
    )
    assert isinstance(results[-1], Refused)
    assert results[-1].replayed
    account = office.store.state(CustomerId(1)).account
    assert [note.text for note in office.store.notes(account.id).values()] == ["first", "second"]
    for key, count in (("b", 99), ("d", 98)):
        (again,), _ = await one(office, spend(count, key=key))
        assert isinstance(again, Refused)
        assert again.replayed

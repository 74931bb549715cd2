"""Reading: whom a reference means, pages of customers and of the journal, and whether anything has changed."""

from datetime import timedelta

import pytest

from billing.ledger.verify import Audit, verify_account
from billing.ports import Changes, Unit
from billing.state import CustomerState
from billing.values import AccountId, CustomerId, GitHubAccountId
from sandbox.clock import VirtualClock
from storage.database import Database
from storage.errors import AmbiguousReferenceError
from tests.storage.builders import WANTED, Booking, delivery, new_customer, provision, spend
from tests.storage.raw import engine_of, execute


async def test_a_reference_is_an_id_an_account_or_a_login(database: Database, clock: VirtualClock) -> None:
    state = await provision(database, clock, 583231, login="Octo-Cat")
    customer_id = state.customer.id

    for reference in (str(customer_id), "github:583231", "github:@octo-cat", "github:@OCTO-CAT"):
        assert await database.reads.resolve(reference) == customer_id, reference
    for reference in (
        "",
        "0",
        "999",
        "-1",
        "github:",
        "github:1",
        "github:@",
        "github:@nobody",
        "github:octo-cat",
        "@octo-cat",
        "stripe:583231",
        "a:b:583231",
        "9" * 30,
        "github:" + "9" * 30,
        "²",
    ):
        assert await database.reads.resolve(reference) is None, reference


async def test_a_login_that_two_accounts_had_names_the_way_out(database: Database, clock: VirtualClock) -> None:
    await provision(database, clock, 7, login="taken-over")
    await provision(database, clock, 8, login="Taken-Over")

    with pytest.raises(AmbiguousReferenceError, match="github:7, github:8"):
        await database.reads.resolve("github:@taken-over")


async def test_customers_are_paged_both_ways(database: Database, clock: VirtualClock) -> None:
    states = [new_customer(n, 100 + n, 1000 + n, clock.now()) for n in range(1, 8)]
    await database.store.transact(
        lambda unit: unit.save(Changes(states=[(None, state) for state in states]), clock.now())
    )

    def ids(page: object) -> list[int]:
        assert isinstance(page, list)
        return [state.customer.id for state in page]

    assert ids(await database.reads.customers(limit=3)) == [7, 6, 5]
    assert ids(await database.reads.customers(limit=3, before=CustomerId(5))) == [4, 3, 2]
    assert ids(await database.reads.customers(limit=3, before=CustomerId(2))) == [1]
    assert ids(await database.reads.customers(limit=3, after=CustomerId(0))) == [1, 2, 3]
    assert ids(await database.reads.customers(limit=3, after=CustomerId(6))) == [7]
    assert await database.reads.customer(CustomerId(3)) == states[2]
    assert await database.reads.customer(CustomerId(99)) is None


async def test_a_customer_is_found_by_the_account_and_read_whole(database: Database, clock: VirtualClock) -> None:
    await provision(database, clock, 8, credits_=3)
    state = await provision(database, clock, 7, credits_=5, login="octocat")

    assert await database.reads.by_github_account(GitHubAccountId(7)) == state
    assert await database.reads.by_github_account(GitHubAccountId(9)) is None


async def booked(database: Database, clock: VirtualClock) -> CustomerState:
    """A customer with two grants, four spends and a note."""
    state = await provision(database, clock, credits_=5)
    booking = Booking(before=state, state=state, now=clock.now())
    booking.grant(10, "second", expires_at=clock.now() + timedelta(days=1), why="sorry for the outage")
    for n in range(4):
        booking.spend(3, f"spend:{n}")
    await database.store.transact(lambda unit: unit.save(booking.changes(), clock.now()))
    return booking.after()


async def test_the_journal_is_paged_with_moves_and_notes_and_verifies(database: Database, clock: VirtualClock) -> None:
    state = await booked(database, clock)
    account_id = state.account.id
    audit = Audit(account_id)
    seen: list[int] = []
    while page := await database.reads.entries(account_id, after_seq=len(seen), limit=4):
        assert audit.read(page.entries, page.notes) is None
        seen += [entry.seq for entry in page.entries]
    book = await database.reads.book(account_id)

    assert seen == list(range(1, 7))
    assert book is not None
    assert book.customer_id == state.customer.id
    assert audit.close(book.account, book.grants) is None
    whole = await database.reads.entries(account_id)
    # The fourth spend used up the one grant and began the other.
    assert [len(entry.moves) for entry in whole.entries] == [1, 1, 1, 1, 1, 2]
    assert whole.notes[2].text == "sorry for the outage"
    assert await database.reads.book(AccountId(999)) is None


async def test_the_latest_entries_come_ascending(database: Database, clock: VirtualClock) -> None:
    account_id = (await booked(database, clock)).account.id

    latest = await database.reads.latest_entries(account_id, limit=3)
    earlier = await database.reads.latest_entries(account_id, before_seq=4, limit=3)

    assert [entry.seq for entry in latest.entries] == [4, 5, 6]
    assert [entry.seq for entry in earlier.entries] == [1, 2, 3]
    assert not await database.reads.latest_entries(account_id, before_seq=1)


async def test_a_changed_row_is_found_by_the_audit(database: Database, database_url: str, clock: VirtualClock) -> None:
    state = await booked(database, clock)
    of_table = "ON credit_transactions" if engine_of(database_url) == "postgresql" else ""
    await execute(
        database_url,
        f"DROP TRIGGER credit_transactions_no_update {of_table}",
        "UPDATE credit_transactions SET actor = 'somebody else' WHERE seq = 4",
    )
    page = await database.reads.entries(state.account.id)
    book = await database.reads.book(state.account.id)
    assert book is not None

    offence = verify_account(book.account, book.grants, page.entries, page.notes)

    assert offence is not None
    assert offence.seq == 4


async def test_all_accounts_can_be_gone_through(database: Database, clock: VirtualClock) -> None:
    states = [await provision(database, clock, github_id) for github_id in (1, 2, 3)]
    expected = [state.account.id for state in states]

    assert await database.reads.accounts(limit=2) == expected[:2]
    assert await database.reads.accounts(after=expected[1], limit=2) == expected[2:]
    assert await database.reads.accounts(after=expected[2], limit=2) == []


async def test_the_change_counter_moves_with_each_commit(database: Database, clock: VirtualClock) -> None:
    seen = {await database.reads.change_counter()}
    for number in range(5):
        await database.inbox.record(delivery(f"d{number}", clock.now()))
        seen.add(await database.reads.change_counter())

    assert len(seen) == 6


async def test_the_change_counter_of_a_file_stands_still_while_nothing_is_written(
    sqlite_url: str, clock: VirtualClock
) -> None:
    database = Database.connect(sqlite_url, clock=clock)
    await database.open()
    await database.inbox.record(delivery("a", clock.now()))
    before = await database.reads.change_counter()
    await database.inbox.list()
    await database.inbox.claim(partitions=0, deliveries=0, lease_seconds=60)

    assert await database.reads.change_counter() == before
    await database.close()


async def test_reading_changes_nothing_and_waits_for_no_writer(database: Database, clock: VirtualClock) -> None:
    state = await provision(database, clock, credits_=5)

    def look_from_inside(unit: Unit) -> int:
        unit.lock([state.customer.id], [], WANTED)
        return unit.new_ids(1)[0]

    await database.store.transact(look_from_inside)
    await spend(database, clock, state.customer.id, 1, "one")
    loaded = await database.reads.customer(state.customer.id)

    assert loaded is not None
    assert loaded.account.posted == 4

"""Checkpoints on both engines: every head gets under one, several processes don't disturb each other, none is lost."""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Sequence

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from billing.ledger.checkpoints import MOST_HEADS, Checkpoint, CheckpointAudit, CheckpointOffence, next_checkpoint
from billing.values import AccountId
from bot.checkpoints import CheckpointMaker
from bot.signing import Signer
from sandbox.clock import VirtualClock
from storage.audits import End, HeldCheckpoint
from storage.database import Database
from tests.storage.builders import provision, spend
from tests.storage.crowd import HASH, NUMBERS
from tests.storage.raw import engine_of, execute, scalar


def signer() -> Signer:
    made = Signer.of([SecretStr(base64.b64encode(bytes(range(32))).decode())])
    assert made is not None
    return made


SIGNER = signer()


def maker_of(database: Database, clock: VirtualClock) -> CheckpointMaker:
    return CheckpointMaker(database.checkpoints, SIGNER, clock)


async def all_held(database: Database) -> list[HeldCheckpoint]:
    """Every checkpoint, the first one first."""
    found: list[HeldCheckpoint] = []
    while isinstance(held := await database.audits.checkpoint(after=len(found)), HeldCheckpoint):
        found.append(held)
    assert held == End(stray=None)
    return found


async def offence_of(database: Database) -> CheckpointOffence | None:
    audit = CheckpointAudit(keys={SIGNER.key_id: SIGNER.public.has_signed})
    for held in await all_held(database):
        offence = audit.read(held.checkpoint, held.heads)
        if offence is not None:
            return offence
    return audit.close(stray=None)


async def fill_accounts(url: str, count: int) -> None:
    """So many accounts that have moved, as far as their heads tell."""
    engine = engine_of(url)
    numbers = NUMBERS[engine].format(rows=count)
    await execute(
        url,
        f"INSERT INTO customers (id, github_account_id, source, created_at) {numbers}SELECT n, n, 'x', 1 FROM numbers",
        f"INSERT INTO credit_accounts (id, customer_id, unit, version, next_expiry, head) {numbers}"
        f"SELECT n, n, 'credit', 1, 1, {HASH[engine]} FROM numbers",
    )


async def test_accounts_that_moved_get_under_the_next_checkpoint(database: Database, clock: VirtualClock) -> None:
    one = await provision(database, clock, 7, credits_=5)
    two = await provision(database, clock, 8, credits_=5)
    await provision(database, clock, 9)

    first = await maker_of(database, clock).make()
    nothing = await maker_of(database, clock).make()
    await spend(database, clock, two.customer.id, 2, "s")
    clock.advance(hours=1)
    second = await maker_of(database, clock).make()

    assert [(each.number, each.accounts) for each in (*first, *second)] == [(1, 2), (2, 1)]
    assert nothing == []
    held = await all_held(database)
    assert [[(one.head.account_id, one.head.version) for one in each.heads] for each in held] == [
        sorted([(one.account.id, 1), (two.account.id, 1)]),
        [(two.account.id, 2)],
    ]
    assert await offence_of(database) is None
    assert [each.number for each in await database.checkpoints.latest(limit=5)] == [2, 1]
    assert [each.number for each in await database.checkpoints.latest(before=2)] == [1]


async def test_what_vouches_for_an_account_is_found(database: Database, clock: VirtualClock) -> None:
    state = await provision(database, clock, 7, credits_=5)
    account_id = state.account.id
    assert await database.checkpoints.of_account(account_id, up_to=1) is None
    (first,) = await maker_of(database, clock).make()
    await spend(database, clock, state.customer.id, 2, "s")
    await provision(database, clock, 8, credits_=5)
    (second,) = await maker_of(database, clock).make()
    await spend(database, clock, state.customer.id, 1, "t")

    for up_to, checkpoint, seq in ((1, first, 1), (2, second, 2), (3, second, 2)):
        vouching = await database.checkpoints.of_account(account_id, up_to=up_to)
        assert vouching is not None
        assert (vouching.checkpoint, vouching.seq) == (checkpoint, seq)
    assert await database.checkpoints.of_account(account_id, up_to=0) is None


async def test_many_accounts_take_several_checkpoints(
    database: Database, database_url: str, clock: VirtualClock
) -> None:
    await fill_accounts(database_url, 2 * MOST_HEADS + 3)

    made = await maker_of(database, clock).make()

    assert [each.accounts for each in made] == [MOST_HEADS, MOST_HEADS, 3]
    held = await all_held(database)
    ids = [one.head.account_id for each in held for one in each.heads]
    assert ids == list(range(1, 2 * MOST_HEADS + 4))
    # These accounts have no journals, and that is the first thing to be said of them.
    found = await offence_of(database)
    assert found is not None
    assert (found.number, found.account_id, found.seq) == (1, 1, 1)
    assert "is missing" in found.problem


async def test_few_accounts_among_many_take_one_checkpoint(
    database: Database, database_url: str, clock: VirtualClock
) -> None:
    await fill_accounts(database_url, MOST_HEADS + 500)
    await maker_of(database, clock).make()
    moved = [1, MOST_HEADS, MOST_HEADS + 1, MOST_HEADS + 500]
    await execute(database_url, f"UPDATE credit_accounts SET version = 2 WHERE id IN ({', '.join(map(str, moved))})")

    made = await maker_of(database, clock).make()

    assert [each.accounts for each in made] == [4]
    assert [one.head.account_id for one in (await all_held(database))[-1].heads] == moved


async def test_each_is_told_in_the_log(database: Database, clock: VirtualClock) -> None:
    await provision(database, clock, 7, credits_=5)

    with capture_logs() as lines:
        (made,) = await maker_of(database, clock).make()

    assert [line for line in lines if line["event"] == "ledger_checkpoint"] == [
        {
            "event": "ledger_checkpoint",
            "log_level": "info",
            "number": 1,
            "digest": made.digest.hex(),
            "accounts": 1,
        }
    ]


async def test_it_stops_when_told_to(database: Database, database_url: str, clock: VirtualClock) -> None:
    await fill_accounts(database_url, 2 * MOST_HEADS)
    looks: list[None] = []

    def is_stopping() -> bool:
        looks.append(None)
        return len(looks) > 1

    made = await maker_of(database, clock).make(is_stopping=is_stopping)

    assert [each.number for each in made] == [1]
    assert [each.number for each in await maker_of(database, clock).make()] == [2]


async def together(url: str, clock: VirtualClock, work: Callable[[Database], Awaitable[None]]) -> None:
    """Do the same thing four times at the same time, each through connections of its own."""
    databases = [Database.connect(url, clock=clock) for _ in range(4)]
    for each in databases:
        await each.open()
    try:
        await asyncio.gather(*(work(each) for each in databases))
    finally:
        for each in databases:
            await each.close()


async def test_several_processes_make_one_chain(database: Database, database_url: str, clock: VirtualClock) -> None:
    for number in range(20):
        await provision(database, clock, 100 + number, credits_=1)
    made: list[Checkpoint] = []

    async def make(one: Database) -> None:
        made.extend(await maker_of(one, clock).make())

    await together(database_url, clock, make)

    assert sorted(each.number for each in made) == list(range(1, len(made) + 1))
    assert [each.accounts for each in made] == [20]
    assert await offence_of(database) is None


async def test_who_comes_second_adds_nothing(database: Database, clock: VirtualClock) -> None:
    await provision(database, clock, 7, credits_=1)
    heads = (await database.checkpoints.accounts(after=None)).moved
    (first,) = await maker_of(database, clock).make()

    assert not await database.checkpoints.add(first, heads)
    assert [each.checkpoint for each in await all_held(database)] == [first]


async def test_two_that_append_at_the_same_time_lose_nothing(
    database: Database, database_url: str, clock: VirtualClock
) -> None:
    """Both have looked, and both append: one does, the other finds that it is too late."""
    await provision(database, clock, 7, credits_=1)
    heads = (await database.checkpoints.accounts(after=None)).moved
    outcomes: list[bool] = []

    async def append(one: Database) -> None:
        checkpoint = next_checkpoint(None, heads, now=clock.now(), key_id=SIGNER.key_id, sign=SIGNER.sign)
        outcomes.append(await one.checkpoints.add(checkpoint, heads))

    await together(database_url, clock, append)

    assert sorted(outcomes) == [False, False, False, True]
    assert await scalar(database_url, "SELECT count(*) FROM ledger_checkpoints") == 1


async def test_a_head_without_its_checkpoint_is_stray(
    database: Database, database_url: str, clock: VirtualClock
) -> None:
    await provision(database, clock, 7, credits_=1)
    await maker_of(database, clock).make()
    for number in (0, -5, 2, 9):
        await execute(
            database_url,
            *_past_the_triggers(database_url),
            f"UPDATE ledger_heads SET checkpoint = {number}",
        )
        assert await database.audits.checkpoint(after=1) == End(stray=number)


@pytest.mark.parametrize("key", ["spend:other", ""])
async def test_an_entry_that_its_key_would_not_find_is_told(
    database: Database, database_url: str, clock: VirtualClock, key: str
) -> None:
    state = await provision(database, clock, 7, credits_=3)
    for number in range(3):
        await spend(database, clock, state.customer.id, 1, f"spend:{number}")
    assert await database.audits.wrong_key(state.account.id, first=1, last=4) is None

    await execute(
        database_url,
        *_past_the_triggers(database_url),
        f"UPDATE credit_transactions SET idempotency_key = '{key}' WHERE seq = 3",
    )

    assert await database.audits.wrong_key(state.account.id, first=1, last=4) == 3
    assert await database.audits.wrong_key(state.account.id, first=1, last=2) is None


async def test_whose_an_account_is(database: Database, clock: VirtualClock) -> None:
    state = await provision(database, clock, 7)
    owner = await database.audits.owner(state.account.id)

    assert owner is not None
    assert (owner.customer_id, owner.is_known) == (state.customer.id, True)
    assert await database.audits.owner(AccountId(12345)) is None


async def test_a_hold_that_is_not_its_shares_is_told(
    database: Database, database_url: str, clock: VirtualClock
) -> None:
    state = await provision(database, clock, 7)
    account = state.account.id
    hold = "INSERT INTO credit_holds (id, account_id, credits, state, made_at, expires_at) VALUES "
    share = "INSERT INTO hold_shares (hold_id, line, grant_number, amount) VALUES "
    await execute(database_url, f"{hold}(1, {account}, 5, 'open', 1, 2)", f"{share}(1, 0, 1, 2), (1, 1, 2, 3)")
    await execute(database_url, f"{hold}(2, {account}, 0, 'open', 1, 2)")
    assert await database.audits.wrong_hold(account) is None

    await execute(database_url, f"{hold}(3, {account}, 5, 'open', 1, 2)", f"{share}(3, 0, 1, 4)")

    assert await database.audits.wrong_hold(account) == 3
    assert await database.audits.wrong_hold(AccountId(account + 1)) is None


def _past_the_triggers(url: str) -> Sequence[str]:
    """What lets a statement past the triggers that would refuse it."""
    if engine_of(url) == "sqlite":
        tables = ("credit_transactions", "ledger_heads")
        return tuple(f"DROP TRIGGER IF EXISTS {table}_no_update" for table in tables)
    return ("SET session_replication_role = replica",)

"""What the database itself refuses, tried by hand over a connection without any of our settings, on both engines.

That nothing booked is updated, deleted, replaced or emptied is held in `test_append_only`, and that terms and ended
holds stay as they are in `test_guards_of_terms`.
"""

import pytest
from sqlalchemy.exc import DBAPIError

from sandbox.clock import VirtualClock
from storage.database import Database
from tests.storage.every_command import PAID, Desk
from tests.storage.raw import engine_of, everything, execute

COLUMNS = (
    "account_id, seq, kind, amount, balance_after, idempotency_key, key_hash, request_hash, occurred_at, recorded_at, "
    "actor, note_hash, previous_hash, hash, hash_version, held_after, debt_after"
)
NEW_KEY = {"sqlite": "randomblob(16)", "postgresql": "decode(md5(random()::text), 'hex')"}

NOTHING = {"sqlite": "zeroblob(32)", "postgresql": "decode(repeat('00', 32), 'hex')"}

FOLLOWS = "an entry must follow the last one of its account"
ONE_ROW = "a key stands for one entry or one refusal"

pytestmark = pytest.mark.usefixtures("desk")


@pytest.fixture
async def desk(database: Database, clock: VirtualClock) -> Desk:
    """A customer with five credits, two of them held beside a paid unit, a captured hold, and a remembered refusal."""
    desk = await Desk.opened(database, clock, credits_=6)
    await desk.do(desk.hold(1, "first"))
    await desk.do(await desk.capture(1))
    await desk.do(desk.hold(2, "held"))
    await desk.service.handle(desk.spend(9, "refused"))
    await desk.do(desk.hold(4, "with paid units", paid=PAID))
    return desk


async def refused(url: str, statement: str, reason: str, **parameters: object) -> None:
    """Hold that the database refuses the statement for this reason, and that nothing has changed."""
    before = await everything(url)
    with pytest.raises(DBAPIError, match=f"(?i){reason}"):
        await execute(url, statement, **parameters)
    assert await everything(url) == before


def entry(url: str, **changed: str) -> str:
    """The statement that books another entry behind the last one, but for what is changed about it."""
    values = {
        "seq": "seq + 1",
        "amount": "0",
        "key_hash": NEW_KEY[engine_of(url)],
        "previous_hash": "hash",
        **changed,
    }
    columns = COLUMNS.split(", ")
    selected = ", ".join(values.get(column, column) for column in columns)
    last = "seq = (SELECT max(seq) FROM credit_transactions)"
    return f"INSERT INTO credit_transactions ({COLUMNS}) SELECT {selected} FROM credit_transactions WHERE {last}"


async def test_an_entry_that_follows_the_last_one_is_accepted(database_url: str) -> None:
    """So that the others are refused for what is changed about them."""
    await execute(database_url, entry(database_url))


async def test_a_negative_balance_is_refused(database_url: str) -> None:
    await refused(
        database_url, "UPDATE credit_accounts SET posted = -1, held = -1", "credit_accounts_(posted|held)_check"
    )
    below = entry(database_url, amount="-1 - balance_after", balance_after="-1", held_after="-1")
    await refused(database_url, below, "balance_after_check")


async def test_a_negative_debt_is_refused(database_url: str) -> None:
    await refused(database_url, "UPDATE credit_accounts SET debt = -1", "credit_accounts_debt_check")
    await refused(database_url, entry(database_url, debt_after="-1"), "debt_after_check")


async def test_more_held_than_posted_is_refused(database_url: str) -> None:
    await refused(database_url, "UPDATE credit_accounts SET held = posted + 1", "credit_accounts_held_check")
    await refused(database_url, "UPDATE credit_accounts SET held = -1", "credit_accounts_held_check")
    await refused(database_url, entry(database_url, held_after="balance_after + 1"), "balance_after_check")


@pytest.mark.parametrize("place", ["remaining", "held", "spent", "expired", "revoked"])
async def test_an_overdrawn_grant_is_refused(database_url: str, place: str) -> None:
    other = "spent" if place == "remaining" else "remaining"
    overdrawn = f"UPDATE credit_grants SET {other} = {other} + {place} + 1, {place} = -1"

    await refused(database_url, overdrawn, "credit_grants_(places|taken)_check")


@pytest.mark.parametrize("change", ["remaining = remaining - 1", "spent = spent + 1"])
async def test_a_grant_whose_places_do_not_add_up_is_refused(database_url: str, change: str) -> None:
    await refused(database_url, f"UPDATE credit_grants SET {change}", "credit_grants_places_check")


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ("owed = amount + 1", "owed"),
        ("owed = -1", "owed"),
        ("reversed = amount + 1", "reversed"),
        ("reversed = -1", "reversed"),
        ("taken = revoked + 1", "taken"),
        ("taken = -1", "taken"),
    ],
)
async def test_more_taken_back_of_a_grant_than_it_was_is_refused(database_url: str, change: str, check: str) -> None:
    await refused(database_url, f"UPDATE credit_grants SET {change}", f"credit_grants_{check}_check")


async def test_more_captured_than_held_is_refused(database_url: str) -> None:
    beyond = "UPDATE credit_holds SET state = 'captured', captured = credits + paid_units + waived_units + 1 "
    beyond += "WHERE state = 'open'"

    await refused(database_url, beyond, "credit_holds_captured_check")


@pytest.mark.parametrize(
    "change", ["state = 'captured', captured = 0", "state = 'released', captured = 1", "state = 'open', captured = 1"]
)
async def test_a_capture_of_nothing_or_of_what_has_not_been_captured_is_refused(database_url: str, change: str) -> None:
    await refused(
        database_url, f"UPDATE credit_holds SET {change} WHERE state = 'open'", "credit_holds_captured_state_check"
    )


async def test_a_hold_of_less_than_nothing_is_refused(database_url: str) -> None:
    columns = ("credits", "paid_units", "waived_units", "price_cents")
    for negative in columns:
        values = ", ".join("-1" if column == negative else column for column in columns)
        another = (
            f"INSERT INTO credit_holds (id, account_id, {', '.join(columns)}, state, made_at, expires_at) "
            f"SELECT id + 1000, account_id, {values}, 'open', made_at, expires_at FROM credit_holds"
        )
        await refused(database_url, another, "credit_holds_(units|captured)_check")
    share = "INSERT INTO hold_shares (hold_id, line, grant_number, amount) SELECT hold_id, 7, 8, 0 FROM hold_shares"
    await refused(database_url, share, "hold_shares_amount_check")


async def test_a_second_charge_for_the_same_unit_is_refused(desk: Desk, database_url: str) -> None:
    await desk.do(desk.spend(1, "paid", paid=PAID))
    again = (
        "INSERT INTO charges (hold_id, number, account_id, seq, grant_number, amount_cents, created_at) "
        "SELECT hold_id, number, account_id, seq + 1, grant_number + 1, amount_cents, created_at FROM charges"
    )

    await refused(database_url, again, "unique|rows of charges stay")


async def test_a_second_row_for_a_key_is_refused(database_url: str) -> None:
    same = "(SELECT key_hash FROM credit_transactions WHERE seq = 2)"
    await refused(database_url, entry(database_url, key_hash=same), "unique|only ever added to")
    refusal = (
        "INSERT INTO refusals (key_hash, account_id, idempotency_key, request_hash, refusal, recorded_at) "
        "SELECT key_hash, account_id, idempotency_key, request_hash, '{}', recorded_at FROM refusals"
    )
    await refused(database_url, refusal, "unique|only ever added to")


async def test_a_key_that_was_refused_is_not_booked_nor_one_that_was_booked_refused(database_url: str) -> None:
    """Whoever asks again would be answered by the one or by the other."""
    refused_key = "(SELECT key_hash FROM refusals)"
    await refused(database_url, entry(database_url, key_hash=refused_key), ONE_ROW)
    refusal = (
        "INSERT INTO refusals (key_hash, account_id, idempotency_key, request_hash, refusal, recorded_at) "
        "SELECT {key_hash}, account_id, idempotency_key, request_hash, '{{}}', recorded_at "
        "FROM credit_transactions WHERE seq = 2"
    )
    await refused(database_url, refusal.format(key_hash="key_hash"), ONE_ROW)
    await execute(database_url, refusal.format(key_hash=NEW_KEY[engine_of(database_url)]))


async def test_an_entry_whose_amount_is_not_what_the_balance_changed_by_is_refused(database_url: str) -> None:
    await refused(database_url, entry(database_url, amount="999"), FOLLOWS)
    await refused(database_url, entry(database_url, amount="amount + 1"), FOLLOWS)
    await refused(database_url, entry(database_url, balance_after="balance_after + 1"), FOLLOWS)
    await execute(database_url, entry(database_url, amount="3", balance_after="balance_after + 3"))


async def test_a_first_entry_follows_nothing(database: Database, database_url: str, clock: VirtualClock) -> None:
    """By its hash, which is all zeros, and by its balance, which it makes."""
    other = await Desk.opened(database, clock, github_id=8)
    first = {
        "account_id": str(other.account_id),
        "seq": "1",
        "previous_hash": NOTHING[engine_of(database_url)],
        "amount": "balance_after",
    }
    assert not await execute(database_url, f"SELECT 1 FROM credit_transactions WHERE account_id = {other.account_id}")

    for change in ({"previous_hash": "hash"}, {"previous_hash": "note_hash"}, {"amount": "balance_after + 1"}):
        await refused(database_url, entry(database_url, **{**first, **change}), FOLLOWS)
    await execute(database_url, entry(database_url, **first))


async def test_a_gap_in_the_sequence_is_refused(database_url: str) -> None:
    await refused(database_url, entry(database_url, seq="seq + 2"), FOLLOWS)
    await refused(database_url, entry(database_url, seq="0"), FOLLOWS)


async def test_a_sequence_that_does_not_begin_with_one_is_refused(database_url: str) -> None:
    """In an account without any entry."""
    await refused(database_url, entry(database_url, account_id="account_id + 1000", seq="2"), FOLLOWS)


async def test_a_fork_of_the_sequence_is_refused(database_url: str) -> None:
    """A second entry behind the same one: by its number, and by its hash."""
    same_number = entry(database_url, seq="seq", previous_hash="previous_hash")
    await refused(database_url, same_number, "unique|only ever added to")
    await refused(database_url, entry(database_url, previous_hash="previous_hash"), FOLLOWS)


async def test_an_entry_behind_another_accounts_last_one_is_refused(
    database: Database, database_url: str, clock: VirtualClock
) -> None:
    other = await Desk.opened(database, clock, credits_=1, github_id=8)
    foreign = entry(database_url, account_id=str(other.account_id), seq="2")

    await refused(database_url, foreign, FOLLOWS)


async def test_a_booked_kind_that_nobody_knows_is_refused(database_url: str) -> None:
    await refused(database_url, entry(database_url, kind="'gift'"), "credit_transactions_kind_check")
    gift = (
        "INSERT INTO credit_grants (account_id, number, origin, category, priority, amount, remaining, effective_at, "
        "expires_at) SELECT account_id, 9, 'gift', category, 50, 1, 1, effective_at, expires_at FROM credit_grants"
    )
    await refused(database_url, gift, "credit_grants_origin_check")
    await refused(
        database_url, "UPDATE credit_holds SET state = 'lost' WHERE state = 'open'", "credit_holds_state_check"
    )

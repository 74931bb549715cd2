"""A journal as the first version of the program booked it, with its own encoding of what it hashed.

Written down here once more, apart from the program: what was booked verifies for ever, whatever the program becomes.
"""

import asyncio
from collections.abc import Sequence
from hashlib import blake2b, sha256

from tests.storage.raw import execute

ACCOUNT_ID = 2
BOOKED_AT = 1_793_611_800_000
DAY = 86_400_000
NEVER = 253_402_300_799_000
FIRST_HEAD = bytes(32)

Move = tuple[str, str, int, int]
"""From where, to where, of which grant, how many credits."""


def digest(*fields: str | int | bytes) -> bytes:
    """SHA-256 over the fields with their lengths, behind the version."""
    contents = [field if isinstance(field, bytes) else str(field).encode() for field in fields]
    return sha256(b"\x01" + b"".join(len(content).to_bytes(8, "big") + content for content in contents)).digest()


def terms(number: int, amount: int, expires_at: int) -> str:
    """The digest by which an entry vouches for a grant's terms."""
    fields = (number, "goodwill", "promotional", 50, amount, BOOKED_AT, expires_at, "", "")
    return digest("terms", *fields)[:16].hex()


JOURNAL: Sequence[tuple[str, int, int, str, Sequence[Move]]] = (
    ("grant", 5, 0, f"terms:{terms(1, 5, BOOKED_AT + DAY)}", [("issued", "grant", 1, 5)]),
    ("grant", 9, 0, f"terms:{terms(2, 9, NEVER)}", [("issued", "grant", 2, 9)]),
    ("spend", -6, 0, "repository:7#12", [("grant", "used", 1, 2), ("grant", "used", 2, 4)]),
    ("expire", -3, 1, "grant:1", [("grant", "expired", 1, 3)]),
    ("revoke", -1, 1, "", [("grant", "revoked", 2, 1)]),
)
"""Kind, amount, on which day, what it is about, and the moves; grant 1 is used up, of grant 2 four remain."""


def write(url: str) -> None:
    """Write the customer, the account, its grants and its journal into the tables of the first revision."""
    asyncio.run(_write(url))


async def _write(url: str) -> None:
    await execute(
        url,
        "INSERT INTO customers (id, github_account_id, github_login, source, created_at) "
        "VALUES (1, 7, 'octocat', 'github_installation', 5)",
        f"INSERT INTO credit_accounts (id, customer_id, unit, next_expiry, head) VALUES (2, 1, 'credit', {NEVER}, 'x')",
    )
    for number, (amount, remaining, expires_at) in enumerate(((5, 0, BOOKED_AT + DAY), (9, 4, NEVER)), start=1):
        await execute(
            url,
            "INSERT INTO credit_grants (account_id, number, origin, category, priority, amount, remaining, "
            f"effective_at, expires_at) VALUES (2, {number}, 'goodwill', 'promotional', 50, {amount}, {remaining}, "
            f"{BOOKED_AT}, {expires_at})",
        )
    head, balance = FIRST_HEAD, 0
    for seq in range(1, len(JOURNAL) + 1):
        balance += JOURNAL[seq - 1][1]
        head = await _book(url, seq, balance, head)
    await execute(
        url,
        f"UPDATE credit_accounts SET posted = {balance}, version = {len(JOURNAL)}, grants_made = 2, "
        f"booked_at = {BOOKED_AT + DAY}, head = :head",
        head=head,
    )


async def _book(url: str, seq: int, balance: int, previous: bytes) -> bytes:
    """Write an entry behind another one; its hash."""
    kind, amount, day, reference, moves = JOURNAL[seq - 1]
    at = BOOKED_AT + day * DAY
    key = f"{kind}:{seq}"
    numbered = [(line, *move) for line, move in enumerate(moves)]
    hashed = digest(
        "entry",
        *(previous, ACCOUNT_ID, seq, kind, amount, balance, key, b"request", at, at, "operator", reference, b""),
        len(moves),
        *(field for move in numbered for field in move),
    )
    await execute(
        url,
        "INSERT INTO credit_transactions (account_id, seq, kind, amount, balance_after, idempotency_key, key_hash, "
        "request_hash, occurred_at, recorded_at, actor, reference, note_hash, previous_hash, hash, hash_version) "
        f"VALUES (2, {seq}, '{kind}', {amount}, {balance}, '{key}', :key_hash, :request_hash, {at}, {at}, 'operator', "
        f"'{reference}', :note_hash, :previous, :hash, 1)",
        key_hash=blake2b(ACCOUNT_ID.to_bytes(8, "big") + key.encode(), digest_size=16).digest(),
        request_hash=b"request",
        note_hash=b"",
        previous=previous,
        hash=hashed,
    )
    for line, debit, credit, number, count in numbered:
        await execute(
            url,
            "INSERT INTO credit_moves (account_id, seq, line, debit, credit, grant_number, amount) "
            f"VALUES (2, {seq}, {line}, '{debit}', '{credit}', {number}, {count})",
        )
    return hashed

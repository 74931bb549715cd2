"""The hash chain: how an entry, a note, a grant's terms and a request become bytes, and those a SHA-256.

Every field is preceded by its length, so that no two different records have the same bytes; whole numbers are written
in decimal, times as milliseconds since 1970 in UTC, texts in UTF-8. The first field says what is being hashed, the byte
before it is the version of this encoding. Changing anything here needs a new version beside the old one: what was
booked must verify for ever (docs/decisions/0016-hash-chain-and-notes.md).
"""

from collections.abc import Iterable
from datetime import datetime
from hashlib import sha256
from typing import Final, assert_never

from billing.commands import Note
from billing.ledger.entries import Entry, Move
from billing.state import Grant
from billing.values import to_milliseconds

HASH_VERSION: Final = 1
"""The version of the encoding that new entries are hashed by."""

FIRST_HEAD: Final = bytes(32)
"""What the first entry of a chain follows."""

TERMS_BYTES: Final = 16
"""How much of the digest of a grant's terms its entry carries: enough that no other terms can be found for it."""

Field = int | str | bytes | datetime
"""What can be encoded."""


def digest(kind: str, fields: Iterable[Field]) -> bytes:
    """The SHA-256 of this kind of record with these fields, 32 bytes."""
    parts = [bytes([HASH_VERSION])]
    for field in (kind, *fields):
        content = _content(field)
        parts += [len(content).to_bytes(8, "big"), content]
    return sha256(b"".join(parts)).digest()


def hash_entry(entry: Entry) -> bytes:
    """The hash that belongs in the entry: over all its fields but that one, its moves included, 32 bytes."""
    return digest(
        "entry",
        (
            entry.previous_hash,
            entry.account_id,
            entry.seq,
            entry.kind.value,
            entry.amount,
            entry.balance_after,
            entry.key,
            entry.request_hash,
            entry.occurred_at,
            entry.recorded_at,
            entry.actor,
            entry.reference,
            entry.note_hash,
            *_moves(entry.moves),
        ),
    )


def hash_note(note: Note) -> bytes:
    """The salted hash by which an entry carries its note, 32 bytes. Without salt and text it tells nothing."""
    return digest("note", (note.salt, note.text, note.actor_name))


def digest_terms(grant: Grant) -> str:
    """The digest of everything about a grant that never changes, as 32 hexadecimal digits."""
    return digest(
        "terms",
        (
            grant.number,
            grant.origin.value,
            grant.category.value,
            grant.priority,
            grant.amount,
            grant.effective_at,
            grant.expires_at,
            grant.provider,
            "" if grant.period_starts_at is None else grant.period_starts_at,
        ),
    )[:TERMS_BYTES].hex()


def _moves(moves: tuple[Move, ...]) -> Iterable[Field]:
    yield len(moves)
    for move in moves:
        yield from (move.line, move.debit, move.credit, move.grant_number, move.amount)


def _content(field: Field) -> bytes:
    match field:
        case bytes():
            return field
        case str():
            return field.encode()
        case datetime():
            return b"%d" % to_milliseconds(field)
        case int():
            return b"%d" % field
        case _:
            assert_never(field)

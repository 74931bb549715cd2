"""The hash chain: how an entry, a note, a grant's terms and a request become bytes, and those a SHA-256.

Every field is preceded by its length, so that no two different records have the same bytes; whole numbers are written
in decimal, times as milliseconds since 1970 in UTC, texts in UTF-8. The first field says what is being hashed, the byte
before it is the version of this encoding. Changing anything here needs a new version beside the old one: what was
booked must verify for ever (docs/decisions/0016-hash-chain-and-notes.md).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from operator import attrgetter
from typing import Any, Final

from billing.commands import Note
from billing.ledger.entries import Entry
from billing.state import Grant, Hold
from billing.values import EntryKind, Place, to_milliseconds

HASH_VERSION: Final = 2
"""The version of the encoding that new entries are hashed by."""

RECORD_VERSION: Final = 1
"""The version of the encoding of everything else: notes, terms, requests, checkpoints."""

FIRST_HEAD: Final = bytes(32)
"""What the first entry of a chain follows."""

TERMS_BYTES: Final = 16
"""How much of the digest of a grant's terms its entry carries: enough that no other terms can be found for it."""

Field = int | str | bytes | datetime
"""What can be encoded."""

HASHED_FIELDS: Final[Mapping[int, tuple[str, ...]]] = {
    1: (
        "previous_hash",
        "account_id",
        "seq",
        "kind",
        "amount",
        "balance_after",
        "key",
        "request_hash",
        "occurred_at",
        "recorded_at",
        "actor",
        "reference",
        "note_hash",
    ),
    2: (
        "previous_hash",
        "account_id",
        "seq",
        "kind",
        "amount",
        "balance_after",
        "key",
        "request_hash",
        "occurred_at",
        "recorded_at",
        "actor",
        "reference",
        "note_hash",
        "unit",
        "held_after",
        "debt_after",
        "hold_id",
        "reverses",
    ),
}
"""What an entry's hash covers, by the version it was hashed under: its attributes in order; its moves follow. A signed
statement has the very same."""

_HASHED_OF: Final = {version: attrgetter(*names) for version, names in HASHED_FIELDS.items()}

_LENGTHS: Final = tuple(length.to_bytes(8, "big") for length in range(256))
"""The lengths of nearly all fields, as they are written."""


def digest(kind: str, fields: Iterable[Field], version: int = RECORD_VERSION) -> bytes:
    """The SHA-256 of this kind of record with these fields, 32 bytes."""
    parts = [bytes((version,)), _word(kind)]
    parts += [_WRITTEN[type(field)](field) for field in fields]
    return sha256(b"".join(parts)).digest()


def entry_fields(entry: Entry) -> Sequence[Field]:
    """All of the entry that its hash covers, in order: the attributes of its version, how many moves, and each move."""
    fields: list[Field] = [*_HASHED_OF[entry.hash_version](entry), len(entry.moves)]
    for move in entry.moves:
        fields += (move.line, move.debit, move.credit, move.grant_number, move.amount)
    return fields


def hash_entry(entry: Entry) -> bytes:
    """The hash that belongs in the entry: over all its fields but that one, its moves included, 32 bytes."""
    if entry.hash_version == HASH_VERSION:
        return _hash_newest(entry)
    return digest("entry", entry_fields(entry), entry.hash_version)


def seal(entry: Entry) -> Entry:
    """Give an entry that was just made its hash.

    It is changed in place: nobody has seen the entry without it, and a copy of its twenty fields would take as long as
    the hash.
    """
    entry.hash = hash_entry(entry)  # type: ignore[misc]
    return entry


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


def digest_hold(hold: Hold) -> str:
    """The digest of everything about a hold that never changes, as 32 hexadecimal digits. Its shares are moves."""
    return digest(
        "hold", (hold.id, hold.made_at, hold.reference, hold.paid_units, hold.price_cents, hold.waived_units)
    )[:TERMS_BYTES].hex()


def _hash_newest(entry: Entry) -> bytes:
    """The digest of an entry under the newest encoding, which every spend waits for.

    It is what `digest` makes of its fields, in half the time, since it needn't ask for the type of each.
    """
    parts = [
        _NEWEST_HEAD,
        _sized(entry.previous_hash),
        _often(entry.account_id),
        _number(entry.seq),
        _word(entry.kind),
        _often(entry.amount),
        _number(entry.balance_after),
        _text(entry.key),
        _sized(entry.request_hash),
        _moment(entry.occurred_at),
        _moment(entry.recorded_at),
        _word(entry.actor),
        _text(entry.reference),
        _sized(entry.note_hash),
        _word(entry.unit),
        _often(entry.held_after),
        _often(entry.debt_after),
        _often(entry.hold_id),
        _often(entry.reverses),
        _often(len(entry.moves)),
    ]
    for move in entry.moves:
        parts += (
            _often(move.line),
            _word(move.debit),
            _word(move.credit),
            _often(move.grant_number),
            _often(move.amount),
        )
    return sha256(b"".join(parts)).digest()


def _number(number: int) -> bytes:
    content = b"%d" % number
    return _LENGTHS[len(content)] + content


def _text(text: str) -> bytes:
    return _sized(text.encode())


def _sized(content: bytes) -> bytes:
    """The content behind its length."""
    length = len(content)
    return (_LENGTHS[length] if length < len(_LENGTHS) else length.to_bytes(8, "big")) + content


_word: Final = lru_cache(maxsize=256)(_text)
"""The same of a text of which there are few."""

_often: Final = lru_cache(maxsize=1024)(_number)
"""The same of a number that comes again and again: an account's, a moment's, a nought."""

_NEWEST_HEAD: Final = bytes((HASH_VERSION,)) + _text("entry")


@lru_cache(maxsize=256)
def _moment(moment: datetime) -> bytes:
    return _number(to_milliseconds(moment))


_WRITTEN: Final[Mapping[type, Callable[[Any], bytes]]] = {
    int: _often,
    str: _text,
    bytes: _sized,
    EntryKind: _word,
    Place: _word,
    datetime: _moment,
}
"""How each type of field becomes bytes behind their length. A type that isn't here is a bug, and says so."""

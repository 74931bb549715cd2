"""Rule 2: what every entry carries, that notes stand apart, and that the chain's encoding never changes by itself."""

from dataclasses import fields, replace
from datetime import UTC, datetime
from hashlib import sha256
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.commands import Note
from billing.ledger.chain import FIRST_HEAD, HASH_VERSION, digest, entry_fields, hash_entry, hash_note
from billing.ledger.entries import Entry, Move
from billing.ledger.verify import verify_account
from billing.values import AccountId, EntryKind, HoldId, Place
from tests.billing.builders import UNKNOWN, History, day, grant, spend, truth

ENTRY = Entry(
    account_id=AccountId(7),
    seq=3,
    kind=EntryKind.SPEND,
    amount=-3,
    balance_after=2,
    key="fix:81",
    request_hash=bytes(range(32)),
    occurred_at=datetime(2026, 12, 1, 9, tzinfo=UTC),
    recorded_at=datetime(2026, 12, 1, 9, 0, 1, 500_000, tzinfo=UTC),
    actor="key:4",
    reference="repository:7#12",
    note_hash=b"",
    moves=(
        Move(line=0, debit="grant", credit="used", grant_number=1, amount=1),
        Move(line=1, debit="grant", credit="used", grant_number=2, amount=2),
    ),
    previous_hash=FIRST_HEAD,
    hash=b"",
)


def test_the_encoding_is_the_one_that_was_booked_by() -> None:
    # These never change: what was booked under a version must verify for ever.
    assert hash_entry(ENTRY).hex() == "eb11ccd35ad8c1630f72bb74fc69c43e26a17ada3584fc70537c80181acf313c"
    note = Note(text="sorry", actor_name="Ada", salt=b"salt of sixteen.")
    assert hash_note(note).hex() == "d510cbe63239bb083874c0c1896a2a304fc565f5cb59b93caa4b13dccbb165f1"


def test_the_second_encoding_is_the_one_that_was_booked_by() -> None:
    assert HASH_VERSION == 2
    entry = replace(ENTRY, hash_version=2, held_after=1, debt_after=2, hold_id=HoldId(3))
    assert hash_entry(entry).hex() == "8c534ef7556a7047ec04043de658e72839fc672b14397fd33d163b4d870a6361"


def test_what_is_hashed_of_an_entry_can_be_had_in_order() -> None:
    entry = replace(ENTRY, hash_version=2, moves=ENTRY.moves[:1])
    assert list(entry_fields(entry)[-12:]) == [b"", "credit", 0, 0, 0, 0, 1, 0, "grant", "used", 1, 1]
    assert digest("entry", entry_fields(entry), 2) == hash_entry(entry)


def test_an_entry_is_of_the_unit_of_its_account() -> None:
    history = History()
    history.follow(truth(UNKNOWN))
    history.state = replace(history.customer, account=replace(history.customer.account, unit="minute"))
    history.do(grant(5, key="g"))
    history.do(spend(2, key="s"))
    assert [entry.unit for entry in history.journal] == ["minute"] * 2


MOVES = st.builds(
    Move,
    line=st.integers(0, 10**6),
    debit=st.sampled_from(Place),
    credit=st.sampled_from(Place),
    grant_number=st.integers(0, 10**6),
    amount=st.integers(1, 10**9),
)
ENTRIES = st.builds(
    Entry,
    account_id=st.integers(1, 2**62),
    seq=st.integers(1, 2**62),
    amount=st.integers(-(10**12), 10**12),
    balance_after=st.integers(0, 10**12),
    occurred_at=st.datetimes(timezones=st.just(UTC)),
    recorded_at=st.datetimes(timezones=st.just(UTC)),
    request_hash=st.binary(max_size=300),
    note_hash=st.binary(max_size=300),
    previous_hash=st.binary(max_size=300),
    key=st.text(max_size=300),
    reference=st.text(max_size=300),
    moves=st.lists(MOVES, max_size=4).map(tuple),
    hash_version=st.just(HASH_VERSION),
)


@given(ENTRIES)
def test_the_newest_encoding_is_that_of_its_fields_in_order(entry: Entry) -> None:
    """It is written out for speed; what a customer checks alone is the general one."""
    assert hash_entry(entry) == digest("entry", entry_fields(entry), HASH_VERSION)


@pytest.mark.parametrize("length", [255, 256, 257, 70_000])
def test_long_texts_are_encoded_alike_in_both_ways(length: int) -> None:
    entry = replace(ENTRY, hash_version=HASH_VERSION, key="k" * length)
    assert hash_entry(entry) == digest("entry", entry_fields(entry), HASH_VERSION)


def test_an_entry_of_very_many_moves_is_hashed_in_a_time_that_grows_with_them() -> None:
    """In one that grows with their square, this would take until the test is ended from outside."""
    count = 500_000
    entry = replace(ENTRY, moves=ENTRY.moves[:1] * count)
    assert len(entry_fields(entry)) == len(entry_fields(replace(ENTRY, moves=()))) + 5 * count


def test_long_fields_are_hashed_with_their_length_too() -> None:
    assert digest("note", ("a" * 256, "")) != digest("note", ("a" * 255, "a"))


@pytest.mark.parametrize("length", [255, 256, 70_000])
def test_a_field_stands_behind_its_length_in_eight_bytes(length: int) -> None:
    """What anybody can compute with a hash function and the guide."""
    encoded = b"\x01" + pack(">Q", 4) + b"note" + pack(">Q", length) + b"a" * length
    assert digest("note", ("a" * length,)) == sha256(encoded).digest()


def test_no_two_records_have_the_same_bytes() -> None:
    assert digest("entry", ("ab", "c")) != digest("entry", ("a", "bc"))
    assert digest("entry", ("a", "")) != digest("entry", ("a",))
    assert digest("entry", ("1",)) == digest("entry", (1,)), "types are told apart by their place, not by a mark"
    assert digest("entry", ("a",)) != digest("note", ("a",))


def test_every_field_of_an_entry_is_in_its_hash() -> None:
    entry = replace(ENTRY, hash_version=HASH_VERSION)
    other = {
        "held_after": 1,
        "debt_after": 1,
        "hold_id": HoldId(5),
        "reverses": 2,
        "unit": "fix",
        "hash_version": 1,
        "account_id": AccountId(8),
        "seq": 4,
        "kind": EntryKind.EXPIRE,
        "amount": -4,
        "balance_after": 3,
        "key": "fix:82",
        "request_hash": bytes(32),
        "occurred_at": datetime(2026, 12, 1, 9, 0, 0, 1000, tzinfo=UTC),
        "recorded_at": datetime(2026, 12, 1, 9, 0, 1, tzinfo=UTC),
        "actor": "key:5",
        "reference": "repository:7#13",
        "note_hash": bytes(32),
        "moves": ENTRY.moves[:1],
        "previous_hash": bytes(31) + b"\1",
    }
    assert {each.name for each in fields(Entry)} == {*other, "hash"}
    hashes = {hash_entry(replace(entry, **{name: value})) for name, value in other.items()}  # type: ignore[arg-type]
    assert len(hashes | {hash_entry(entry)}) == len(other) + 1


def test_rule_02_entries_carry_ids_only_and_the_notes_stand_apart() -> None:
    history = History()
    history.install()
    history.do(grant(7, key="cli:1", text="sorry, Grace"))
    history.wait(minutes=1)
    history.do(spend(6, key="fix:1", at=day(12, 1, 8)))
    signup, goodwill, spent = history.journal
    assert [entry.seq for entry in history.journal] == [1, 2, 3]
    assert [entry.balance_after for entry in history.journal] == [5, 12, 6]
    assert (signup.key, signup.actor, signup.note_hash) == ("signup", "delivery:1", b"")
    assert (goodwill.key, goodwill.actor, len(goodwill.note_hash)) == ("cli:1", "operator", 32)
    assert (spent.reference, spent.occurred_at, spent.recorded_at) == (
        "repository:7#12",
        day(12, 1, 8),
        day(12, 1, 9, 1),
    )
    assert [(move.grant_number, move.amount) for move in spent.moves] == [(1, 5), (2, 1)]
    assert signup.previous_hash == FIRST_HEAD
    assert (goodwill.previous_hash, spent.previous_hash) == (signup.hash, goodwill.hash)
    assert "Grace" not in repr(history.journal)
    assert "Ada" not in repr(history.journal)
    assert history.notes[2].text == "sorry, Grace"


def test_rule_02_the_chain_verifies_after_erasure() -> None:
    history = History()
    history.install()
    history.do(grant(7, key="cli:1"))
    state = history.customer
    assert verify_account(state.account, history.all_grants.values(), history.journal, {}) is None


def test_the_same_note_hashes_differently_under_another_salt() -> None:
    assert hash_note(Note(text="a", actor_name="b", salt=b"1")) != hash_note(Note(text="a", actor_name="b", salt=b"2"))

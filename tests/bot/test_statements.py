"""Signed statements as files: what is written is read back as it was, and whatever is changed in one is told."""

import base64
import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from billing.ledger.chain import FIRST_HEAD, HASHED_FIELDS, hash_entry
from billing.ledger.entries import Entry, Move
from billing.ledger.statements import FORMAT, Statement, digest_statement
from billing.values import AccountId, CustomerId, EntryKind, GitHubAccountId
from bot.signing import Signer
from bot.statements.checking import StatementReport, check_statement, read_statement
from bot.statements.csv_form import COLUMNS, csv_form
from bot.statements.json_form import json_form
from bot.statements.values import Form

FORMS: dict[str, Callable[[Statement, bytes], Form]] = {"json": json_form, "csv": csv_form}
NOW = datetime(2027, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
NASTY = (
    "=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "'", "''=1", "'quoted'", 'a "b", c', "a,b\r\nc",
    "", " ", "ü\N{PILE OF POO}\u2028", "\\", "#", "0123", "1e9", "null", "\x0b", "\ufeff",
)  # fmt: skip


def signer_of(seed: int) -> Signer:
    made = Signer.of([SecretStr(base64.b64encode(bytes([seed]) * 32).decode())])
    assert made is not None
    return made


SIGNER = signer_of(1)


def chained(*entries: Entry) -> tuple[Entry, ...]:
    """The entries numbered, summed up and hashed, each behind the one before it."""
    head, balance = FIRST_HEAD, 0
    done: list[Entry] = []
    for seq, entry in enumerate(entries, start=1):
        balance += entry.amount
        linked = replace(entry, seq=seq, previous_hash=head, balance_after=balance)
        linked = replace(linked, hash=hash_entry(linked))
        head = linked.hash
        done.append(linked)
    return tuple(done)


def entry_of(amount: int, *, version: int, key: str = "k", reference: str = "", moves: tuple[Move, ...] = ()) -> Entry:
    return Entry(
        account_id=AccountId(5),
        seq=0,
        kind=EntryKind.GRANT,
        amount=amount,
        balance_after=0,
        key=key,
        request_hash=bytes(range(32)),
        occurred_at=NOW - timedelta(days=1),
        recorded_at=NOW,
        actor="operator",
        reference=reference,
        note_hash=b"",
        moves=moves,
        previous_hash=b"",
        hash=b"",
        hash_version=version,
    )


def moves_of(*amounts: int) -> tuple[Move, ...]:
    return tuple(
        Move(line=line, debit="issued", credit="grant", grant_number=line + 1, amount=amount)
        for line, amount in enumerate(amounts)
    )


JOURNAL = chained(
    entry_of(9, version=1, key="=1+1", reference="terms:00", moves=moves_of(4, 5)),
    entry_of(-2, version=2, key="'@x", moves=moves_of(2)),
    entry_of(0, version=2),
)


def statement_of(journal: tuple[Entry, ...], *, first: int = 1, signer: Signer = SIGNER) -> Statement:
    last = journal[-1]
    before = journal[first - 2] if first > 1 else None
    return Statement(
        customer_id=CustomerId(1),
        github_account_id=GitHubAccountId(2),
        account_id=last.account_id,
        unit=last.unit,
        made_at=NOW,
        opening_entry=first - 1,
        opening_hash=before.hash if before else FIRST_HEAD,
        opening_balance=before.balance_after if before else 0,
        closing_entry=last.seq,
        closing_hash=last.hash,
        closing_balance=last.balance_after,
        closing_held=last.held_after,
        closing_debt=last.debt_after,
        checkpoint_number=7,
        checkpoint_digest=bytes(range(32)),
        checkpoint_entry=1,
        key_id=signer.key_id,
    )


def written(form: str, journal: tuple[Entry, ...] = JOURNAL, *, first: int = 1, signer: Signer = SIGNER) -> bytes:
    """A signed statement as a file."""
    statement = statement_of(journal, first=first, signer=signer)
    way = FORMS[form](statement, signer.sign(digest_statement(statement)))
    return (way.opening + way.between.join(way.entry(each) for each in journal[first - 1 :]) + way.closing).encode()


def found(content: bytes, *, signer: Signer = SIGNER) -> StatementReport:
    return check_statement(content, signer.publics)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("first", [1, 2, 3])
def test_what_was_written_holds_and_is_read_back_as_it_was(form: str, first: int) -> None:
    content = written(form, first=first)

    report = found(content)
    file = read_statement(content)

    assert (report.problem, report.where, report.entries) == ("", "", len(JOURNAL) - first + 1)
    assert file.statement == statement_of(JOURNAL, first=first) == report.statement
    assert tuple(file.entries) == JOURNAL[first - 1 :]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("text", NASTY)
def test_no_text_is_changed_by_writing_and_reading(form: str, text: str) -> None:
    journal = chained(entry_of(1, version=1, key=text, reference=text), entry_of(2, version=2, key=text))

    content = written(form, journal)

    assert found(content).problem == ""
    assert tuple(read_statement(content).entries) == journal


@given(st.sampled_from(sorted(FORMS)), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_no_text_at_all_is_changed_by_writing_and_reading(form: str, text: str) -> None:
    journal = chained(entry_of(1, version=2, key=text, reference=text[::-1]))

    assert tuple(read_statement(written(form, journal)).entries) == journal


@pytest.mark.parametrize("text", NASTY)
def test_no_cell_is_a_formula(text: str) -> None:
    """A spreadsheet takes a cell for one if it begins so, white space before it or not."""
    journal = chained(entry_of(1, version=2, key=text, reference=text, moves=moves_of(3)), entry_of(-1, version=2))
    rows = list(csv.reader(io.StringIO(written("csv", journal).decode(), newline="")))

    texts = [cell for row in rows for cell in row if not cell.lstrip("-").isdigit()]
    assert len(texts) > 50
    assert not [cell for cell in texts if cell.lstrip(" \t\r\n").startswith(("=", "+", "-", "@"))]


def test_the_bytes_of_csv_are_the_documented_ones() -> None:
    lines = written("csv").split(b"\r\n")

    assert lines[0] == b'"format","tallyhook-statement-1"'
    assert lines[1] == b'"customer_id","1"'
    assert lines[5] == b'"made_at","2027-01-02T03:04:05.678Z"'
    assert lines[18].startswith(b'"signature","')
    assert lines[19] == b""
    assert lines[20] == ",".join(f'"{name}"' for name in COLUMNS).encode()
    assert b'"\'=1+1"' in lines[21]
    assert b"\"''@x\"" in lines[22]
    assert b'"0:issued:grant:1:4 1:issued:grant:2:5"' in lines[21]
    assert lines[24:] == [b""]


def test_the_columns_are_all_that_any_version_hashes() -> None:
    assert set(COLUMNS) == {name for names in HASHED_FIELDS.values() for name in names} | {
        "hash_version",
        "moves",
        "hash",
    }


# ---------------------------------------------------------------- tampering


def others(value: Any) -> Iterator[Any]:
    """Values that differ from this one as little as possible, and some of other kinds."""
    match value:
        case bool() | None:
            raise AssertionError(value)
        case int():
            yield from (value + 1, value - 1, str(value), float(value), bool(value), None)
        case str():
            yield from (value + "0", value + " ", "'" + value, None, 5, [value])
            if value:
                yield from (value[:-1], value[1:], value.swapcase() if value.swapcase() != value else value[::-1] + "0")
        case list():
            yield from ([], [5], [*value, *value], value[1:], value[::-1] + value[:1], {}, None, "")
        case _:
            raise AssertionError(value)


DOCUMENT = json.loads(written("json"))
HEADING = [name for name in DOCUMENT if name != "entries"]


def test_the_heading_has_every_field_of_the_statement() -> None:
    assert ["format", *(field.name for field in fields(Statement)), "signature"] == HEADING


@pytest.mark.parametrize("name", [*HEADING, "entries"])
def test_whatever_is_changed_before_the_entries_is_told(name: str) -> None:
    for other in others(DOCUMENT[name]):
        if other != DOCUMENT[name] or type(other) is not type(DOCUMENT[name]):
            report = found(json.dumps(DOCUMENT | {name: other}).encode())
            assert report.problem, other
    without = {key: value for key, value in DOCUMENT.items() if key != name}
    assert found(json.dumps(without).encode()).problem == f"lacks {name}"


@pytest.mark.parametrize(
    ("place", "name"), [(place, name) for place, entry in enumerate(DOCUMENT["entries"]) for name in entry]
)
def test_whatever_is_changed_in_an_entry_is_told(place: int, name: str) -> None:
    entry = DOCUMENT["entries"][place]
    for other in others(entry[name]):
        if other == entry[name] and type(other) is type(entry[name]):
            continue
        entries = list(DOCUMENT["entries"])
        entries[place] = entry | {name: other}
        report = found(json.dumps(DOCUMENT | {"entries": entries}).encode())
        assert report.problem, other
        assert report.where in {f"entry {place + 1}", f"number {place + 1} of the entries"} or name == "seq", report
    entries = list(DOCUMENT["entries"])
    entries[place] = {key: value for key, value in entry.items() if key != name}
    report = found(json.dumps(DOCUMENT | {"entries": entries}).encode())
    assert report.where == f"number {place + 1} of the entries"


@pytest.mark.parametrize("name", [field.name for field in fields(Move)])
def test_whatever_is_changed_in_a_move_is_told(name: str) -> None:
    first, *rest = DOCUMENT["entries"]
    for place, move in enumerate(first["moves"]):
        for other in others(move[name]):
            moves = list(first["moves"])
            moves[place] = move | {name: other}
            report = found(json.dumps(DOCUMENT | {"entries": [first | {"moves": moves}, *rest]}).encode())
            assert report.where in {"entry 1", "number 1 of the entries"}, other


@pytest.mark.parametrize("level", ["heading", "entry", "move"])
def test_nothing_may_stand_there_that_is_not_signed(level: str) -> None:
    document = json.loads(written("json"))
    place = {
        "heading": document,
        "entry": document["entries"][0],
        "move": document["entries"][0]["moves"][0],
    }[level]
    place["note"] = "paid in full"

    assert found(json.dumps(document).encode()).problem == "has 'note', which isn't of this format"


def test_no_member_may_be_named_twice() -> None:
    """One program would show the first, another one check the last."""
    content = written("json").replace(b'"closing_balance": 7', b'"closing_balance": 700,\n"closing_balance": 7')

    assert found(content).problem == "has an object that names a member twice"


@pytest.mark.parametrize("half", ["\\ud800", "\\udfff", "x\\udc00y"])
def test_half_a_pair_of_surrogates_is_no_text(half: str) -> None:
    """JSON can escape one, which no encoding has."""
    assert found(written("json").replace(b'"=1+1"', f'"{half}"'.encode())).problem == "has a malformed key"
    assert found(written("json").replace(b'"unit": "credit"', f'"unit": "{half}"'.encode())).problem
    heading = written("json").replace(FORMAT.encode(), half.encode())
    assert found(heading).problem == f"isn't a {FORMAT}"
    named = written("json").replace(b'"closing_debt"', f'"{half}"'.encode())
    assert found(named).problem == "lacks closing_debt"


def test_a_whole_number_has_one_spelling() -> None:
    content = written("json")
    assert b'"closing_debt": 0' in content
    for other in (b"-0", b"0.0", b"0e0", b"1" + b"0" * 19, b"-" + b"9" * 5_000):
        changed = content.replace(b'"closing_debt": 0', b'"closing_debt": ' + other)
        assert "malformed" in found(changed).problem, other


def test_an_entry_of_the_first_version_has_no_columns_of_the_second() -> None:
    rows = list(csv.reader(io.StringIO(written("csv").decode(), newline="")))
    header, first = rows[20], rows[21]
    assert first[header.index("unit")] == ""
    first[header.index("unit")] = "credit"
    line = io.StringIO()
    csv.writer(line).writerows(rows)

    assert found(line.getvalue().encode()).problem == "has a unit, which its hash doesn't cover"


CSV_ROWS = list(csv.reader(io.StringIO(written("csv").decode(), newline="")))


@pytest.mark.parametrize(
    ("row", "column"), [(row, column) for row, cells in enumerate(CSV_ROWS) for column in range(len(cells))]
)
def test_whatever_is_changed_in_a_cell_is_told(row: int, column: int) -> None:
    cell = CSV_ROWS[row][column]
    for other in {cell + "0", cell + " ", cell[:-1], cell[1:], "'" + cell, "=" + cell, "x", ""} - {cell}:
        rows = [list(cells) for cells in CSV_ROWS]
        rows[row][column] = other
        line = io.StringIO()
        csv.writer(line).writerows(rows)
        assert found(line.getvalue().encode()).problem, (cell, other)


@pytest.mark.parametrize("form", FORMS)
def test_every_flipped_byte_of_a_file_is_told(form: str) -> None:
    content = written(form)
    for place in range(len(content)):
        changed = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        assert found(changed).problem, changed[max(place - 20, 0) : place + 20]


@given(st.data())
def test_any_flipped_bit_of_a_file_is_told(data: st.DataObject) -> None:
    content = bytearray(written(data.draw(st.sampled_from(sorted(FORMS)))))
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))

    assert found(bytes(content)).problem


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", range(3))
def test_an_entry_that_was_removed_or_doubled_is_told(form: str, place: int) -> None:
    statement = statement_of(JOURNAL)
    way = FORMS[form](statement, SIGNER.sign(digest_statement(statement)))

    def content(entries: tuple[Entry, ...]) -> bytes:
        return (way.opening + way.between.join(way.entry(each) for each in entries) + way.closing).encode()

    assert found(content((*JOURNAL[:place], *JOURNAL[place + 1 :]))).problem
    assert found(content((*JOURNAL[:place], JOURNAL[place], *JOURNAL[place:]))).problem
    assert found(content(())).problem == "ends with entry 0 and says that it ends with entry 3"


@pytest.mark.parametrize("form", FORMS)
def test_a_statement_of_another_key_is_not_ours(form: str) -> None:
    other = signer_of(2)

    assert found(written(form, signer=other), signer=other).problem == ""
    assert found(written(form, signer=other)).problem == (
        f"names key {other.key_id!r} as its signer; the key that was given is {SIGNER.key_id}"
    )


def test_who_rewrites_it_all_lacks_the_key() -> None:
    """Everything fits but the signature: names ours, was made by another."""
    forger = signer_of(2)
    journal = chained(entry_of(900, version=2))
    statement = statement_of(journal)
    way = json_form(statement, forger.sign(digest_statement(statement)))

    report = found((way.opening + way.entry(journal[0]) + way.closing).encode())

    assert (report.where, report.problem) == (
        "",
        "has a signature that doesn't fit: something before its entries was changed",
    )


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "has no row format where that should be"),
        (b"\xff", "isn't UTF-8 text"),
        (b"{", "isn't well-formed JSON"),
        (b"{}", "lacks account_id"),
        (b'{"a":' * 100_000, "isn't well-formed JSON"),
        (b'"format","x', "isn't well-formed CSV"),
        (b'"format","tallyhook-statement-1","more"\r\n', "has no row format where that should be"),
        (written("csv").replace(b"\r\n\r\n", b"\r\n"), "has no empty row and row of columns before its entries"),
        (written("csv") + b'"2"\r\n', f"has 1 cells where {len(COLUMNS)} should be"),
        (written("csv").replace(b"statement-1", b"statement-2"), f"isn't a {FORMAT}"),
    ],
)
def test_what_is_no_statement_is_told(content: bytes, problem: str) -> None:
    report = found(content)

    assert (report.problem, report.statement is None or problem.startswith("has 1 cells")) == (problem, True)

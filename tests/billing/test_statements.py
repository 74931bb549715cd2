"""Statements: whatever is changed in one, its entries or what stands before them, the audit or the digest tells."""

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

import pytest

from billing.ledger.chain import FIRST_HEAD, hash_entry
from billing.ledger.entries import Entry
from billing.ledger.statements import Statement, StatementAudit, digest_statement
from billing.values import AccountId, CustomerId, GitHubAccountId
from tests.billing.builders import History, day, grant, revoke, spend


def eventful() -> History:
    history = History()
    history.install()
    history.do(grant(4, key="g"))
    history.do(spend(6, key="s"))
    history.do(revoke(1, key="r"))
    return history


HISTORY = eventful()
JOURNAL = tuple(HISTORY.journal)
ACCOUNT = HISTORY.customer.account


def statement_from(first: int) -> Statement:
    """What the account's statement from this entry on says beside its entries."""
    before = JOURNAL[first - 2] if first > 1 else None
    return Statement(
        customer_id=CustomerId(1),
        github_account_id=GitHubAccountId(2),
        account_id=ACCOUNT.id,
        unit=ACCOUNT.unit,
        made_at=day(12, 9),
        opening_entry=first - 1,
        opening_hash=before.hash if before else FIRST_HEAD,
        opening_balance=before.balance_after if before else 0,
        closing_entry=ACCOUNT.version,
        closing_hash=ACCOUNT.head,
        closing_balance=ACCOUNT.posted,
        closing_held=ACCOUNT.held,
        closing_debt=ACCOUNT.debt,
        checkpoint_number=7,
        checkpoint_digest=bytes(range(32)),
        checkpoint_entry=1,
        key_id="0123456789abcdef",
    )


def problem_of(statement: Statement, entries: Sequence[Entry] = JOURNAL) -> str:
    """The first problem, "" if there is none."""
    audit = StatementAudit(statement)
    problem = audit.open()
    for entry in entries:
        problem = problem or audit.read(entry)
    return problem or audit.close()


@pytest.mark.parametrize("first", range(1, len(JOURNAL) + 2))
def test_a_statement_holds_from_any_entry_on(first: int) -> None:
    assert problem_of(statement_from(first), JOURNAL[first - 1 :]) == ""


def test_a_statement_of_nothing_holds() -> None:
    empty = replace(
        statement_from(1), closing_entry=0, closing_hash=FIRST_HEAD, closing_balance=0, closing_held=0, closing_debt=0
    )

    assert problem_of(empty, ()) == ""


@pytest.mark.parametrize("name", [field.name for field in fields(Statement)])
def test_every_field_is_signed(name: str) -> None:
    statement = statement_from(1)
    value = getattr(statement, name)
    change: dict[str, Any] = {
        name: value + 1 if isinstance(value, int) else day(1, 1) if name == "made_at" else value + value[:1]
    }

    assert digest_statement(replace(statement, **change)) != digest_statement(statement)


NO_BEGINNING = "doesn't begin at the beginning, where nothing comes before the first entry"


def come_to(balance: int, held: int, debt: int) -> str:
    """What is said of an ending that says this much and isn't so."""
    return (
        f"says balance, held and debt are {balance}, {held} and {debt},"
        f" while its entries come to {ACCOUNT.posted}, 0 and 0"
    )


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"opening_balance": 1}, NO_BEGINNING),
        ({"opening_hash": bytes(31) + b"\1"}, NO_BEGINNING),
        ({"opening_entry": -1}, NO_BEGINNING),
        ({"opening_entry": 1}, "follows entry 1: those between are missing"),
        ({"account_id": AccountId(ACCOUNT.id + 1)}, "is of another account"),
        ({"unit": "token"}, "is of another account"),
        (
            {"closing_entry": ACCOUNT.version + 1},
            f"ends with entry {ACCOUNT.version} and says that it ends with entry {ACCOUNT.version + 1}",
        ),
        ({"closing_hash": bytes(32)}, "says that its last entry has another hash than it has"),
        ({"closing_balance": ACCOUNT.posted + 1}, come_to(ACCOUNT.posted + 1, 0, 0)),
        ({"closing_held": 1}, come_to(ACCOUNT.posted, 1, 0)),
        ({"closing_debt": 1}, come_to(ACCOUNT.posted, 0, 1)),
    ],
)
def test_what_it_says_of_its_entries_must_hold(change: dict[str, Any], problem: str) -> None:
    assert problem_of(replace(statement_from(1), **change)) == problem


def test_a_changed_entry_is_found() -> None:
    for place, entry in enumerate(JOURNAL):
        for name in ("amount", "balance_after", "occurred_at", "key", "moves"):
            value = getattr(entry, name)
            other: Any = {"occurred_at": day(11, 11), "key": "other", "moves": ()}.get(name, value)
            change: dict[str, Any] = {name: value + 1 if isinstance(value, int) else other}
            changed = replace(entry, **change)
            journal = (*JOURNAL[:place], changed, *JOURNAL[place + 1 :])
            assert problem_of(statement_from(1), journal) == "was changed: its hash is another"


def rehashed(entry: Entry, **change: Any) -> Entry:
    """The entry changed by somebody who knows how to hash."""
    changed = replace(entry, **change)
    return replace(changed, hash=hash_entry(changed))


def test_a_forged_entry_does_not_fit_between_the_others() -> None:
    first, second, *rest = JOURNAL

    def problem(*journal: Entry) -> str:
        return problem_of(statement_from(1), journal)

    assert problem(rehashed(first, key="other"), second, *rest) == "doesn't follow the entry before it"
    assert problem(first, rehashed(second, previous_hash=bytes(32)), *rest) == "doesn't follow the entry before it"
    assert problem(rehashed(first, balance_after=99), second, *rest) == f"makes 0 and {first.amount} a balance of 99"
    assert problem(first, *rest) == "follows entry 1: those between are missing"
    assert problem(*JOURNAL[:-1], rehashed(JOURNAL[-1], key="other")) == (
        "says that its last entry has another hash than it has"
    )


def test_what_is_held_and_owed_is_that_of_the_last_entry() -> None:
    entry = rehashed(JOURNAL[0], held_after=2, debt_after=3, hash_version=2)
    statement = replace(
        statement_from(1),
        closing_entry=1,
        closing_hash=entry.hash,
        closing_balance=entry.balance_after,
        closing_held=2,
        closing_debt=3,
    )

    assert problem_of(statement, (entry,)) == ""
    assert problem_of(replace(statement, closing_held=0), (entry,)).endswith("come to 5, 2 and 3")


def test_the_encoding_is_the_one_that_was_signed_by() -> None:
    """Statements are with customers for years: whoever changes the encoding has to keep this one, too."""
    statement = statement_from(1)
    values: list[bytes] = []
    for field in fields(Statement):
        value = getattr(statement, field.name)
        match value:
            case int():
                values.append(b"%d" % value)
            case str():
                values.append(value.encode())
            case datetime():
                values.append(b"%d" % (value.timestamp() * 1000))
            case _:
                values.append(value)
    parts = [b"statement", b"tallyhook-statement-1", *values]
    encoded = b"\x01" + b"".join(len(part).to_bytes(8, "big") + part for part in parts)

    assert digest_statement(statement) == sha256(encoded).digest()

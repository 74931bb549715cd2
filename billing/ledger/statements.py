"""A statement that a customer can check alone: what it says beside its entries, and the checks of both.

The head of the journal vouches for every entry before it, and the signature for the head; so a signature over the few
fields of `Statement` vouches for all of it (docs/statement-format.md has the format, field by field).
"""

from dataclasses import astuple
from datetime import datetime
from typing import Final

from billing.ledger.chain import FIRST_HEAD, digest, hash_entry
from billing.ledger.entries import Entry
from billing.values import AccountId, CustomerId, GitHubAccountId, value

FORMAT: Final = "tallyhook-statement-1"
"""The first thing that is signed. Another format gets another name."""


@value
class Statement:
    """All of a statement but its entries and its signature, in the order in which it is signed. Amounts in credits.

    Attributes:
        made_at: as which moment it tells the account.
        opening_entry: the entry that its first one follows, with that one's hash and the balance after it; 0, zeroes
            and 0 where it begins at the beginning.
        closing_entry: the last one, with its hash and what the account came to with it: balance, held of it, and debt.
        checkpoint_number: the newest checkpoint that vouches for this journal, with its digest, and the entry up to
            which it does; 0, empty and 0 if none does yet.
        key_id: which key has signed it.
    """

    customer_id: CustomerId
    github_account_id: GitHubAccountId
    account_id: AccountId
    unit: str
    made_at: datetime
    opening_entry: int
    opening_hash: bytes
    opening_balance: int
    closing_entry: int
    closing_hash: bytes
    closing_balance: int
    closing_held: int
    closing_debt: int
    checkpoint_number: int
    checkpoint_digest: bytes
    checkpoint_entry: int
    key_id: str


def digest_statement(statement: Statement) -> bytes:
    """The digest that is signed, 32 bytes."""
    return digest("statement", (FORMAT, *astuple(statement)))


class StatementAudit:
    """Goes through a statement's entries in their order, and holds what it says of them against them."""

    def __init__(self, statement: Statement) -> None:
        self._statement = statement
        self._seq = statement.opening_entry
        self._head = statement.opening_hash
        self._balance = statement.opening_balance
        self._held = statement.closing_held
        self._debt = statement.closing_debt

    def open(self) -> str:
        """What is wrong with where it begins; "" if nothing is."""
        opening = (self._seq, self._head, self._balance)
        is_possible = self._seq > 0 or opening == (0, FIRST_HEAD, 0)
        return "" if is_possible else "doesn't begin at the beginning, where nothing comes before the first entry"

    def read(self, entry: Entry) -> str:
        """What is wrong with the next entry; "" if nothing is. After a problem the audit is over."""
        problem = self._problem(entry)
        self._seq, self._head, self._balance = entry.seq, entry.hash, entry.balance_after
        self._held, self._debt = entry.held_after, entry.debt_after
        return problem

    def close(self) -> str:
        """What is wrong with where it ends; "" if nothing is."""
        said = self._statement
        if said.closing_entry != self._seq:
            return f"ends with entry {self._seq} and says that it ends with entry {said.closing_entry}"
        if said.closing_hash != self._head:
            return "says that its last entry has another hash than it has"
        come_to = (self._balance, self._held, self._debt)
        told = (said.closing_balance, said.closing_held, said.closing_debt)
        if told != come_to:
            return f"says balance, held and debt are {_listed(told)}, while its entries come to {_listed(come_to)}"
        return ""

    def _problem(self, entry: Entry) -> str:
        if entry.hash != hash_entry(entry):
            return "was changed: its hash is another"
        if entry.account_id != self._statement.account_id or entry.unit != self._statement.unit:
            return "is of another account"
        if entry.seq != self._seq + 1:
            return f"follows entry {self._seq}: those between are missing"
        if entry.previous_hash != self._head:
            return "doesn't follow the entry before it"
        if entry.balance_after != self._balance + entry.amount:
            return f"makes {self._balance} and {entry.amount} a balance of {entry.balance_after}"
        return ""


def _listed(amounts: tuple[int, int, int]) -> str:
    return f"{amounts[0]}, {amounts[1]} and {amounts[2]}"

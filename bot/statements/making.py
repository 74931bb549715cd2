"""Making a signed statement: the journal is read twice, once to vouch for it and once to write it down."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from billing.errors import BillingError
from billing.ledger.chain import FIRST_HEAD
from billing.ledger.entries import Entry
from billing.ledger.statements import Statement, StatementAudit, digest_statement
from billing.ports import Clock
from billing.state import CreditAccount, Customer
from billing.values import to_the_millisecond
from bot.signing import Signer
from storage.checkpoints import Checkpoints
from storage.reads import Reads

PAGE_SIZE: Final = 500


class BrokenJournalError(BillingError):
    """The journal doesn't hold, and so nothing was signed."""

    def __init__(self, account: CreditAccount, problem: str) -> None:
        super().__init__(f"the journal of account {account.id} is broken: {problem}; run `tallyhook verify`")


class NoSuchEntryError(BillingError):
    """A statement can't begin at this entry."""

    def __init__(self, first: int, last: int) -> None:
        super().__init__(f"there is no entry {first}; the journal ends with entry {last}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedStatement:
    """A statement and its signature. Its entries are read as they are written."""

    statement: Statement
    signature: bytes


class StatementMaker:
    """Makes statements. Memory grows with a page of the journal.

    Args:
        reads, checkpoints: of the database.
        signer: signs.
        clock: the time.
    """

    def __init__(self, reads: Reads, checkpoints: Checkpoints, *, signer: Signer, clock: Clock) -> None:
        self._reads = reads
        self._checkpoints = checkpoints
        self._signer = signer
        self._clock = clock

    async def make(self, customer: Customer, account: CreditAccount, *, first: int = 1) -> SignedStatement:
        """Vouch for an account's journal from an entry on, up to the account as it is given.

        Raises:
            NoSuchEntryError: there is no such entry to begin with.
            BrokenJournalError: the journal isn't as it was booked.
        """
        if not 0 < first <= max(account.version, 1):
            raise NoSuchEntryError(first, account.version)
        statement = await self._statement(customer, account, first)
        audit = StatementAudit(statement)
        problem = audit.open()
        async for entry in self.entries(statement):
            problem = problem or audit.read(entry)
            if problem:
                raise BrokenJournalError(account, f"entry {entry.seq} {problem}")
        problem = problem or audit.close()
        if problem:
            raise BrokenJournalError(account, f"it {problem}")
        return SignedStatement(statement=statement, signature=self._signer.sign(digest_statement(statement)))

    async def entries(self, statement: Statement) -> AsyncIterator[Entry]:
        """The statement's entries, page by page."""
        seq = statement.opening_entry
        while seq < statement.closing_entry:
            limit = min(PAGE_SIZE, statement.closing_entry - seq)
            page = await self._reads.entries(statement.account_id, after_seq=seq, limit=limit)
            if not page:
                return
            for entry in page.entries:
                yield entry
            seq = page.entries[-1].seq

    async def _statement(self, customer: Customer, account: CreditAccount, first: int) -> Statement:
        before = await self._reads.entries(account.id, after_seq=first - 2, limit=1) if first > 1 else None
        opening = before.entries[0] if before else None
        vouching = await self._checkpoints.of_account(account.id, up_to=account.version)
        return Statement(
            customer_id=customer.id,
            github_account_id=customer.github_account_id,
            account_id=account.id,
            unit=account.unit,
            made_at=to_the_millisecond(self._clock.now()),
            opening_entry=first - 1,
            opening_hash=opening.hash if opening else FIRST_HEAD,
            opening_balance=opening.balance_after if opening else 0,
            closing_entry=account.version,
            closing_hash=account.head,
            closing_balance=account.posted,
            closing_held=account.held,
            closing_debt=account.debt,
            checkpoint_number=vouching.checkpoint.number if vouching else 0,
            checkpoint_digest=vouching.checkpoint.digest if vouching else b"",
            checkpoint_entry=vouching.seq if vouching else 0,
            key_id=self._signer.key_id,
        )

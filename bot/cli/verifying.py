"""Going through every account's journal, page by page, beside a server that goes on writing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from billing.ledger.verify import Audit, Offence
from billing.values import AccountId, CustomerId
from storage.reads import AccountBook, Reads

PAGE_SIZE: Final = 500
ACCOUNTS_AT_ONCE: Final = 200


@dataclass(slots=True, kw_only=True)
class Report:
    """What was gone through, and the first offence with its customer."""

    accounts: int = 0
    entries: int = 0
    offence: Offence | None = None
    customer_id: CustomerId | None = None


class Verification:
    """Checks every account. Memory grows with one page, and one account's grants.

    Args:
        reads: of the database.
        on_progress: gets the report so far, once a page.
    """

    def __init__(self, reads: Reads, *, on_progress: Callable[[Report], None]) -> None:
        self._reads = reads
        self._on_progress = on_progress
        self._report = Report()

    async def run(self) -> Report:
        """Go through all accounts up to the first offence."""
        last: AccountId | None = None
        while ids := await self._reads.accounts(after=last, limit=ACCOUNTS_AT_ONCE):
            for account_id in ids:
                offence = await self._check(account_id)
                if offence is not None:
                    self._report.offence = offence
                    self._report.customer_id = await self._customer_of(account_id)
                    return self._report
                self._report.accounts += 1
            last = ids[-1]
        return self._report

    async def _check(self, account_id: AccountId) -> Offence | None:
        """Hold one account, as it stood at one moment, against its journal up to that moment."""
        book = await self._reads.book(account_id)
        if book is None:
            return Offence(account_id=account_id, seq=0, problem="is gone")
        audit = Audit(account_id)
        seq, version = 0, book.account.version
        while seq < version:
            page = await self._reads.entries(account_id, after_seq=seq, limit=min(PAGE_SIZE, version - seq))
            if not page:
                break
            offence = audit.read(page.entries, page.notes)
            if offence is not None:
                return offence
            seq = page.entries[-1].seq
            self._report.entries += len(page.entries)
            self._on_progress(self._report)
        return audit.close(book.account, book.grants) or await self._beyond(book)

    async def _beyond(self, book: AccountBook) -> Offence | None:
        """Tell entries that a server wrote meanwhile from those that the account's head never knew."""
        account = book.account
        page = await self._reads.entries(account.id, after_seq=account.version, limit=1)
        if not page:
            return None
        now = await self._reads.book(account.id)
        seq = page.entries[0].seq
        if now is not None and now.account.version >= seq:
            return None
        return Offence(account_id=account.id, seq=seq, problem="lies beyond the account's head")

    async def _customer_of(self, account_id: AccountId) -> CustomerId | None:
        """Return whose account it is."""
        last = CustomerId(-1)
        while states := await self._reads.customers(limit=ACCOUNTS_AT_ONCE, after=last):
            for state in states:
                if state.account.id == account_id:
                    return state.customer.id
            last = states[-1].customer.id
        return None

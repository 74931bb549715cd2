"""Going through every account's journal, page by page, and through all checkpoints, beside a server that goes on."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from billing.ledger.chain import hash_entry
from billing.ledger.checkpoints import Checkpoint, CheckpointAudit, CheckpointOffence, Expectation
from billing.ledger.verify import Audit, Offence
from billing.values import AccountId, CustomerId
from bot.signing import PublicKey
from storage.audits import UNREADABLE, Audits, End
from storage.books import AccountBook
from storage.reads import Reads

PAGE_SIZE: Final = 500
ACCOUNTS_AT_ONCE: Final = 200


@dataclass(slots=True, kw_only=True)
class Report:
    """What was gone through, and the first offence with its customer.

    Attributes:
        newest: the last checkpoint, by whose digest everything before it can be held to account later.
        are_signatures_checked: whether there were keys to check the checkpoints' signatures by.
    """

    accounts: int = 0
    entries: int = 0
    checkpoints: int = 0
    newest: Checkpoint | None = None
    are_signatures_checked: bool = False
    offence: Offence | CheckpointOffence | None = None
    customer_id: CustomerId | None = None

    @property
    def where(self) -> str:
        """The place of the offence, in words."""
        offence = self.offence
        assert offence is not None, "nothing is broken"
        parts = [f"checkpoint {offence.number}"] if isinstance(offence, CheckpointOffence) else []
        if offence.account_id is not None:
            parts += [f"customer {self.customer_id}"] if self.customer_id is not None else []
            parts += [f"account {offence.account_id}", f"entry {offence.seq}" if offence.seq else "the account"]
        return ", ".join(parts)


class Verification:
    """Checks every account and every checkpoint.

    Memory grows with one page, and with one account's grants, holds and charges.

    Args:
        reads: of the database.
        audits: of the same.
        on_progress: gets the report so far, once a page.
        keys: whose signatures count. Without any, the checkpoints' signatures go unchecked.
        expected: digests that were kept outside.
    """

    def __init__(
        self,
        reads: Reads,
        audits: Audits,
        *,
        on_progress: Callable[[Report], None],
        keys: Iterable[PublicKey] = (),
        expected: Sequence[Expectation] = (),
    ) -> None:
        self._reads = reads
        self._audits = audits
        self._on_progress = on_progress
        self._keys = {key.key_id: key.has_signed for key in keys}
        self._expected = expected
        self._report = Report(are_signatures_checked=bool(self._keys))
        self._seq = 0

    async def run(self) -> Report:
        """Go through all accounts, then all checkpoints, up to the first offence."""
        report = self._report
        report.offence = await self._first_offence() or await self._first_checkpoint_offence()
        if report.offence is not None and report.offence.account_id is not None:
            owner = await self._audits.owner(report.offence.account_id)
            report.customer_id = owner.customer_id if owner else None
        return report

    async def _first_offence(self) -> Offence | None:
        last: AccountId | None = None
        while ids := await self._reads.accounts(after=last, limit=ACCOUNTS_AT_ONCE):
            for account_id in ids:
                offence = await self._check(account_id)
                if offence is not None:
                    return offence
                self._report.accounts += 1
            last = ids[-1]
        return None

    async def _check(self, account_id: AccountId) -> Offence | None:
        """Check one account; a value that can't be is an offence like any other."""
        self._seq = 0
        try:
            return await self._check_owner(account_id) or await self._check_journal(account_id)
        except UNREADABLE:
            return await self._unreadable(account_id)

    async def _check_owner(self, account_id: AccountId) -> Offence | None:
        owner = await self._audits.owner(account_id)
        if owner is None or owner.is_known:
            return None
        return Offence(account_id=account_id, seq=0, problem="is of a customer who isn't there")

    async def _check_journal(self, account_id: AccountId) -> Offence | None:
        """Hold one account, as it stood at one moment, against its journal up to that moment."""
        book = await self._reads.book(account_id)
        if book is None:
            return Offence(account_id=account_id, seq=0, problem="is gone")
        audit, version = Audit(account_id), book.account.version
        while self._seq < version:
            page = await self._reads.entries(account_id, after_seq=self._seq, limit=min(PAGE_SIZE, version - self._seq))
            if not page:
                break
            offence = audit.read(page.entries, page.notes) or await self._check_keys(account_id, page.entries[-1].seq)
            if offence is not None:
                return offence
            self._seq = page.entries[-1].seq
            self._report.entries += len(page.entries)
            self._on_progress(self._report)
        return (
            audit.close(book.account, book.grants, book.holds, book.charges)
            or await self._check_holds(account_id)
            or await self._beyond(book)
        )

    async def _check_keys(self, account_id: AccountId, last: int) -> Offence | None:
        """Check that the page's entries are found by their keys, so that no key can be used twice."""
        seq = await self._audits.wrong_key(account_id, first=self._seq + 1, last=last)
        return None if seq is None else Offence(account_id=account_id, seq=seq, problem="isn't found by its key")

    async def _check_holds(self, account_id: AccountId) -> Offence | None:
        """Check what a hold's row says beside its shares, which is what the journal vouches for."""
        hold_id = await self._audits.wrong_hold(account_id)
        if hold_id is None:
            return None
        return Offence(account_id=account_id, seq=0, problem=f"has hold {hold_id}, whose shares come to something else")

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

    async def _unreadable(self, account_id: AccountId) -> Offence:
        """Find what can't be read in an account: an entry, or else the account itself or a grant."""
        try:
            while page := await self._reads.entries(account_id, after_seq=self._seq, limit=1):
                hash_entry(page.entries[0])
                self._seq = page.entries[0].seq
        except UNREADABLE:
            return Offence(
                account_id=account_id, seq=self._seq + 1, problem="was changed: it has a value that can't be"
            )
        problem = "was changed: it, or what belongs to it, has a value that can't be"
        return Offence(account_id=account_id, seq=0, problem=problem)

    async def _first_checkpoint_offence(self) -> CheckpointOffence | None:
        audit = CheckpointAudit(keys=self._keys, expected=self._expected)
        report = self._report
        while True:
            try:
                held = await self._audits.checkpoint(after=report.checkpoints)
            except UNREADABLE:
                problem = "was changed: it has a value that can't be"
                return CheckpointOffence(number=report.checkpoints + 1, problem=problem)
            if isinstance(held, End):
                return audit.close(stray=held.stray)
            offence = audit.read(held.checkpoint, held.heads)
            if offence is not None:
                return offence
            report.newest, report.checkpoints = held.checkpoint, held.checkpoint.number
            self._on_progress(report)

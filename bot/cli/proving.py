"""Holding a database that was copied against its own journal and checkpoints."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from billing.errors import BillingError
from billing.ports import Clock
from bot.cli.verifying import Report, Verification
from bot.settings import CommandSettings
from bot.signing import PublicKey, Signer
from storage.audits import Audits
from storage.engines import parse_url
from storage.reader import Reader
from storage.reads import Reads

Show = Callable[[str], None]
"""Shows how far long work has come."""


class BrokenLedgerError(BillingError):
    """The journal doesn't say what the balances do, or was changed."""

    def __init__(self, place: str, report: Report, way_out: str) -> None:
        assert report.offence is not None
        super().__init__(f"the ledger {place} is broken: {report.where}: {report.offence.problem}; {way_out}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prover:
    """Goes through ledgers as `tallyhook verify` does, and shows how far it is.

    Attributes:
        keys: whose signatures of checkpoints count; without any they go unchecked.
        clock: by which a database tells what is due.
        show: what shows it; for whatever else takes long, too.
    """

    keys: Sequence[PublicKey]
    clock: Clock
    show: Show

    @classmethod
    def of(cls, settings: CommandSettings, *, clock: Clock, show: Show) -> Self:
        """The one with the keys of these settings."""
        signer = Signer.of(settings.ledger_signing_key)
        return cls(keys=signer.publics if signer else (), clock=clock, show=show)

    def prove(self, address: str, *, place: str, way_out: str) -> Report:
        """Go through every account and checkpoint of a database.

        Args:
            address: the database.
            place: which one it is, such as `on PostgreSQL`, for the refusal.
            way_out: what to do about an offence.

        Raises:
            BrokenLedgerError: There is an offence.
        """
        report = asyncio.run(self._verified(address, place))
        if report.offence is not None:
            raise BrokenLedgerError(place, report, way_out)
        return report

    def show_table(self, what: str) -> Callable[[str, int], None]:
        """Return what shows the progress of work that goes table by table."""
        return lambda table, rows: self.show(f"{what} {table}, {rows} rows")

    async def _verified(self, address: str, place: str) -> Report:
        reader = Reader(parse_url(address))
        try:
            return await Verification(
                Reads(reader, None, self.clock),
                Audits(reader),
                on_progress=lambda report: self.show(
                    f"verifying what is {place}, {report.accounts} accounts, {report.entries} entries"
                ),
                keys=self.keys,
            ).run()
        finally:
            await reader.close()

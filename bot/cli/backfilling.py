"""Grants that were due and never made: found by what is known of each customer, told, and made up for."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from billing.commands import Backfilled, BackfillGrants, MissingGrant, Note, Refused
from billing.service import BillingService
from billing.state import Customer
from billing.values import CustomerId, Origin
from bot.cli.corrections import ACTOR
from bot.cli.database import Session, with_database
from bot.cli.output import counting, credits_in_words, print_json, print_lines, readable_time, rfc3339, say
from bot.cli.questions import require_yes

PAGE_SIZE: Final = 64
"""Customers looked at together, which share a transaction."""

WHY: Final = {
    Origin.SIGNUP: "it installed the App and never got its sign-up credits",
    Origin.PLAN: "its plan's running period was granted less than is due",
}
"""Why credits of an origin are missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is missing of one customer's grants, and the entries that made up for it; none if none did."""

    customer: Customer
    missing: tuple[MissingGrant, ...]
    entries: tuple[int, ...] = ()


def backfill(reference: str, *, note: Note | None, yes: bool, as_json: bool) -> None:
    """Tell what is missing, of one customer or (without a reference) of all; ask, and make up for it.

    Args:
        reference: whose grants; "" for everybody's.
        note: why; None only tells what is missing.
        yes: don't ask.
        as_json: print JSON.
    """
    findings = with_database(lambda session: _backfill(session, reference, note, yes=yes))
    if as_json:
        print_json([_record(finding) for finding in findings])
        return
    for finding in findings:
        granted = credits_in_words(sum(each.amount.count for each in finding.missing))
        print_lines(_lines(finding) if note is None else [f"customer {finding.customer.id}: {granted} granted"])


async def _backfill(session: Session, reference: str, note: Note | None, *, yes: bool) -> Sequence[Finding]:
    """Find what is missing, tell it, and make up for it if that is wanted."""
    async with session.billing() as billing:
        with counting("looking at the customers") as tell:
            found = [finding async for finding in _found(session, billing, reference, tell)]
        if not found:
            say("Nothing is missing.")
        if note is None or not found:
            return found
        for line in (line for finding in found for line in _lines(finding)):
            say(line)
        credits_in_all = credits_in_words(sum(each.amount.count for finding in found for each in finding.missing))
        require_yes(f"Grant {credits_in_all} to {len(found)} customer{'s' if len(found) > 1 else ''}?", yes=yes)
        return [finding async for finding in _filled(billing, found, note)]


async def _found(
    session: Session, billing: BillingService, reference: str, tell: Callable[[str], None]
) -> AsyncIterator[Finding]:
    """Find what is missing, page by page; nothing is granted."""
    seen = 0
    async for customers in _pages(session, reference):
        commands = (BackfillGrants(customer_id=each.id, is_dry_run=True, actor=ACTOR) for each in customers)
        outcomes = await asyncio.gather(*(billing.handle(command) for command in commands))
        seen += len(customers)
        tell(str(seen))
        for customer, outcome in zip(customers, outcomes, strict=True):
            if isinstance(outcome, Backfilled) and outcome.missing:
                yield Finding(customer=customer, missing=outcome.missing)


async def _filled(billing: BillingService, found: Sequence[Finding], note: Note) -> AsyncIterator[Finding]:
    """Make up for what is missing by now, which may be less than was found.

    Raises:
        BillingError: the refusal.
    """
    for finding in found:
        customer = finding.customer
        outcome = await billing.handle(
            BackfillGrants(customer_id=customer.id, is_dry_run=False, actor=ACTOR, note=note)
        )
        if isinstance(outcome, Refused):
            raise outcome.error
        if isinstance(outcome, Backfilled):
            yield Finding(customer=customer, missing=outcome.missing, entries=outcome.entries)


async def _pages(session: Session, reference: str) -> AsyncIterator[Sequence[Customer]]:
    """Go through the customers that are meant."""
    if reference:
        yield [(await session.customer(reference)).customer]
        return
    after = CustomerId(0)
    while states := await session.database.reads.customers(limit=PAGE_SIZE, after=after):
        yield [state.customer for state in states]
        after = states[-1].customer.id


def _lines(finding: Finding) -> list[str]:
    """Tell what is missing, and why."""
    customer = finding.customer
    who = f"customer {customer.id}, {customer.github_login or customer.github_account_id}"
    return [
        f"{who}: {credits_in_words(each.amount.count)} are missing, because {WHY[each.origin]}; "
        f"they would expire: {readable_time(each.expires_at, never='never')} ({each.key})"
        for each in finding.missing
    ]


def _record(finding: Finding) -> dict[str, Any]:
    """Return what is missing for programs."""
    return {
        "customer_id": finding.customer.id,
        "github_login": finding.customer.github_login or None,
        "missing": [
            {
                "origin": each.origin.value,
                "amount": each.amount.count,
                "expires_at": rfc3339(each.expires_at),
                "key": each.key,
                "reference": each.reference or None,
                "why": WHY[each.origin],
            }
            for each in finding.missing
        ],
        "entries": list(finding.entries),
    }

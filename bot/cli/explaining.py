"""Why a balance is what it is, in words: what billing took apart, told grant by grant and reason by reason."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from billing.commands import Note
from billing.errors import UnknownEntryError
from billing.explain import Breakdown, GrantStory, Reason, Told, break_down, reasons_why_not_more
from billing.ledger.history import Rereading
from billing.plans import Plan
from billing.standing import effective_plan
from billing.state import CreditAccount, CustomerState
from billing.values import NEVER, Origin
from bot.cli.customer_record import grant_record
from bot.cli.database import Session, with_database
from bot.cli.entry_words import entry_in_words, origin_in_words
from bot.cli.failures import WrongUseError
from bot.cli.hold_words import hold_in_words, hold_record
from bot.cli.output import credits_in_words, print_json, print_lines, readable_time, rfc3339
from bot.cli.reason_words import reason_in_words, reason_kind
from bot.cli.statement import PAGE_SIZE
from storage.journal import JournalPage


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """A customer's balance taken apart.

    Attributes:
        plan: the effective one; None for a moment that has passed, of which only the ledger is kept.
        reasons: why there aren't more credits; none for a moment that has passed.
        notes: of the entries, by sequence number.
    """

    state: CustomerState
    breakdown: Breakdown
    plan: Plan | None
    reasons: tuple[Reason, ...]
    notes: Mapping[int, Note]


def print_explanation(reference: str, *, at: datetime | None, seq: int | None, as_json: bool) -> None:
    """Explain a customer's balance: as it is, as it was at a moment, or behind an entry."""
    explained = with_database(lambda session: _explain(session, reference, at=at, seq=seq))
    if as_json:
        print_json(explanation_record(explained))
    else:
        print_lines(explanation_lines(explained))


async def _explain(session: Session, reference: str, *, at: datetime | None, seq: int | None) -> Explained:
    """Take a customer's balance apart, as it stood at one moment beside a server that goes on writing.

    Raises:
        UnknownEntryError: there is no such entry yet.
    """
    state, now = await session.whole_customer(reference), session.clock.now()
    if at is not None and at > now:
        raise WrongUseError(f"{readable_time(at)} is yet to come.", "Give a moment that has passed by --at.")
    is_past = at is not None or seq is not None
    told, rereading = Told(), Rereading()
    notes: dict[int, Note] = {}
    last = 0
    async for page in _pages(session, state.account, at=at, seq=seq):
        last = page.entries[-1].seq
        told.read(page.entries)
        if is_past:
            rereading.read(page.entries)
        # Notes are shown of the entries that made the debt, and of no others.
        notes |= page.notes
        notes = {entry.seq: notes[entry.seq] for entry in told.debt_entries if entry.seq in notes}
    if not is_past:
        return Explained(
            state=state,
            breakdown=break_down(state.account, state.grants, state.holds, told, now),
            plan=effective_plan(state, session.plans),
            reasons=reasons_why_not_more(state, now),
            notes=notes,
        )
    if seq is not None and seq > last:
        raise UnknownEntryError(seq)
    past = rereading.past(state.account, state.grants, state.holds)
    breakdown = break_down(past.account, past.grants, past.holds, told, at or past.account.booked_at)
    return Explained(state=state, breakdown=breakdown, plan=None, reasons=(), notes=notes)


async def _pages(
    session: Session, account: CreditAccount, *, at: datetime | None, seq: int | None
) -> AsyncIterator[JournalPage]:
    """Yield the journal up to where the account stands, or to a moment, or to an entry; one page at a time."""
    end = account.version if seq is None else min(seq, account.version)
    after = 0
    while after < end and (
        page := await session.database.reads.entries(account.id, after_seq=after, limit=min(PAGE_SIZE, end - after))
    ):
        entries = page.entries if at is None else tuple(entry for entry in page.entries if entry.recorded_at <= at)
        if entries:
            yield replace(page, entries=entries)
        if len(entries) < len(page.entries):
            return
        after = page.entries[-1].seq


def explanation_record(explained: Explained) -> dict[str, Any]:
    """Return an explanation for programs."""
    breakdown = explained.breakdown
    following = _next_to_expire(breakdown)
    return {
        "customer_id": explained.state.customer.id,
        "at": rfc3339(breakdown.at),
        "entry": breakdown.seq,
        "available": breakdown.available,
        "held": breakdown.held,
        "debt": breakdown.debt,
        "plan": explained.plan.id if explained.plan else None,
        "grants": [_story_record(story) for story in breakdown.stories],
        "holds": [hold_record(hold) for hold in breakdown.holds],
        "debt_entries": [
            {"entry": entry.seq, "debt_after": entry.debt_after, "text": text}
            for entry, text in zip(breakdown.debt_entries, _debt_in_words(explained), strict=True)
        ],
        "paid_units": sum(story.amount for story in breakdown.stories if _is_charged(story)),
        "waived": breakdown.waived,
        "next_to_expire": None
        if following is None
        else {"grant": following.grant.number, "amount": following.left, "at": rfc3339(following.grant.expires_at)},
        "reasons": [{"reason": reason_kind(reason), "text": reason_in_words(reason)} for reason in explained.reasons],
    }


def explanation_lines(explained: Explained) -> list[str]:
    """Return an explanation for people."""
    breakdown = explained.breakdown
    lines = [_headline(explained), ""]
    lines += [f"  {line}" for line in _stories_in_words(breakdown)] or ["  Nothing was ever granted."]
    if breakdown.holds:
        lines += ["", f"Held, {credits_in_words(breakdown.held)} in all:"]
        lines += [f"  {hold_in_words(hold)}" for hold in breakdown.holds]
    if breakdown.debt:
        lines += ["", f"Owed, {credits_in_words(breakdown.debt)} in all, since there last was no debt:"]
        lines += [f"  {text}" for text in _debt_in_words(explained)]
    if breakdown.waived:
        lines += ["", f"While billing was off, {credits_in_words(breakdown.waived)} beyond the balance were used."]
    following = _next_to_expire(breakdown)
    if following is not None:
        when = readable_time(following.grant.expires_at)
        lines += ["", f"Next to expire: {credits_in_words(following.left)}, at {when}."]
    if explained.reasons:
        lines += ["", "Why there isn't more:"]
        lines += [f"  {reason_in_words(reason)}" for reason in explained.reasons]
    return lines


def story_in_words(story: GrantStory) -> str:
    """Tell where a grant came from and what became of it."""
    until = readable_time(story.grant.expires_at, never="never")
    expiry = f", expires {until}" if story.left and story.grant.expires_at != NEVER else ""
    when = readable_time(story.grant.effective_at)
    became = ", ".join(
        f"{count} {word}"
        for count, word in (
            (story.used, "used"),
            (story.repaid, "made up for debt"),
            (story.revoked, "taken back"),
            (story.expired, "expired"),
            (story.held, "held"),
            (story.left, "left"),
        )
        if count
    )
    owed = f"; {story.owed} of those used had to be given back, and became debt" if story.owed else ""
    return f"grant {story.grant.number}, {when}: {origin_in_words(story.grant)}: {became}{expiry}{owed}"


def _story_record(story: GrantStory) -> dict[str, Any]:
    """Return a grant's story for programs."""
    return {
        **grant_record(story.grant),
        "effective_at": rfc3339(story.grant.effective_at),
        "spent": story.used,
        "repaid": story.repaid,
        "revoked": story.revoked,
        "expired": story.expired,
        "left": story.left,
        "owed": story.owed,
        "text": story_in_words(story),
    }


def _headline(explained: Explained) -> str:
    """Tell what there is, in one sentence."""
    customer, breakdown = explained.state.customer, explained.breakdown
    who = customer.github_login or str(customer.github_account_id)
    besides = f", {breakdown.held} held" if breakdown.held else ""
    besides += f", {breakdown.debt} owed" if breakdown.debt else ""
    count = f"{credits_in_words(breakdown.available)} to spend{besides}"
    if explained.plan is None:
        behind = f"behind entry {breakdown.seq}" if breakdown.seq else "before the first entry"
        return f"{who} had {count}, at {readable_time(breakdown.at)}, {behind}."
    return f"{who} has {count}, on the plan {explained.plan.name}."


def _stories_in_words(breakdown: Breakdown) -> list[str]:
    """Tell the stories of all grants; those that stand for a paid unit each in one line."""
    lines = [story_in_words(story) for story in breakdown.stories if not _is_charged(story)]
    charged = [story for story in breakdown.stories if _is_charged(story)]
    if charged:
        units = sum(story.amount for story in charged)
        lines.append(f"{units} beyond the credits, each charged for by itself, and used")
    return lines


def _debt_in_words(explained: Explained) -> list[str]:
    """Tell by which entries the debt came to be what it is."""
    grants = {story.grant.number: story.grant for story in explained.breakdown.stories}
    return [
        f"entry {entry.seq}, {readable_time(entry.recorded_at)}, {entry.debt_after} owed then: "
        f"{entry_in_words(entry, grants, explained.notes.get(entry.seq))}"
        for entry in explained.breakdown.debt_entries
    ]


def _is_charged(story: GrantStory) -> bool:
    """Tell whether a grant stands for a unit that was paid for by itself."""
    return story.grant.origin is Origin.CHARGED


def _next_to_expire(breakdown: Breakdown) -> GrantStory | None:
    """Return the grant that expires next, None if nothing does."""
    mortal = (story for story in breakdown.stories if story.left and story.grant.expires_at != NEVER)
    return min(mortal, key=lambda story: story.grant.expires_at, default=None)

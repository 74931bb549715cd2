"""What can be asked about credits, by people and by programs. All of it can be had from `billing.commands`, too."""

from datetime import datetime, timedelta

from billing.values import Credits, CustomerId, HoldId, Origin, value


@value
class Note:
    """Free text beside an entry: why, and who.

    It is kept apart; the entry carries only its salted hash, so that erasing text and salt leaves the chain whole.
    """

    text: str
    actor_name: str
    salt: bytes


@value
class PaidTerms:
    """That money may pay for what the credits don't cover: at most so many units (up to 50), at this price each."""

    units: int
    price_cents: int


@value
class GrantCredits:
    """Give a customer credits. `key` makes it happen once.

    Attributes:
        origin: `GOODWILL` by hand, `PURCHASE` for credits that were bought, `MIGRATION` for what somebody brings along;
            others come about by themselves and can't be asked for.
        reference: what it is about, ids only, such as the payment of a purchase; "" if nothing.
        note: why and who; None where the reference says it all.
    """

    customer_id: CustomerId
    amount: Credits
    expires_at: datetime
    key: str
    actor: str
    note: Note | None
    origin: Origin = Origin.GOODWILL
    reference: str = ""


@value
class RevokeCredits:
    """Take back credits by hand, in the order in which they would burn. Refused if fewer are available."""

    customer_id: CustomerId
    amount: Credits
    key: str
    actor: str
    note: Note


@value
class AdjustCredits:
    """Set a balance right by hand. `change` is in credits, and not zero.

    More credits first make up for debt, and the rest is granted out of goodwill, for ever. Fewer are taken in burn
    order as far as there are any, and the rest is owed.
    """

    customer_id: CustomerId
    change: int
    key: str
    actor: str
    note: Note


@value
class SpendCredits:
    """Spend credits now. Refused if fewer are available and money may not pay for the rest.

    `reference` holds ids only, such as `repository:7#12`; `occurred_at` is when it happened, by the caller's clock.
    """

    customer_id: CustomerId
    amount: Credits
    key: str
    actor: str
    reference: str
    occurred_at: datetime
    paid: PaidTerms | None = None


@value
class RecordUsage:
    """Book what was used already, at its own time, whether the credits suffice or not; what is missing is owed.

    Paid by what could have paid for it then: never by a grant that came later, but also by credits that have expired
    since (docs/decisions/0071-late-usage-is-booked-at-its-own-time.md). A person who books it says why by the note.
    """

    customer_id: CustomerId
    amount: Credits
    key: str
    actor: str
    reference: str
    occurred_at: datetime
    note: Note | None = None


@value
class HoldCredits:
    """Set credits aside for work under way, for so long by the server's clock.

    Refused if fewer are available and money may not pay for the rest: nothing is held then.
    """

    customer_id: CustomerId
    amount: Credits
    lasts: timedelta
    key: str
    actor: str
    reference: str
    paid: PaidTerms | None = None


@value
class CaptureHold:
    """Spend what was held, all or part of it; the rest returns, and the hold has ended."""

    customer_id: CustomerId
    hold_id: HoldId
    amount: Credits
    key: str
    actor: str


@value
class ReleaseHold:
    """Give back all that was held."""

    customer_id: CustomerId
    hold_id: HoldId
    key: str
    actor: str


@value
class ExtendHold:
    """Let a hold last for so long from now on, within its bound. It is never shortened."""

    customer_id: CustomerId
    hold_id: HoldId
    lasts: timedelta
    key: str
    actor: str


@value
class FollowRefund:
    """Take back, or give back, so that a grant stands as its payment does: so much of it refunded until now.

    Cumulative, so that refunds told of twice or in any order come to the same; a refund that failed lowers the figure.
    """

    customer_id: CustomerId
    grant_number: int
    paid_cents: int
    refunded_cents: int
    key: str
    actor: str
    reference: str


@value
class ReverseEntry:
    """Take back one entry, as it was booked and in reverse order; never by what the rules would say today."""

    customer_id: CustomerId
    seq: int
    actor: str
    note: Note

    @property
    def key(self) -> str:
        """One for each entry, so that it is taken back once, whoever asks."""
        return f"reverse:{self.seq}"


@value
class BackfillGrants:
    """Grant what is due by all that is known and was never granted. Repeating it changes nothing.

    Attributes:
        is_dry_run: only say what would be granted.
        note: why and who; it stands beside each entry.
    """

    customer_id: CustomerId
    is_dry_run: bool
    actor: str = "operator"
    note: Note | None = None


KeyedCommand = (
    GrantCredits
    | RevokeCredits
    | AdjustCredits
    | SpendCredits
    | RecordUsage
    | HoldCredits
    | CaptureHold
    | ReleaseHold
    | ExtendHold
    | FollowRefund
    | ReverseEntry
)
"""Commands that carry an idempotency key: the same key and body always get the same answer."""

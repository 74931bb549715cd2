"""What billing can be asked to do, and what it answers.

Commands are imperative, frozen and plain data; a handler or a console command makes exactly one. `Command` is a closed
union: `decide` covers it wholly, and the type checker holds that.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from billing.errors import BillingError
from billing.values import (
    CommentId,
    Credits,
    CustomerId,
    DeliveryId,
    GitHubAccountId,
    HoldId,
    InstallationId,
    Origin,
    Permission,
    RepositoryId,
    Word,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A worker's right to a partition's deliveries. `number` grows with each claim; a commit by an older is refused."""

    partition: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """The delivery that led to a command.

    Attributes:
        delivery_id: its inbox row.
        received_at: when we got it.
        asked_at: when we began to handle it this time, before anything was asked of GitHub.
        observation: a number from the database, drawn before what is asked of GitHub is asked, so that of two answers
            the one asked for later is known to be the newer.
        repeats: how often this delivery was put off already because GitHub's answer contradicted it.
        lease: under which it is being handled.
    """

    delivery_id: DeliveryId
    received_at: datetime
    asked_at: datetime
    observation: int
    repeats: int
    lease: Lease


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubAccount:
    """A user or an organization as GitHub shows it. The login is for display only and may be unknown ("")."""

    id: GitHubAccountId
    login: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingChange:
    """A change that GitHub has scheduled. No plan means that the subscription will end."""

    marketplace_plan_id: int | None
    plan_name: str
    unit_count: int | None
    effective_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketplaceTruth:
    """What GitHub says of an account's purchase when asked (`GET /marketplace_listing/accounts/{id}`).

    `unit_count` is None where GitHub names none; `next_billing_date` is None on free plans.
    """

    account: GitHubAccount
    marketplace_plan_id: int
    plan_name: str
    per_unit: bool
    monthly_price_cents: int
    yearly_price_cents: int
    billing_cycle: str
    unit_count: int | None
    on_free_trial: bool
    free_trial_ends_on: datetime | None
    next_billing_date: datetime | None
    pending: PendingChange | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketplaceHint:
    """What a `marketplace_purchase` delivery says. It serves the audit and the proration, never the plan itself."""

    action: str
    marketplace_plan_id: int | None
    effective_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowMarketplace:
    """Bring an account's subscription to what GitHub says now; no `truth` when GitHub confirmed that there is none."""

    account: GitHubAccount
    truth: MarketplaceTruth | None
    hint: MarketplaceHint
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationTruth:
    """What GitHub says of an installation when asked (`GET /app/installations/{id}`)."""

    installation_id: InstallationId
    account: GitHubAccount | None
    suspended: bool
    repository_selection: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowInstallation:
    """Bring an installation to what GitHub says now; `truth` is None when GitHub no longer knows it.

    Attributes:
        account: the account, from GitHub's answer or else from the delivery.
        installer_id: who installed, where the delivery tells (`installation.created`); None otherwise.
        action: what the delivery says happened, by which an answer that lags behind it is recognised; "" says nothing.
    """

    account: GitHubAccount
    installation_id: InstallationId
    truth: InstallationTruth | None
    installer_id: GitHubAccountId | None
    cause: Cause
    action: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameAccount:
    """Take note of an account's new login, where no installation can be asked for it. An unknown account is ignored."""

    account: GitHubAccount
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A comment by which somebody asks us something.

    Attributes:
        account_id: the repository's owner, who pays.
        owner, repository: their names at that time, for addresses only.
        number: of the issue or the pull request.
        asked_at: when the comment was written, by GitHub's clock.
        words: what is asked, each once, in the order of the comment.
    """

    installation_id: InstallationId
    account_id: GitHubAccountId
    repository_id: RepositoryId
    owner: str
    repository: str
    is_private: bool
    number: int
    comment_id: CommentId
    asked_at: datetime
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Answer a comment, if whoever wrote it may be answered. `permission` is what GitHub says the writer may do."""

    question: Question
    permission: Permission
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignore:
    """End a delivery that asks nothing of billing, with the reason that people will read."""

    reason: str
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Free text beside an entry: why, and who.

    It is kept apart; the entry carries only its salted hash, so that erasing text and salt leaves the chain whole.
    """

    text: str
    actor_name: str
    salt: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidTerms:
    """That money may pay for what the credits don't cover: at most so many units, at this price each."""

    units: int
    price_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeCredits:
    """Take back credits by hand, in the order in which they would burn. Refused if fewer are available."""

    customer_id: CustomerId
    amount: Credits
    key: str
    actor: str
    note: Note


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendCredits:
    """Spend credits now. Refused if fewer are available and money may not pay for the rest.

    `reference` holds ids only, such as `repository:7#12`.
    """

    customer_id: CustomerId
    amount: Credits
    key: str
    actor: str
    reference: str
    occurred_at: datetime
    paid: PaidTerms | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordUsage:
    """Book what was used already, at its own time, whether the credits suffice or not; what is missing is owed.

    Paid by what could have paid for it then: never by a grant that came later, but also by credits that have expired
    since (docs/decisions/0071-late-usage-is-booked-at-its-own-time.md).
    """

    customer_id: CustomerId
    amount: Credits
    key: str
    actor: str
    reference: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureHold:
    """Spend what was held, all or part of it; the rest returns, and the hold has ended."""

    customer_id: CustomerId
    hold_id: HoldId
    amount: Credits
    key: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseHold:
    """Give back all that was held."""

    customer_id: CustomerId
    hold_id: HoldId
    key: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendHold:
    """Let a hold last for so long from now on, within its bound. It is never shortened."""

    customer_id: CustomerId
    hold_id: HoldId
    lasts: timedelta
    key: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowFigures:
    """Take note of whether an account has its figures shown in public repositories. Repeating it changes nothing.

    It is a choice and no entry: what holds is kept, and not who chose it.
    """

    customer_id: CustomerId
    shown: bool


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

DeliveryCommand = FollowMarketplace | FollowInstallation | RenameAccount | Answer | Ignore
"""Commands that end a delivery in the very commit that applies them."""

Command = KeyedCommand | ShowFigures | DeliveryCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """The command was carried out. `entries` are the journal's sequence numbers that it wrote, none if nothing moved.

    Of a keyed command that is its own entry alone, without expiries booked on the way, so that a repeated key is
    answered alike. `replayed` tells that the key had been used before and this is the answer of that time.
    """

    customer_id: CustomerId
    entries: tuple[int, ...]
    replayed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A comment gets an answer, or a reaction; it goes out after the commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The command was refused; a refusal with a key is remembered like a success."""

    error: BillingError
    replayed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """Nothing was to be done."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Postponed:
    """The delivery has to be handled again at `until`, because what GitHub says now can't stand yet."""

    until: datetime
    reason: str


Outcome = Applied | Answered | Refused | Ignored | Postponed

"""What billing can be asked to do, and what it answers.

Commands are imperative, frozen and plain data; a handler or a console command makes exactly one. `Command` is a closed
union: `decide` covers it wholly, and the type checker holds that.
"""

from datetime import datetime

from billing.errors import BillingError
from billing.requests import (
    AdjustCredits,
    BackfillGrants,
    CaptureHold,
    ExtendHold,
    FollowRefund,
    GrantCredits,
    HoldCredits,
    KeyedCommand,
    Note,
    PaidTerms,
    RecordUsage,
    ReleaseHold,
    ReverseEntry,
    RevokeCredits,
    SpendCredits,
)
from billing.values import (
    CommentId,
    Credits,
    CustomerId,
    DeliveryId,
    GitHubAccountId,
    InstallationId,
    Origin,
    Permission,
    RepositoryId,
    Word,
    value,
)

# Requests can be had from here as well: a command is a command, whatever it is about.
__all__ = [
    "AdjustCredits",
    "Answer",
    "Answered",
    "Applied",
    "BackfillGrants",
    "Backfilled",
    "CaptureHold",
    "Cause",
    "Command",
    "CustomerCommand",
    "DeliveryCommand",
    "ExtendHold",
    "FollowInstallation",
    "FollowMarketplace",
    "FollowRefund",
    "GitHubAccount",
    "GrantCredits",
    "HoldCredits",
    "Ignore",
    "Ignored",
    "InstallationTruth",
    "KeyedCommand",
    "Lease",
    "MarketplaceHint",
    "MarketplaceTruth",
    "MissingGrant",
    "Note",
    "Outcome",
    "PaidTerms",
    "PendingChange",
    "Postponed",
    "Question",
    "RecordUsage",
    "Refused",
    "ReleaseHold",
    "RenameAccount",
    "ReverseEntry",
    "RevokeCredits",
    "ShowFigures",
    "SpendCredits",
]


@value
class Lease:
    """A worker's right to a partition's deliveries. `number` grows with each claim; a commit by an older is refused."""

    partition: str
    number: int


@value
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


@value
class GitHubAccount:
    """A user or an organization as GitHub shows it. The login is for display only and may be unknown ("")."""

    id: GitHubAccountId
    login: str
    type: str


@value
class PendingChange:
    """A change that GitHub has scheduled. No plan means that the subscription will end."""

    marketplace_plan_id: int | None
    plan_name: str
    unit_count: int | None
    effective_at: datetime | None


@value
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


@value
class MarketplaceHint:
    """What a `marketplace_purchase` delivery says. It serves the audit and the proration, never the plan itself."""

    action: str
    marketplace_plan_id: int | None
    effective_at: datetime | None


@value
class FollowMarketplace:
    """Bring an account's subscription to what GitHub says now; no `truth` when GitHub confirmed that there is none."""

    account: GitHubAccount
    truth: MarketplaceTruth | None
    hint: MarketplaceHint
    cause: Cause


@value
class InstallationTruth:
    """What GitHub says of an installation when asked (`GET /app/installations/{id}`)."""

    installation_id: InstallationId
    account: GitHubAccount | None
    suspended: bool
    repository_selection: str


@value
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


@value
class RenameAccount:
    """Take note of an account's new login, where no installation can be asked for it. An unknown account is ignored."""

    account: GitHubAccount
    cause: Cause


@value
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


@value
class Answer:
    """Answer a comment, if whoever wrote it may be answered. `permission` is what GitHub says the writer may do."""

    question: Question
    permission: Permission
    cause: Cause


@value
class Ignore:
    """End a delivery that asks nothing of billing, with the reason that people will read."""

    reason: str
    cause: Cause


@value
class ShowFigures:
    """Take note of whether an account has its figures shown in public repositories. Repeating it changes nothing.

    It is a choice and no entry: what holds is kept, and not who chose it.
    """

    customer_id: CustomerId
    shown: bool


DeliveryCommand = FollowMarketplace | FollowInstallation | RenameAccount | Answer | Ignore
"""Commands that end a delivery in the very commit that applies them."""

CustomerCommand = KeyedCommand | ShowFigures | BackfillGrants
"""Commands that name the customer by our own id."""

Command = CustomerCommand | DeliveryCommand


@value
class Applied:
    """The command was carried out. `entries` are the journal's sequence numbers that it wrote, none if nothing moved.

    Of a keyed command that is its own entry alone, without expiries booked on the way, so that a repeated key is
    answered alike. `replayed` tells that the key had been used before and this is the answer of that time.
    """

    customer_id: CustomerId
    entries: tuple[int, ...]
    replayed: bool = False


@value
class MissingGrant:
    """Credits that were due and never granted. `key` is the business key by which they are granted once."""

    origin: Origin
    amount: Credits
    expires_at: datetime
    key: str
    reference: str


@value
class Backfilled:
    """What was missing. `entries` granted it, with what that brought about; none if it was only to be told."""

    customer_id: CustomerId
    missing: tuple[MissingGrant, ...]
    entries: tuple[int, ...] = ()


@value
class Answered:
    """A comment gets an answer, or a reaction; it goes out after the commit."""


@value
class Refused:
    """The command was refused; a refusal with a key is remembered like a success."""

    error: BillingError
    replayed: bool = False


@value
class Ignored:
    """Nothing was to be done."""

    reason: str


@value
class Postponed:
    """The delivery has to be handled again at `until`, because what GitHub says now can't stand yet."""

    until: datetime
    reason: str


Outcome = Applied | Backfilled | Answered | Refused | Ignored | Postponed

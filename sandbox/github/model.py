"""What the stand-in for GitHub keeps: accounts, repositories, installations, plans, purchases, hooks and deliveries.

These are mutable on purpose: they are the state of a pretended remote system, and actors change them in place.
"""

import base64
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

AccountType = Literal["User", "Organization", "Bot"]
BillingCycle = Literal["monthly", "yearly"]
PriceModel = Literal["FREE", "FLAT_RATE", "PER_UNIT"]
HookName = Literal["app", "marketplace"]
Role = Literal["admin", "maintain", "write", "triage", "read", "none"]
ReactionContent = Literal["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"]


@dataclass(slots=True, kw_only=True, eq=False)
class Account:
    """A user, an organization, or the bot that an App acts as.

    Attributes:
        id: Never changes and is never given to another account.
        login: Changes by a rename, and may then be taken by another account.
        email: The profile's address, or an organization's billing address.
        billing_day: The day of the month on which GitHub charges this account, 1 to 31.
        trials_used: Whether the one free trial of this listing is spent.
        repositories: What it owns, oldest first.
    """

    id: int
    login: str
    type: AccountType
    email: str | None
    billing_day: int
    created_at: datetime
    owner_id: int | None = None
    trials_used: bool = False
    repositories: list["Repository"] = field(default_factory=list)

    @property
    def node_id(self) -> str:
        """The opaque id that GraphQL uses."""
        prefix = {"User": "04:User", "Organization": "012:Organization", "Bot": "03:Bot"}[self.type]
        return base64.b64encode(f"{prefix}{self.id}".encode()).decode()


@dataclass(slots=True, kw_only=True, eq=False)
class Repository:
    """A repository of an account, with its issues and pull requests.

    Attributes:
        name: Changes by a rename; the former address leads here until another repository takes it.
        roles: By account id; the owner is an admin without being listed, and everybody reads a public one.
        threads: Issues and pull requests by number, which they share.
    """

    id: int
    name: str
    private: bool
    owner: Account
    created_at: datetime
    roles: dict[int, Role] = field(default_factory=dict)
    threads: dict[int, "Thread"] = field(default_factory=dict)
    archived: bool = False

    @property
    def full_name(self) -> str:
        """Owner and name, as in its address."""
        return f"{self.owner.login}/{self.name}"

    @property
    def node_id(self) -> str:
        """The opaque id that GraphQL uses."""
        return base64.b64encode(f"010:Repository{self.id}".encode()).decode()

    def role_of(self, account: Account) -> Role:
        """Return what somebody may do here, the owner's and everybody's right included."""
        if account.id in {self.owner.id, self.owner.owner_id}:
            return "admin"
        return self.roles.get(account.id, "none" if self.private else "read")


@dataclass(slots=True, kw_only=True, eq=False)
class Reaction:
    """A small picture under a comment; an account leaves each at most once."""

    id: int
    author: Account
    content: ReactionContent
    created_at: datetime


@dataclass(slots=True, kw_only=True, eq=False)
class Comment:
    """A comment of an issue or pull request.

    Attributes:
        via_app: Whether our App wrote it, for itself or for a person.
    """

    id: int
    thread: "Thread"
    author: Account
    body: str
    created_at: datetime
    updated_at: datetime
    via_app: bool = False
    reactions: list[Reaction] = field(default_factory=list)

    @property
    def node_id(self) -> str:
        """The opaque id that GraphQL uses."""
        return base64.b64encode(f"012:IssueComment{self.id}".encode()).decode()


@dataclass(slots=True, kw_only=True, eq=False)
class Thread:
    """An issue or a pull request with its comments, oldest first.

    Attributes:
        deleted_at: When it was deleted; its number is never given again.
    """

    id: int
    repository: Repository
    number: int
    title: str
    body: str
    author: Account
    is_pull_request: bool
    created_at: datetime
    updated_at: datetime
    locked: bool = False
    deleted_at: datetime | None = None
    comments: list[Comment] = field(default_factory=list)

    @property
    def name(self) -> str:
        """How one refers to it from elsewhere: owner, repository and number."""
        return f"{self.repository.full_name}#{self.number}"

    @property
    def node_id(self) -> str:
        """The opaque id that GraphQL uses."""
        kind = "011:PullRequest" if self.is_pull_request else "05:Issue"
        return base64.b64encode(f"{kind}{self.id}".encode()).decode()


@dataclass(slots=True, kw_only=True, eq=False)
class Installation:
    """The App on an account. A deleted one is kept, so that its id is never used again.

    Attributes:
        selected: The chosen repositories; empty while it sees all.
    """

    id: int
    account: Account
    created_at: datetime
    updated_at: datetime
    permissions: dict[str, str]
    events: list[str]
    repository_selection: Literal["all", "selected"] = "all"
    selected: list[Repository] = field(default_factory=list)
    suspended_at: datetime | None = None
    suspended_by: Account | None = None
    deleted_at: datetime | None = None

    @property
    def repositories(self) -> list[Repository]:
        """The repositories that it sees, oldest first."""
        return list(self.account.repositories if self.repository_selection == "all" else self.selected)


@dataclass(slots=True, kw_only=True, eq=False)
class Plan:
    """A plan of the Marketplace listing.

    Attributes:
        number: The plan's place in the listing, which its upgrade address contains.
        monthly_price_in_cents: USD cents; of one unit for a per-unit plan.
        state: `published`, or `retired`: not for sale any more, kept by those who have it.
    """

    id: int
    number: int
    name: str
    description: str
    price_model: PriceModel
    monthly_price_in_cents: int
    yearly_price_in_cents: int
    has_free_trial: bool = False
    unit_name: str | None = None
    bullets: tuple[str, ...] = ()
    state: str = "published"


@dataclass(slots=True, kw_only=True, eq=False)
class PendingChange:
    """A change that takes effect at the end of the billing cycle.

    Attributes:
        plan: The plan to come; `None` for a cancellation.
    """

    id: int
    plan: Plan | None
    unit_count: int
    billing_cycle: BillingCycle
    effective_date: datetime
    sender: Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an account had bought at a moment: the part of a purchase that a change replaces."""

    plan: Plan
    unit_count: int
    billing_cycle: BillingCycle
    on_free_trial: bool
    free_trial_ends_on: datetime | None
    next_billing_date: datetime | None


@dataclass(slots=True, kw_only=True, eq=False)
class Purchase:
    """An account's subscription on the listing. It is gone from the state once it is cancelled.

    Attributes:
        next_billing_date: `None` on free plans.
        previous: What was replaced by the last immediate upgrade, for a payment that fails afterwards.
        hidden_until: GitHub answers as if there were no purchase until then: a payment failed.
    """

    account: Account
    terms: Terms
    created_at: datetime
    updated_at: datetime
    pending: PendingChange | None = None
    previous: Terms | None = None
    hidden_until: datetime | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Hook:
    """A webhook's settings. The App's is changed by the API, the listing's on its page only."""

    id: int
    name: HookName
    url: str | None
    secret: str | None
    content_type: Literal["json", "form"] = "json"
    insecure_ssl: str = "0"
    active: bool = True
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened and that a hook is told about. Redeliveries share its `guid`.

    Attributes:
        altered: Whether a fault changed the payload, so that it may follow no contract.
    """

    guid: str
    hook: HookName
    name: str
    action: str | None
    payload: dict[str, Any]
    altered: bool
    body: bytes
    content_type: str
    installation_id: int | None
    repository_id: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HookDelivery:
    """One attempt to deliver an event, as the delivery log shows it.

    Attributes:
        status_code: `0` where no answer came; such a delivery is missing from a listing by `status=failure`.
    """

    id: int
    event: Event
    delivered_at: datetime
    redelivery: bool
    duration_seconds: float
    status: str
    status_code: int
    url: str
    request_headers: dict[str, str]
    response_headers: dict[str, str]
    response_body: str

    @property
    def succeeded(self) -> bool:
        """Whether the target answered with a 2xx."""
        return 200 <= self.status_code < 300  # noqa: PLR2004 -- the class of success statuses


@dataclass(slots=True, kw_only=True, eq=False)
class AppRegistration:
    """The App itself, as registered."""

    id: int
    client_id: str
    client_secret: str
    slug: str
    name: str
    description: str | None
    external_url: str
    owner: Account
    permissions: dict[str, str]
    events: list[str]
    private_key_pem: str
    created_at: datetime
    updated_at: datetime

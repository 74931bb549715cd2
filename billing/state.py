"""The state that a decision starts from and ends in: one customer with everything that hangs on it.

All of it is frozen; a decision returns a changed copy and the store writes what differs.
"""

from datetime import datetime

from billing.values import (
    NEVER,
    AccountId,
    Category,
    CustomerId,
    DeliveryId,
    GitHubAccountId,
    HoldId,
    HoldState,
    InstallationId,
    InstallationState,
    Origin,
    Provider,
    SubscriptionState,
    value,
)


@value
class Customer:
    """Whom we keep credits for.

    Attributes:
        github_account_id: GitHub's id of the account.
        github_login: its last known login, "" if unknown; for display only.
        github_type: "User" or "Organization", "" if unknown.
        source: how we came to know the customer: "github_marketplace" or "github_installation".
        signup_at: when the default plan's sign-up credits were granted; None if they never were. Once for ever.
        signup_withheld: the account installed, but its installer has had credits for three organizations within thirty
            days; it gets them with a payment method.
        shows_figures: whether the account has chosen to have figures shown in public repositories.
    """

    id: CustomerId
    github_account_id: GitHubAccountId
    github_login: str
    github_type: str
    source: str
    created_at: datetime
    signup_at: datetime | None = None
    signup_withheld: bool = False
    shows_figures: bool = False


@value
class Installation:
    """The App on the customer's account. `observation` is the highest one applied; an older answer is discarded."""

    id: InstallationId
    state: InstallationState
    repository_selection: str
    observation: int
    created_at: datetime


@value
class Period:
    """One month of a chain of periods, and what has been granted in it. Amounts are in credits.

    Attributes:
        starts_at: the moment from which it counts; with the provider and the account it names the period's grants.
        ends_at: midnight UTC of the anchor day on which it ends.
        allowance: the highest monthly allowance seen in it; the target never exceeds it.
        target: what the customer should have been granted in it by now.
        granted: what was granted in it, net of what the program itself took back; a grant that a person reversed still
            counts (docs/decisions/0074-an-entry-is-unwound.md).
        grants: how many grants were made in it.
    """

    starts_at: datetime
    ends_at: datetime
    allowance: int
    target: int
    granted: int
    grants: int


@value
class Subscription:
    """One plan of one customer at one provider.

    Attributes:
        plan: the catalogue's id of the plan; "" while only unknown plans have been seen.
        marketplace_plan_id: the plan as GitHub numbers it, as last seen; 0 when none.
        unmapped_plan_id: the plan that GitHub shows but the catalogue doesn't know; 0 when there is none such.
        anchor_day: the day of the month (1-31) on which periods end; 0 until there is a period.
        period: the chain's running period, kept through cancellation and new purchase; None before the first.
        pending_*: the scheduled change as GitHub shows it; `pending_plan` is the catalogue's id, or GitHub's name for a
            plan that isn't in it, or "" when nothing is pending or the subscription is to end.
        cancel_at_period_end: the scheduled change is the end.
        is_free: whether GitHub last showed it without a price.
        observation: the highest one applied; an older answer is discarded.
        confirmed_at: when GitHub was last asked for the plan and showed it.
        missing_since: when GitHub first stopped showing it; None while it does.
        last_delivery_id: the delivery that the last observation came from, so that it can be handled again.
    """

    provider: Provider
    plan: str
    state: SubscriptionState
    marketplace_plan_id: int
    unmapped_plan_id: int
    unit_count: int
    billing_cycle: str
    next_billing_date: datetime | None
    anchor_day: int
    period: Period | None
    pending_plan: str
    pending_effective_at: datetime | None
    cancel_at_period_end: bool
    observation: int
    started_at: datetime
    confirmed_at: datetime
    missing_since: datetime | None
    ended_at: datetime | None
    last_delivery_id: DeliveryId
    is_free: bool = False


@value
class CreditAccount:
    """The head of one journal: what it comes to, and where the next entry attaches.

    Attributes:
        posted: the balance, in credits; equal to the sum of the journal, and to what remains and is held of all grants.
        held: how much of it is set aside by open holds; the rest is available.
        debt: what the customer owes, in credits.
        version: the sequence number of the last entry, 0 before the first.
        grants_made: how many grants were ever made; the next one takes the next number.
        next_expiry: the earliest expiry among the open grants; a balance read before it needs no look at the grants.
        next_timeout: no open hold times out earlier. It may lie before the first that does, never after it, so that
            ending a hold needs no look at the others.
        booked_at: when the last entry was booked; time never runs backwards for an account.
        head: the last entry's hash, 32 bytes; zeroes before the first.
    """

    id: AccountId
    unit: str
    posted: int
    version: int
    grants_made: int
    next_expiry: datetime
    booked_at: datetime
    head: bytes
    held: int = 0
    debt: int = 0
    next_timeout: datetime = NEVER


@value
class Grant:
    """Credits of one origin with one expiry. `number` counts within the account and stays for ever.

    Its terms never change, and the journal's entry vouches for them. What changes is where its credits are, in credits:

    Attributes:
        remaining: can be spent or held.
        held: set aside by open holds.
        spent: used.
        expired: came to their end unused.
        revoked: taken back. These five add up to `amount`.
        taken: how much of `revoked` was taken because the payment was given back; the rest was revoked by hand.
        owed: how much debt was made because credits of it were spent that should not have been.
        reversed: how much of it has to be given back altogether, because that much of its payment was.
    """

    number: int
    origin: Origin
    category: Category
    priority: int
    amount: int
    remaining: int
    effective_at: datetime
    expires_at: datetime
    provider: str = ""
    period_starts_at: datetime | None = None
    held: int = 0
    spent: int = 0
    expired: int = 0
    revoked: int = 0
    taken: int = 0
    owed: int = 0
    reversed: int = 0


@value
class HoldShare:
    """How much of a hold lies on one grant."""

    grant_number: int
    amount: int


@value
class Hold:
    """Credits set aside for work under way, and units that money or nobody will pay. All amounts in credits or units.

    Attributes:
        shares: the held credits by grant, in the order in which they were taken; captured in that order.
        paid_units: units that the credits didn't cover and money will, at `price_cents` each.
        waived_units: units that nobody will pay, because billing was off when the hold was made.
        captured: how many units were captured in the end, of whatever kind.
        reference: what it is about, ids only.
        made_at: when it was made; it can't last longer than `billing.decide.holds.LONGEST` from then on.
        expires_at: when it times out by itself.
    """

    id: HoldId
    account_id: AccountId
    shares: tuple[HoldShare, ...]
    made_at: datetime
    expires_at: datetime
    reference: str = ""
    paid_units: int = 0
    price_cents: int = 0
    waived_units: int = 0
    captured: int = 0
    state: HoldState = HoldState.OPEN

    @property
    def credits(self) -> int:
        """How many credits it holds, or held."""
        return sum(share.amount for share in self.shares)

    @property
    def units(self) -> int:
        """All that can be captured of it."""
        return self.credits + self.paid_units + self.waived_units


@value
class Charge:
    """A paid unit that was captured: money is to be asked for it, once. The hold and the number name it for ever.

    Attributes:
        seq: the entry that captured it, and granted and spent its credit.
        grant_number: of the credit that stands for it.
    """

    hold_id: HoldId
    number: int
    account_id: AccountId
    seq: int
    grant_number: int
    amount_cents: int
    created_at: datetime


@value
class CustomerState:
    """Everything that a decision about one customer may look at.

    `grants` are the open ones (something remains), those under its `holds`, and those that the commands at hand need
    beside them, in any order; after a decision also those that it used up, so that the store sees what became of them.
    `holds` are those that the commands at hand name and those that may have timed out, not all. `subscriptions` has at
    most one a provider.
    """

    customer: Customer
    account: CreditAccount
    grants: tuple[Grant, ...] = ()
    holds: tuple[Hold, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()
    installations: tuple[Installation, ...] = ()

    def subscription(self, provider: Provider) -> Subscription | None:
        """The subscription at this provider, whatever its state."""
        return {each.provider: each for each in self.subscriptions}.get(provider)

    def installation(self, installation_id: InstallationId) -> Installation | None:
        """The installation with this id, whatever its state."""
        return next((each for each in self.installations if each.id == installation_id), None)

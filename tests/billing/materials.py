"""What the domain's tests are made of: a catalogue, and commands."""

from datetime import UTC, datetime

from billing.commands import (
    Answer,
    Cause,
    GitHubAccount,
    GrantCredits,
    Lease,
    MarketplaceTruth,
    Note,
    PendingChange,
    Question,
    RevokeCredits,
    SpendCredits,
)
from billing.plans import parse_plans
from billing.values import (
    NEVER,
    AccountId,
    CommentId,
    Credits,
    CustomerId,
    DeliveryId,
    GitHubAccountId,
    InstallationId,
    Permission,
    RepositoryId,
    Word,
)

FREE, STARTER, PRO, MAX, TEAM, ROLLING, WHOLE, UNKNOWN = 1111, 1212, 1313, 1414, 1515, 1616, 1717, 9999
"""Numbers at GitHub Marketplace."""

CATALOG = """
currency = "usd"
default_plan = "trial"
metered_plan = "payg"

[plans.trial]
name = "Trial"
rank = 0
included_credits = 0
signup_credits = 5
price_cents = 0
low_balance = [1, 0]
marketplace_plan_ids = [1111]

[plans.payg]
name = "Pay as you go"
rank = 10
included_credits = 0
price_cents = 0
overage_cents = 2900
invoice = "each"

[plans.starter]
name = "Starter"
rank = 15
included_credits = 20
price_cents = 19900
marketplace_plan_ids = [1212]

[plans.pro]
name = "Pro"
rank = 20
included_credits = 60
price_cents = 59900
low_balance = [10, 0]
marketplace_plan_ids = [1313]

[plans.max]
name = "Max"
rank = 30
included_credits = 120
price_cents = 99900
marketplace_plan_ids = [1414]

[plans.team]
name = "Team"
rank = 25
included_credits = 10
price_cents = 9900
marketplace_plan_ids = [1515]

[plans.rolling]
name = "Rolling"
rank = 21
included_credits = 60
price_cents = 69900
rollover_max = 25
marketplace_plan_ids = [1616]

[plans.whole]
name = "Whole"
rank = 22
included_credits = 60
price_cents = 79900
first_period = "full"
marketplace_plan_ids = [1717]
"""

PLANS = parse_plans(CATALOG)

ACCOUNT = GitHubAccount(id=GitHubAccountId(583_231), login="octo-org", type="Organization")
CUSTOMER_ID = CustomerId(1)
ACCOUNT_ID = AccountId(2)


def day(month: int, day_of_month: int, hour: int = 0, minute: int = 0, *, year: int = 2026) -> datetime:
    """A moment in UTC; of 2026 unless told otherwise."""
    return datetime(year, month, day_of_month, hour, minute, tzinfo=UTC)


def cause(
    *,
    observation: int = 1,
    repeats: int = 0,
    received_at: datetime | None = None,
    asked_at: datetime | None = None,
    number: int = 1,
) -> Cause:
    """A delivery's part in a command."""
    return Cause(
        delivery_id=DeliveryId(number),
        received_at=received_at or day(1, 1),
        asked_at=asked_at or received_at or day(1, 1),
        observation=observation,
        repeats=repeats,
        lease=Lease(partition=f"github:{ACCOUNT.id}", number=1),
    )


def truth(
    plan: int = PRO,
    *,
    billed_at: datetime | None = None,
    units: int | None = 1,
    on_free_trial: bool = False,
    pending: PendingChange | None = None,
    account: GitHubAccount = ACCOUNT,
) -> MarketplaceTruth:
    """What GitHub says of the account's purchase; `billed_at` is the next billing date."""
    return MarketplaceTruth(
        account=account,
        marketplace_plan_id=plan,
        plan_name=f"Plan {plan}",
        per_unit=plan == TEAM,
        monthly_price_cents=0 if plan == FREE else 59900,
        yearly_price_cents=0 if plan == FREE else 599_000,
        billing_cycle="monthly",
        unit_count=units,
        on_free_trial=on_free_trial,
        free_trial_ends_on=None,
        next_billing_date=billed_at,
        pending=pending,
    )


def pending_end(effective_at: datetime | None) -> PendingChange:
    """A cancellation that GitHub has scheduled."""
    return PendingChange(marketplace_plan_id=None, plan_name="", unit_count=None, effective_at=effective_at)


def pending_plan(plan: int, effective_at: datetime) -> PendingChange:
    """A change of plan that GitHub has scheduled."""
    return PendingChange(marketplace_plan_id=plan, plan_name=f"Plan {plan}", unit_count=1, effective_at=effective_at)


def note(text: str = "sorry for the outage", *, salt: bytes = b"salt of sixteen.") -> Note:
    """A note beside an entry."""
    return Note(text=text, actor_name="Ada", salt=salt)


def grant(count: int, *, key: str, expires_at: datetime = NEVER, text: str = "sorry") -> GrantCredits:
    """Credits given by hand."""
    return GrantCredits(
        customer_id=CUSTOMER_ID,
        amount=Credits(count),
        expires_at=expires_at,
        key=key,
        actor="operator",
        note=note(text),
    )


def revoke(count: int, *, key: str) -> RevokeCredits:
    """Credits taken back by hand."""
    return RevokeCredits(customer_id=CUSTOMER_ID, amount=Credits(count), key=key, actor="operator", note=note())


def spend(count: int, *, key: str, at: datetime | None = None, reference: str = "repository:7#12") -> SpendCredits:
    """Credits spent."""
    return SpendCredits(
        customer_id=CUSTOMER_ID,
        amount=Credits(count),
        key=key,
        actor="key:1",
        reference=reference,
        occurred_at=at or day(1, 1),
    )


def asked(
    permission: Permission = Permission.WRITE,
    *,
    is_private: bool = True,
    comment: int = 901,
    words: tuple[Word, ...] = (Word.CREDITS,),
    asked_at: datetime | None = None,
    why: Cause | None = None,
) -> Answer:
    """A comment that asks for the credits, by somebody with this permission."""
    question = Question(
        installation_id=InstallationId(1),
        account_id=ACCOUNT.id,
        repository_id=RepositoryId(7),
        owner=ACCOUNT.login,
        repository="hello",
        is_private=is_private,
        number=12,
        comment_id=CommentId(comment),
        asked_at=asked_at or day(1, 1),
        words=words,
    )
    return Answer(question=question, permission=permission, cause=why or cause())

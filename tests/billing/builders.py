"""What the domain's tests are made of: a catalogue, commands, and one customer's history, checked at each step."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from billing.commands import (
    Answer,
    Cause,
    Command,
    FollowInstallation,
    FollowMarketplace,
    GitHubAccount,
    GrantCredits,
    InstallationTruth,
    Lease,
    MarketplaceHint,
    MarketplaceTruth,
    Note,
    PendingChange,
    Question,
    RevokeCredits,
    SpendCredits,
)
from billing.decide import Decision, Facts, decide
from billing.ledger.balance import available
from billing.ledger.entries import Entry
from billing.ledger.verify import verify_account
from billing.plans import PlanCatalog, parse_plans
from billing.records import Remembered, SignupSlot
from billing.state import CustomerState, Grant, Period, Subscription
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
    Provider,
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


@dataclass
class History:
    """One customer's history, decision by decision. After each, the whole ledger is verified."""

    now: datetime = field(default_factory=lambda: day(12, 1, 9))
    plans: PlanCatalog = PLANS
    account: GitHubAccount = ACCOUNT
    state: CustomerState | None = None
    journal: list[Entry] = field(default_factory=list)
    notes: dict[int, Note] = field(default_factory=dict)
    all_grants: dict[int, Grant] = field(default_factory=dict)
    remembered: dict[str, Remembered] = field(default_factory=dict)
    observations: int = 0

    def do(
        self,
        command: Command,
        *,
        losses: int = 0,
        living: int = 0,
        slots: tuple[SignupSlot, ...] = (),
    ) -> Decision:
        """Decide the command and live with what was decided."""
        facts = Facts(
            new_ids=(CUSTOMER_ID, ACCOUNT_ID),
            remembered=self.remembered.get(getattr(command, "key", "")),
            losses_last_hour=losses,
            living=living,
            signup_slots=slots,
        )
        decision = decide(self.state, command, self.now, self.plans, facts)
        if decision.state is not None:
            self.all_grants |= {grant.number: grant for grant in decision.state.grants}
            self.state = replace(
                decision.state, grants=tuple(grant for grant in decision.state.grants if grant.remaining)
            )
        self.journal += decision.entries
        self.notes |= {row.seq: row.note for row in decision.notes}
        self.remembered |= {row.key: row for row in decision.refusals}
        for entry in decision.entries:
            assert entry.key not in self.remembered, "a key is used once"
            self.remembered[entry.key] = Remembered(
                account_id=entry.account_id,
                key=entry.key,
                request_hash=entry.request_hash,
                seq=entry.seq,
                refusal="",
                recorded_at=entry.recorded_at,
            )
        self._verify()
        return decision

    def follow(
        self,
        shown: MarketplaceTruth | None,
        action: str = "purchased",
        *,
        effective_at: datetime | None = None,
        hinted: int | None = None,
        repeats: int = 0,
        received_at: datetime | None = None,
        asked_at: datetime | None = None,
        observation: int | None = None,
        losses: int = 0,
        living: int = 0,
    ) -> Decision:
        """Handle a Marketplace delivery, with what GitHub answers when asked."""
        self.observations += 1
        number = self.observations if observation is None else observation
        return self.do(
            FollowMarketplace(
                account=self.account,
                truth=shown,
                hint=MarketplaceHint(action=action, marketplace_plan_id=hinted, effective_at=effective_at),
                cause=cause(
                    observation=number,
                    number=number,
                    repeats=repeats,
                    received_at=received_at or self.now,
                    asked_at=asked_at or self.now,
                ),
            ),
            losses=losses,
            living=living,
        )

    def install(
        self,
        installation_id: int = 1,
        *,
        installer: int | None = 77,
        is_there: bool = True,
        suspended: bool = False,
        observation: int | None = None,
        account: GitHubAccount | None = None,
        shown: GitHubAccount | None = None,
        slots: tuple[SignupSlot, ...] = (),
        action: str = "",
        repeats: int = 0,
    ) -> Decision:
        """Handle an installation delivery; GitHub knows the installation or not."""
        self.observations += 1
        number = self.observations if observation is None else observation
        installation = InstallationTruth(
            installation_id=InstallationId(installation_id),
            account=shown,
            suspended=suspended,
            repository_selection="selected",
        )
        return self.do(
            FollowInstallation(
                account=account or self.account,
                installation_id=InstallationId(installation_id),
                truth=installation if is_there else None,
                installer_id=None if installer is None else GitHubAccountId(installer),
                cause=cause(observation=number, number=number, received_at=self.now, repeats=repeats),
                action=action,
            ),
            slots=slots,
        )

    def wait(self, **span: float) -> None:
        """Let time go by."""
        self.now += timedelta(**span)

    @property
    def customer(self) -> CustomerState:
        """The customer, who exists by now."""
        assert self.state is not None
        return self.state

    @property
    def subscription(self) -> Subscription:
        """The Marketplace subscription, which exists by now."""
        subscription = self.customer.subscription(Provider.GITHUB_MARKETPLACE)
        assert subscription is not None
        return subscription

    @property
    def period(self) -> Period:
        """The period, which exists by now."""
        period = self.subscription.period
        assert period is not None
        return period

    @property
    def available(self) -> int:
        """What can be spent."""
        return available(self.customer, self.now).count

    def lines(self) -> list[tuple[str, int]]:
        """The journal as kinds and amounts."""
        return [(entry.kind.value, entry.amount) for entry in self.journal]

    def _verify(self) -> None:
        if self.state is None:
            assert not self.journal
            return
        offence = verify_account(self.state.account, self.all_grants.values(), self.journal, self.notes)
        assert offence is None, offence
        assert self.state.account.posted == sum(grant.remaining for grant in self.all_grants.values())

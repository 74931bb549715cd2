"""One customer's history, checked at each step, and all that the domain's tests are made of."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from billing.commands import (
    Command,
    FollowInstallation,
    FollowMarketplace,
    GitHubAccount,
    InstallationTruth,
    KeyedCommand,
    MarketplaceHint,
    MarketplaceTruth,
    Note,
)
from billing.decide import Decision, Facts, decide
from billing.ledger.balance import Balance, standing
from billing.ledger.entries import Entry
from billing.ledger.verify import verify_account
from billing.plans import PlanCatalog
from billing.records import LowBalance, Remembered, SignupSlot
from billing.state import Charge, CustomerState, Grant, Hold, Period, Subscription
from billing.values import NO_HOLD, GitHubAccountId, HoldId, InstallationId, Provider
from billing.wants import wanted_by
from tests.billing.loading import brought, entries_for
from tests.billing.materials import (
    ACCOUNT,
    ACCOUNT_ID,
    CATALOG,
    CUSTOMER_ID,
    FREE,
    MAX,
    PLANS,
    PRO,
    ROLLING,
    STARTER,
    TEAM,
    UNKNOWN,
    WHOLE,
    asked,
    cause,
    day,
    grant,
    note,
    pending_end,
    pending_plan,
    revoke,
    spend,
    truth,
)

# The materials can be had from here as well.
__all__ = [
    "ACCOUNT",
    "ACCOUNT_ID",
    "CATALOG",
    "CUSTOMER_ID",
    "FREE",
    "MAX",
    "PLANS",
    "PRO",
    "ROLLING",
    "STARTER",
    "TEAM",
    "UNKNOWN",
    "WHOLE",
    "History",
    "asked",
    "cause",
    "day",
    "grant",
    "note",
    "pending_end",
    "pending_plan",
    "revoke",
    "spend",
    "truth",
]


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
    all_holds: dict[HoldId, Hold] = field(default_factory=dict)
    charges: list[Charge] = field(default_factory=list)
    told: list[LowBalance] = field(default_factory=list)
    remembered: dict[str, Remembered] = field(default_factory=dict)
    observations: int = 0
    is_billing_on: bool = True
    hold_id: HoldId = NO_HOLD
    """Of the next hold; one of our own choice unless told."""

    def do(
        self,
        command: Command,
        *,
        losses: int = 0,
        living: int = 0,
        slots: tuple[SignupSlot, ...] = (),
    ) -> Decision:
        """Decide the command and live with what was decided."""
        wanted = wanted_by([command] if isinstance(command, KeyedCommand) else [], self.now)
        entries = entries_for(wanted, self.journal, CUSTOMER_ID)
        facts = Facts(
            new_ids=(CUSTOMER_ID, ACCOUNT_ID),
            remembered=self.remembered.get(getattr(command, "key", "")),
            losses_last_hour=losses,
            living=living,
            signup_slots=slots,
            hold_id=self.hold_id or HoldId(1000 + len(self.journal)),
            entry=next(iter(entries), None),
            billing_on=self.is_billing_on,
        )
        state = self.state and brought(self.state, self.all_grants.values(), self.all_holds.values(), wanted, entries)
        decision = decide(state, command, self.now, self.plans, facts)
        if decision.state is not None:
            self.all_grants |= {grant.number: grant for grant in decision.state.grants}
            self.all_holds |= {hold.id: hold for hold in decision.state.holds}
            self.state = replace(
                decision.state, grants=tuple(grant for grant in self.all_grants.values() if grant.remaining), holds=()
            )
        self.journal += decision.entries
        self.charges += decision.charges
        self.told += decision.low_balances
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
        return self.balance.available

    @property
    def balance(self) -> Balance:
        """What the customer has now."""
        wanted = wanted_by([], self.now)
        state = brought(self.customer, self.all_grants.values(), self.all_holds.values(), wanted, ())
        return standing(state, self.now)

    def lines(self) -> list[tuple[str, int]]:
        """The journal as kinds and amounts."""
        return [(entry.kind.value, entry.amount) for entry in self.journal]

    def _verify(self) -> None:
        if self.state is None:
            assert not self.journal
            return
        account, grants = self.state.account, self.all_grants.values()
        offence = verify_account(account, grants, self.journal, self.notes, self.all_holds.values(), self.charges)
        assert offence is None, offence
        assert account.posted == sum(grant.remaining + grant.held for grant in grants)
        assert account.held == sum(grant.held for grant in grants)

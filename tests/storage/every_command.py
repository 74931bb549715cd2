"""Every command, in every way that it can go: the stage that it needs, and what it writes."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from billing.commands import (
    AdjustCredits,
    Answer,
    BackfillGrants,
    CaptureHold,
    Cause,
    Command,
    ExtendHold,
    FollowInstallation,
    FollowMarketplace,
    FollowRefund,
    GitHubAccount,
    GrantCredits,
    HoldCredits,
    Ignore,
    InstallationTruth,
    MarketplaceHint,
    MarketplaceTruth,
    Outcome,
    PaidTerms,
    RecordUsage,
    Refused,
    ReleaseHold,
    RenameAccount,
    ReverseEntry,
    RevokeCredits,
    ShowFigures,
    SpendCredits,
)
from billing.ports import Changes
from billing.service import BillingService
from billing.values import (
    NEVER,
    AccountId,
    Credits,
    CustomerId,
    GitHubAccountId,
    HoldId,
    InstallationId,
    Origin,
)
from sandbox.clock import VirtualClock
from storage.database import Database
from storage.flags import Flag
from tests.billing.materials import PLANS, ROLLING, asked, note, truth
from tests.storage.builders import cause_of, delivery, installation, load, provision

ACTOR: Final = "key:1"
REFERENCE: Final = "repository:7#12"
PAID: Final = PaidTerms(units=5, price_cents=2900)
GITHUB_ID: Final = 7
ACCOUNT: Final = GitHubAccount(id=GitHubAccountId(GITHUB_ID), login="octocat", type="User")


class Desk:
    """The program at work on a database, with one customer whose commands are made here."""

    def __init__(self, database: Database, clock: VirtualClock) -> None:
        self.database = database
        self.clock = clock
        self.service = BillingService(database.store, clock, PLANS)
        self.customer_id = CustomerId(0)
        self.account_id = AccountId(0)
        self._deliveries = 0

    @classmethod
    async def opened(
        cls, database: Database, clock: VirtualClock, credits_: int = 0, *, github_id: int = GITHUB_ID
    ) -> "Desk":
        """A desk whose customer has so many credits."""
        desk = cls(database, clock)
        state = await provision(database, clock, github_id, credits_=credits_)
        desk.customer_id, desk.account_id = state.customer.id, state.account.id
        return desk

    async def do(self, command: Command) -> Outcome:
        """Carry out a command, which isn't refused."""
        outcome = await self.service.handle(command)
        assert not isinstance(outcome, Refused), outcome
        return outcome

    async def hold_id(self) -> HoldId:
        """The open hold that times out first."""
        return (await self.database.reads.holds(self.account_id))[0].id

    async def cause(self) -> Cause:
        """A delivery that was claimed."""
        self._deliveries += 1
        await self.database.inbox.record(delivery(f"d{self._deliveries}", self.clock.now(), account=GITHUB_ID))
        claimed = await self.database.inbox.claim(partitions=1, deliveries=1, lease_seconds=60)
        return cause_of(claimed[0])

    def grant(
        self, amount: int, key: str, *, expires_at: datetime = NEVER, origin: Origin = Origin.GOODWILL
    ) -> GrantCredits:
        """Credits given, or bought."""
        return GrantCredits(
            customer_id=self.customer_id,
            amount=Credits(amount),
            expires_at=expires_at,
            key=key,
            actor=ACTOR,
            note=note() if origin is Origin.GOODWILL else None,
            origin=origin,
            reference="" if origin is Origin.GOODWILL else "payment:1",
        )

    def spend(self, amount: int, key: str, *, paid: PaidTerms | None = None) -> SpendCredits:
        """Credits spent now."""
        return SpendCredits(
            customer_id=self.customer_id,
            amount=Credits(amount),
            key=key,
            actor=ACTOR,
            reference=REFERENCE,
            occurred_at=self.clock.now(),
            paid=paid,
        )

    def usage(self, amount: int, key: str, at: datetime) -> RecordUsage:
        """Credits that were used before."""
        return RecordUsage(
            customer_id=self.customer_id,
            amount=Credits(amount),
            key=key,
            actor=ACTOR,
            reference=REFERENCE,
            occurred_at=at,
        )

    def hold(
        self, amount: int, key: str, *, paid: PaidTerms | None = None, lasts: timedelta = timedelta(hours=24)
    ) -> HoldCredits:
        """Credits set aside."""
        return HoldCredits(
            customer_id=self.customer_id,
            amount=Credits(amount),
            lasts=lasts,
            key=key,
            actor=ACTOR,
            reference=REFERENCE,
            paid=paid,
        )

    async def capture(self, amount: int) -> CaptureHold:
        """The open hold, captured."""
        return CaptureHold(
            customer_id=self.customer_id,
            hold_id=await self.hold_id(),
            amount=Credits(amount),
            key="captured",
            actor=ACTOR,
        )

    def adjust(self, change: int, key: str) -> AdjustCredits:
        """A balance set right."""
        return AdjustCredits(customer_id=self.customer_id, change=change, key=key, actor=ACTOR, note=note())

    def refund(self, refunded_cents: int, key: str, *, grant_number: int = 1) -> FollowRefund:
        """What of a payment of a dollar was given back."""
        return FollowRefund(
            customer_id=self.customer_id,
            grant_number=grant_number,
            paid_cents=100,
            refunded_cents=refunded_cents,
            key=key,
            actor=ACTOR,
            reference="payment:1",
        )

    def reverse(self, seq: int) -> ReverseEntry:
        """An entry taken back."""
        return ReverseEntry(customer_id=self.customer_id, seq=seq, actor=ACTOR, note=note())

    async def follow(self, shown: MarketplaceTruth, action: str) -> FollowMarketplace:
        """A delivery about the plan, and what GitHub shows."""
        hint = MarketplaceHint(action=action, marketplace_plan_id=None, effective_at=self.clock.now())
        return FollowMarketplace(account=ACCOUNT, truth=shown, hint=hint, cause=await self.cause())


Stage = Callable[[Database, VirtualClock], Awaitable[tuple[Desk, Command]]]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One way in which a command goes.

    Attributes:
        command: which one it is.
        kinds: of the entries that it writes, in order.
        rows: how many rows it adds to other tables.
        is_refused: whether it is refused, which is remembered.
    """

    stage: Stage
    command: type[Command]
    kinds: tuple[str, ...] = ()
    rows: Mapping[str, int] = field(default_factory=dict)
    is_refused: bool = False


CASES: Final[dict[str, Case]] = {}


def case(command: type[Command], *kinds: str, is_refused: bool = False, **rows: int) -> Callable[[Stage], Stage]:
    """Note a case under its function's name."""

    def noted(stage: Stage) -> Stage:
        CASES[stage.__name__] = Case(stage=stage, command=command, kinds=kinds, rows=rows, is_refused=is_refused)
        return stage

    return noted


# Grants and corrections.


@case(GrantCredits, "grant", credit_grants=1, credit_notes=1)
async def grant_out_of_goodwill(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock)
    return desk, desk.grant(5, "given")


@case(GrantCredits, "grant", credit_grants=1)
async def grant_what_was_brought_along(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock)
    return desk, desk.grant(5, "brought", origin=Origin.MIGRATION)


@case(GrantCredits, "grant", "repay", credit_grants=1)
async def grant_what_was_bought_in_debt(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock)
    await desk.do(desk.usage(3, "used", clock.now()))
    return desk, desk.grant(5, "bought", origin=Origin.PURCHASE)


@case(RevokeCredits, "revoke", credit_notes=1, effects=1)
async def revoke_from_two_grants(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock, credits_=2)
    await desk.do(desk.grant(2, "second"))
    return desk, RevokeCredits(customer_id=desk.customer_id, amount=Credits(3), key="revoked", actor=ACTOR, note=note())


@case(AdjustCredits, "adjust", "grant", credit_grants=1, credit_notes=1)
async def adjust_upwards_in_debt(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock)
    await desk.do(desk.usage(3, "used", clock.now()))
    return desk, desk.adjust(5, "adjusted")


@case(AdjustCredits, "adjust", credit_notes=1, effects=1)
async def adjust_downwards_beyond_what_there_is(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock, credits_=2)
    return desk, desk.adjust(-5, "adjusted")


# Spends.


@case(SpendCredits, "expire", "spend", effects=1)
async def spend_after_an_expiry_below_a_threshold(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock, credits_=5)
    await desk.do(desk.grant(4, "short-lived", expires_at=clock.now() + timedelta(days=1)))
    clock.advance(days=1)
    return desk, desk.spend(4, "spent")


@case(SpendCredits, "spend", credit_grants=2, credit_holds=1, charges=2, effects=1)
async def spend_with_paid_units(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock, credits_=2)
    return desk, desk.spend(4, "spent", paid=PAID)


@case(SpendCredits, "spend", "waive", effects=1)
async def spend_while_billing_is_off(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock, credits_=2)
    await database.flags.set(Flag.BILLING_ENABLED, on=False, by="ada")
    return desk, desk.spend(4, "spent")


@case(SpendCredits, "expire", is_refused=True, refusals=1, effects=1)
async def spend_too_much_after_an_expiry(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock)
    await desk.do(desk.grant(4, "short-lived", expires_at=clock.now() + timedelta(days=1)))
    clock.advance(days=1)
    return desk, desk.spend(4, "spent")


@case(RecordUsage, "spend")
async def record_usage_paid_by_what_has_expired(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock)
    used_at = clock.now()
    await desk.do(desk.grant(4, "short-lived", expires_at=clock.now() + timedelta(days=1)))
    clock.advance(days=1)
    await desk.do(desk.grant(5, "later"))
    return desk, desk.usage(6, "used", used_at)


@case(RecordUsage, "waive")
async def record_usage_while_billing_is_off(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock)
    await database.flags.set(Flag.BILLING_ENABLED, on=False, by="ada")
    return desk, desk.usage(6, "used", clock.now())


# Holds.


@case(HoldCredits, "hold", credit_holds=1, hold_shares=2)
async def hold_over_two_grants(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock, credits_=2)
    await desk.do(desk.grant(2, "second"))
    return desk, desk.hold(3, "held")


@case(HoldCredits, "hold", credit_holds=1, hold_shares=1)
async def hold_with_paid_units(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock, credits_=2)
    return desk, desk.hold(5, "held", paid=PAID)


@case(HoldCredits, "hold", credit_holds=1)
async def hold_while_billing_is_off(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock)
    await database.flags.set(Flag.BILLING_ENABLED, on=False, by="ada")
    return desk, desk.hold(2, "held")


@case(CaptureHold, "capture", effects=1)
async def capture_all(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock, credits_=3)
    await desk.do(desk.hold(3, "held"))
    return desk, await desk.capture(3)


@case(CaptureHold, "capture", "clawback", "expire", effects=1)
async def capture_a_part_of_what_was_refunded_and_has_expired(
    database: Database, clock: VirtualClock
) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock)
    await desk.do(desk.grant(6, "bought", origin=Origin.PURCHASE, expires_at=clock.now() + timedelta(hours=1)))
    await desk.do(desk.hold(6, "held"))
    await desk.do(desk.refund(50, "refunded"))
    clock.advance(hours=1)
    return desk, await desk.capture(1)


@case(CaptureHold, "capture", credit_grants=2, charges=2, effects=1)
async def capture_paid_units(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock)
    await desk.do(desk.hold(3, "held", paid=PAID))
    await desk.do(desk.grant(1, "meanwhile"))
    return desk, await desk.capture(3)


@case(CaptureHold, "capture")
async def capture_waived_units(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock)
    await database.flags.set(Flag.BILLING_ENABLED, on=False, by="ada")
    await desk.do(desk.hold(3, "held"))
    return desk, await desk.capture(2)


@case(CaptureHold, is_refused=True, refusals=1)
async def capture_more_than_is_held(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock, credits_=3)
    await desk.do(desk.hold(2, "held"))
    return desk, await desk.capture(3)


@case(ReleaseHold, "release", "clawback", "expire", effects=1)
async def release_what_was_refunded_and_has_expired(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock)
    await desk.do(desk.grant(6, "bought", origin=Origin.PURCHASE, expires_at=clock.now() + timedelta(hours=1)))
    await desk.do(desk.hold(6, "held"))
    await desk.do(desk.refund(50, "refunded"))
    clock.advance(hours=1)
    command = ReleaseHold(customer_id=desk.customer_id, hold_id=await desk.hold_id(), key="released", actor=ACTOR)
    return desk, command


@case(ExtendHold, "extend")
async def extend_a_hold(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock, credits_=3)
    await desk.do(desk.hold(2, "held"))
    clock.advance(hours=1)
    command = ExtendHold(
        customer_id=desk.customer_id,
        hold_id=await desk.hold_id(),
        lasts=timedelta(days=2),
        key="extended",
        actor=ACTOR,
    )
    return desk, command


@case(SpendCredits, "release", "release", "spend")
async def spend_what_two_holds_gave_back_by_timing_out(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock, credits_=6)
    for hours in (1, 2, 30):
        await desk.do(desk.hold(2, f"held:{hours}", lasts=timedelta(hours=hours)))
    clock.advance(hours=2)
    return desk, desk.spend(2, "spent")


# Refunds and reversals.


@case(FollowRefund, "clawback", effects=1)
async def follow_a_refund_of_what_was_spent(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock)
    await desk.do(desk.grant(6, "bought", origin=Origin.PURCHASE))
    await desk.do(desk.spend(4, "spent"))
    return desk, desk.refund(100, "refunded")


@case(FollowRefund, "reinstate")
async def follow_a_refund_that_failed(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock)
    await desk.do(desk.grant(6, "bought", origin=Origin.PURCHASE))
    await desk.do(desk.spend(4, "spent"))
    await desk.do(desk.refund(100, "refunded"))
    await desk.do(desk.grant(3, "bought again", origin=Origin.PURCHASE))
    return desk, desk.refund(0, "failed")


@case(ReverseEntry, "reverse", credit_notes=1)
async def reverse_a_spend(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock, credits_=2)
    await desk.do(desk.grant(2, "second"))
    await desk.do(desk.spend(3, "spent"))
    return desk, desk.reverse(3)


@case(ReverseEntry, "reverse", credit_notes=1, effects=1)
async def reverse_a_grant_that_was_spent_in_part(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock, credits_=5)
    await desk.do(desk.spend(3, "spent"))
    return desk, desk.reverse(1)


@case(ReverseEntry, "reverse", "grant", credit_grants=1, credit_notes=1)
async def reverse_what_made_a_debt_that_was_repaid(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock)
    await desk.do(desk.adjust(-3, "adjusted"))
    await desk.do(desk.grant(5, "bought", origin=Origin.PURCHASE))
    return desk, desk.reverse(1)


@case(ReverseEntry, is_refused=True, refusals=1)
async def reverse_a_hold(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock, credits_=5)
    await desk.do(desk.hold(3, "held"))
    return desk, desk.reverse(2)


@case(BackfillGrants, "grant", credit_grants=1, credit_notes=1)
async def backfill_a_signup(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock)
    before = await load(database, desk.customer_id)
    after = replace(before, installations=(installation(70, clock.now()),))
    await database.store.transact(lambda unit: unit.save(Changes(states=[(before, after)]), clock.now()))
    return desk, BackfillGrants(customer_id=desk.customer_id, is_dry_run=False, actor=ACTOR, note=note())


# What deliveries lead to.


@case(FollowMarketplace, "grant", credit_grants=1, subscriptions=1)
async def follow_a_purchase(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock)
    shown = truth(ROLLING, billed_at=clock.now() + timedelta(days=30), account=ACCOUNT)
    return desk, await desk.follow(shown, "purchased")


@case(FollowMarketplace, "expire", "grant", "repay", "grant", credit_grants=2)
async def follow_a_renewal_in_debt_with_a_rollover(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock)
    used_at = clock.now()
    clock.advance(hours=1)
    billed_at = (clock.now() + timedelta(days=15)).replace(hour=0, minute=0)
    await desk.do(await desk.follow(truth(ROLLING, billed_at=billed_at, account=ACCOUNT), "purchased"))
    await desk.do(desk.usage(3, "used", used_at))
    clock.set(billed_at + timedelta(hours=1))
    later = truth(ROLLING, billed_at=billed_at + timedelta(days=30), account=ACCOUNT)
    return desk, await desk.follow(later, "changed")


@case(FollowInstallation, "grant", credit_grants=1, credit_accounts=1, customers=1, installations=1, signup_slots=1)
async def follow_a_first_installation(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = Desk(database, clock)
    account = GitHubAccount(id=GitHubAccountId(99), login="octo-org", type="Organization")
    shown = InstallationTruth(
        installation_id=InstallationId(70), account=account, suspended=False, repository_selection="all"
    )
    return desk, FollowInstallation(
        account=account,
        installation_id=InstallationId(70),
        truth=shown,
        installer_id=GitHubAccountId(5),
        cause=await desk.cause(),
        action="created",
    )


@case(RenameAccount)
async def rename_an_account(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock)
    return desk, RenameAccount(account=replace(ACCOUNT, login="renamed"), cause=await desk.cause())


@case(ShowFigures)
async def show_figures(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = await Desk.opened(database, clock)
    return desk, ShowFigures(customer_id=desk.customer_id, shown=True)


@case(Answer, effects=1)
async def answer_a_comment(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = Desk(database, clock)
    command: Answer = asked(why=await desk.cause())
    return desk, command


@case(Ignore)
async def ignore_a_delivery(database: Database, clock: VirtualClock) -> tuple[Desk, Command]:
    desk = Desk(database, clock)
    return desk, Ignore(reason="nothing to do", cause=await desk.cause())

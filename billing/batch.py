"""One batch of commands in one transaction: everything looked up at once, decided one by one, saved at once.

A batch of any size costs the same number of statements: a look-up a table for all its customers, a write a table.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, assert_never

from billing.commands import (
    Answered,
    Applied,
    Backfilled,
    Command,
    CustomerCommand,
    DeliveryCommand,
    FollowInstallation,
    FollowMarketplace,
    Ignored,
    KeyedCommand,
    Outcome,
    Postponed,
    Refused,
    RenameAccount,
    ReverseEntry,
)
from billing.decide import Decision, Facts, decide
from billing.decide.bounds import out_of_bounds
from billing.decide.endings import LEAST_LOSSES
from billing.errors import LeaseLostError
from billing.ledger.entries import Entry
from billing.plans import PlanCatalog
from billing.ports import Changes, DeliveryEnd, Unit, Wanted
from billing.records import Alarm, Recovery, Remembered
from billing.state import CustomerState
from billing.values import NO_HOLD, AccountId, CustomerId, GitHubAccountId, HoldId, value
from billing.wants import may_go_short, may_make_hold, wanted_by

LOSSES_WITHIN: Final = timedelta(hours=1)

NOTHING: Final = Facts()
"""What there is to know beside the customer, mostly."""

AccountCommand = FollowMarketplace | FollowInstallation | RenameAccount
"""Commands that name the customer by the GitHub account."""


@value
class Busy:
    """The command's customer is locked by another transaction: it waits for a later batch."""


@value
class Failed:
    """The command failed alone; the others of its batch didn't."""

    error: Exception


Result = Outcome | Busy | Failed
"""What a batch makes of one of its commands."""


def run_batch(
    unit: Unit, commands: Sequence[Command], now: datetime, plans: PlanCatalog, *, billing_enabled: bool = True
) -> list[Result]:
    """Carry out the commands in this transaction, in order, and return what became of each.

    A command that is refused or fails changes nothing for the others, not even for those of the same customer.
    `billing_enabled` is the setting; the database's flag is asked for beside it.
    """
    return _Batch(unit, commands, now, plans, billing_enabled=billing_enabled).run()


class _Batch:
    """All the batch's customers on their way from before to after, and what the decisions may know beside them."""

    def __init__(
        self, unit: Unit, commands: Sequence[Command], now: datetime, plans: PlanCatalog, *, billing_enabled: bool
    ) -> None:
        self._unit = unit
        # Whether we bill; not known until a command needs to know.
        self._billing_on = None if billing_enabled else False
        self._commands = commands
        self._now = now
        self._plans = plans
        self._changes = Changes()
        self._alarms: dict[tuple[str, str], Alarm | Recovery] = {}
        about_customers: list[CustomerCommand] = []
        deliveries: list[DeliveryCommand] = []
        for command in commands:
            if isinstance(command, CustomerCommand):
                about_customers.append(command)
            else:
                deliveries.append(command)
        leases = {command.cause.lease for command in deliveries}
        self._lost = set(unit.lost_leases(leases)) if leases else set()
        about_accounts = [
            command
            for command in deliveries
            if isinstance(command, AccountCommand) and command.cause.lease not in self._lost
        ]
        # By identity: what is out of bounds may be too long to be compared.
        faults = ((id(command), out_of_bounds(command)) for command in about_customers)
        self._faults = {identity: fault for identity, fault in faults if fault is not None}
        if self._faults:
            # Nothing is looked up for them: the database itself would refuse, and every command with it.
            about_customers = [command for command in about_customers if id(command) not in self._faults]
        keyed = [command for command in about_customers if isinstance(command, KeyedCommand)]
        self._lock(about_customers, about_accounts, wanted_by(keyed, now))
        self._recall(keyed)
        self._count_losses(about_accounts)
        self._look_up_slots([command for command in about_accounts if isinstance(command, FollowInstallation)])

    def run(self) -> list[Result]:
        """Decide every command, then save what changed."""
        results = [self._carry_out(command) for command in self._commands]
        for customer_id, state in self._states.items():
            before = self._before.get(customer_id)
            if state is not before:
                self._changes.states.append((before, state))
        self._changes.alarms = [each for each in self._alarms.values() if isinstance(each, Alarm)]
        self._changes.recoveries = [each for each in self._alarms.values() if isinstance(each, Recovery)]
        self._unit.save(self._changes, self._now)
        return results

    def _lock(
        self, about_customers: Sequence[CustomerCommand], about_accounts: Sequence[AccountCommand], wanted: Wanted
    ) -> None:
        """Lock and load all customers, and draw ids for those that may have to be made, and for holds."""
        customer_ids = {command.customer_id for command in about_customers}
        github_ids = {command.account.id for command in about_accounts}
        locked = self._unit.lock(customer_ids, github_ids, wanted)
        self._busy = set(locked.busy)
        self._customer_ids = {github_id: state.customer.id for github_id, state in locked.by_github.items()}
        self._before = {state.customer.id: state for state in (*locked.by_id.values(), *locked.by_github.values())}
        self._states = dict(self._before)
        unknown = sorted(github_ids - locked.by_github.keys() - self._busy)
        count = 2 * len(unknown) + sum(may_make_hold(command) for command in about_customers)
        ids = iter(self._unit.new_ids(count) if count else ())
        self._new_ids = {github_id: (CustomerId(next(ids)), AccountId(next(ids))) for github_id in unknown}
        self._hold_ids = map(HoldId, ids)
        self._entries = {(entry.account_id, entry.seq): entry for entry in locked.entries}

    def _recall(self, commands: Sequence[KeyedCommand]) -> None:
        """Look up the answers that were given before for the batch's keys."""
        states = ((command.key, self._states.get(command.customer_id)) for command in commands)
        keys = {(state.account.id, key) for key, state in states if state is not None}
        self._known: dict[tuple[AccountId, str], Remembered | Entry] = {}
        if keys:
            self._known.update(self._unit.remembered(keys))

    def _count_losses(self, commands: Sequence[AccountCommand]) -> None:
        """Look up what stops further losses, where a command may add to them; the costly count only if it matters."""
        absences = sum(isinstance(command, FollowMarketplace) and command.truth is None for command in commands)
        self._losses = self._unit.losses_since(self._now - LOSSES_WITHIN) if absences else 0
        self._living = self._unit.living_subscriptions() if self._losses + absences > LEAST_LOSSES else 0

    def _look_up_slots(self, commands: Sequence[FollowInstallation]) -> None:
        """Look up the sign-up places of all who installed."""
        installers = {command.installer_id for command in commands if command.installer_id is not None}
        slots = self._unit.signup_slots(installers) if installers else ()
        self._slots = {(slot.installer_id, slot.slot): slot for slot in slots}

    def _carry_out(self, command: Command) -> Result:
        """Decide one command, unless it can't be kept or its delivery is another worker's by now."""
        if isinstance(command, CustomerCommand):
            fault = self._faults.get(id(command))
            if fault is not None:
                return Refused(error=fault)
            return self._decide(command, command.customer_id, command.customer_id)
        if command.cause.lease in self._lost:
            return Failed(error=LeaseLostError(command.cause.lease.partition))
        account_id = command.account.id if isinstance(command, AccountCommand) else None
        customer_id = None if account_id is None else self._customer_ids.get(account_id)
        result = self._decide(command, account_id, customer_id)
        if not isinstance(result, Busy | Failed):
            self._changes.deliveries.append(delivery_end(command, result))
        return result

    def _decide(
        self, command: Command, named_by: CustomerId | GitHubAccountId | None, customer_id: CustomerId | None
    ) -> Result:
        """Decide one command on what the batch's earlier ones left.

        `named_by` is the id by which the command names its customer, None if it concerns nobody; `customer_id` is ours.
        """
        if self._busy and named_by in self._busy:
            return Busy()
        state = None if customer_id is None else self._states.get(customer_id)
        # Outside of what may fail alone: a database that fails takes the whole transaction with it.
        facts = self._facts(command, state)
        try:
            decision = decide(state, command, self._now, self._plans, facts)
        except Exception as error:  # noqa: BLE001 -- a bug in one decision must not take the others' commit with it
            return Failed(error=error)
        self._keep(decision)
        return decision.outcome

    def _facts(self, command: Command, state: CustomerState | None) -> Facts:
        """What the decision may know beside the customer."""
        if isinstance(command, KeyedCommand):
            return NOTHING if state is None else self._facts_about(command, state)
        facts = Facts(losses_last_hour=self._losses, living=self._living)
        if isinstance(command, AccountCommand):
            facts = replace(facts, new_ids=self._new_ids.get(command.account.id))
        if isinstance(command, FollowInstallation):
            slots = (slot for slot in self._slots.values() if slot.installer_id == command.installer_id)
            facts = replace(facts, signup_slots=tuple(slots))
        return facts

    def _facts_about(self, command: KeyedCommand, state: CustomerState) -> Facts:
        """What the decision on a keyed command may know; nothing, as a rule.

        What was answered before for its key counts, also by this batch.
        """
        account_id = state.account.id
        known = self._known.get((account_id, command.key))
        remembered = _remembered(known) if isinstance(known, Entry) else known
        makes_hold = may_make_hold(command)
        is_short = may_go_short(command, state, self._now)
        if remembered is None and not (makes_hold or is_short or isinstance(command, ReverseEntry)):
            return NOTHING
        return Facts(
            remembered=remembered,
            hold_id=next(self._hold_ids) if makes_hold else NO_HOLD,
            entry=self._entry(account_id, command.seq) if isinstance(command, ReverseEntry) else None,
            billing_on=not is_short or self._is_billing_on(),
        )

    def _entry(self, account_id: AccountId, seq: int) -> Entry | None:
        """The entry, if it was loaded or this batch wrote it."""
        written = (entry for entry in self._changes.entries if (entry.account_id, entry.seq) == (account_id, seq))
        return self._entries.get((account_id, seq)) or next(written, None)

    def _is_billing_on(self) -> bool:
        """Whether we bill, by the setting and the database's flag; asked once."""
        if self._billing_on is None:
            self._billing_on = self._unit.is_billing_on()
        return self._billing_on

    def _keep(self, decision: Decision) -> None:
        """Take over what was decided, for the batch's later commands and to be saved."""
        state = decision.state
        if state is not None:
            self._states[state.customer.id] = state
            self._customer_ids[state.customer.github_account_id] = state.customer.id
        for entry in decision.entries:
            self._known[entry.account_id, entry.key] = entry
        for refusal in decision.refusals:
            self._known[refusal.account_id, refusal.key] = refusal
        for slot in decision.signup_slots:
            self._slots[slot.installer_id, slot.slot] = slot
        self._losses += len(decision.losses)
        changes = self._changes
        changes.entries += decision.entries
        changes.notes += decision.notes
        changes.refusals += decision.refusals
        changes.losses += decision.losses
        changes.signup_slots += decision.signup_slots
        changes.replies += decision.replies
        changes.charges += decision.charges
        changes.low_balances += decision.low_balances
        # Of several words about one thing the last counts.
        for recovery in decision.recoveries:
            self._alarms[recovery.kind, recovery.subject] = recovery
        for alarm in decision.alarms:
            self._alarms[alarm.kind, alarm.subject] = alarm


def _remembered(entry: Entry) -> Remembered:
    """The answer that a repeat of the entry's key gets."""
    return Remembered(
        account_id=entry.account_id,
        key=entry.key,
        request_hash=entry.request_hash,
        seq=entry.seq,
        refusal="",
        recorded_at=entry.recorded_at,
    )


def delivery_end(command: DeliveryCommand, outcome: Outcome) -> DeliveryEnd:
    """How the delivery ends by what became of its command. Any outcome ends it, also one that none has by today."""
    match outcome:
        case Applied() | Backfilled() | Answered():
            return DeliveryEnd(cause=command.cause, state="done")
        case Ignored():
            return DeliveryEnd(cause=command.cause, state="ignored", error=outcome.reason)
        case Refused():
            return DeliveryEnd(cause=command.cause, state="refused", error=str(outcome.error))
        case Postponed():
            return DeliveryEnd(cause=command.cause, state="received", error=outcome.reason, run_at=outcome.until)
        case _:
            assert_never(outcome)

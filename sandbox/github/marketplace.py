"""What people and time do to purchases on the Marketplace listing, by GitHub's rules.

Upgrades take effect at once; downgrades and cancellations wait for the end of the billing cycle; nothing is sent at a
renewal (GitHub documentation, "Handling plan changes" and "Handling plan cancellations").
"""

import dataclasses
import heapq
from datetime import datetime, timedelta

from sandbox.github import payloads
from sandbox.github.calendar import TRIAL_DAYS, billing_date_after, first_billing_date, midnight, renewal_date
from sandbox.github.courier import Courier
from sandbox.github.errors import ActionError
from sandbox.github.model import Account, BillingCycle, PendingChange, Plan, Purchase, Terms
from sandbox.github.state import AccountReference, GitHubState, PlanReference


class MarketplaceActors:
    """Buying, changing, cancelling, and what the calendar does to it.

    Attributes:
        pending_change_lag: How long after the billing date a scheduled change takes effect. GitHub's API has been seen
            to name 07:00 UTC.
        renewal_lag: How long after the billing date the next one is shown.
    """

    state: GitHubState
    courier: Courier
    pending_change_lag: timedelta
    renewal_lag: timedelta
    _due: list[tuple[datetime, int]]

    def _start_calendar(self) -> None:
        """Begin without anything due."""
        self.pending_change_lag = timedelta(0)
        self.renewal_lag = timedelta(0)
        self._due = []

    # What people do --------------------------------------------------------------------------------------------------

    def purchase(self, account: AccountReference) -> Purchase:
        """Return what an account has bought.

        Raises:
            ActionError: Nothing.
        """
        self.catch_up()
        target = self.state.account(account)
        found = self.state.purchases.get(target.id)
        if found is None:
            raise ActionError(f"{target.login} has bought nothing")
        return found

    def buy(
        self,
        account: AccountReference,
        plan: PlanReference,
        *,
        units: int = 1,
        cycle: BillingCycle = "monthly",
        sender: AccountReference | None = None,
        trial: bool | None = None,
    ) -> Purchase:
        """Buy a plan: `purchased`, at once.

        Args:
            account: Who pays.
            plan: What.
            units: Seats of a per-unit plan.
            cycle: How often it is charged.
            sender: Who clicks.
            trial: Whether it starts as a free trial; if absent, when the plan has one and the account never had one.

        Raises:
            ActionError: The account has a plan already, the plan isn't for sale, or the trial is spent.
        """
        self.catch_up()
        target, bought = self.state.account(account), self.state.plan(plan)
        if target.id in self.state.purchases:
            raise ActionError(f"{target.login} has a plan already: change it instead")
        _check_sale(bought, units)
        offered = bought.has_free_trial and not target.trials_used
        if trial and not offered:
            raise ActionError("there is no free trial for this account and plan")
        now = self.state.clock.now()
        on_trial = offered if trial is None else trial
        target.trials_used = target.trials_used or on_trial
        purchase = Purchase(
            account=target,
            terms=_new_terms(target, bought, units=units, cycle=cycle, now=now, on_trial=on_trial),
            created_at=now,
            updated_at=now,
        )
        self.state.purchases[target.id] = purchase
        self._tell("purchased", purchase, effective_date=midnight(now), sender=self._buyer(target, sender))
        return purchase

    def change(
        self,
        account: AccountReference,
        plan: PlanReference | None = None,
        *,
        units: int | None = None,
        cycle: BillingCycle | None = None,
        sender: AccountReference | None = None,
    ) -> Purchase:
        """Change plan, seats or cycle: an upgrade at once (`changed`), else at the cycle's end (`pending_change`).

        Raises:
            ActionError: Nothing is bought, the plan isn't for sale, or nothing would change.
        """
        purchase = self.purchase(account)
        current, now = purchase.terms, self.state.clock.now()
        wanted = current.plan if plan is None else self.state.plan(plan)
        count = (current.unit_count if wanted.price_model == "PER_UNIT" else 1) if units is None else units
        period = current.billing_cycle if cycle is None else cycle
        if (wanted, count, period) == (current.plan, current.unit_count, current.billing_cycle):
            raise ActionError("that is what the account has already")
        if wanted is not current.plan or count != current.unit_count:
            _check_sale(wanted, count)
        buyer = self._buyer(purchase.account, sender)
        if _is_upgrade(current, wanted, units=count, cycle=period):
            purchase.previous, purchase.pending = current, None
            purchase.terms = self._upgraded(purchase, wanted, units=count, cycle=period, now=now)
            self._tell("changed", purchase, effective_date=midnight(now), sender=buyer, previous=current)
        else:
            self._schedule_change(purchase, wanted, units=count, cycle=period, sender=buyer)
        return purchase

    def cancel(self, account: AccountReference, *, sender: AccountReference | None = None) -> Purchase:
        """Cancel: at once on a free plan or in a trial (`cancelled`), else at the cycle's end (`pending_change`)."""
        purchase = self.purchase(account)
        buyer = self._buyer(purchase.account, sender)
        if purchase.terms.on_free_trial or purchase.terms.next_billing_date is None:
            self._end(purchase, effective_date=midnight(self.state.clock.now()), sender=buyer)
        else:
            self._schedule_change(purchase, None, units=0, cycle=purchase.terms.billing_cycle, sender=buyer)
        return purchase

    def withdraw_change(self, account: AccountReference, *, sender: AccountReference | None = None) -> Purchase:
        """Withdraw the scheduled change: `pending_change_cancelled`."""
        purchase = self.purchase(account)
        if purchase.pending is None:
            raise ActionError("no change is scheduled")
        effective_date = purchase.pending.effective_date
        purchase.pending = None
        self._tell(
            "pending_change_cancelled",
            purchase,
            effective_date=effective_date,
            sender=self._buyer(purchase.account, sender),
        )
        return purchase

    def fail_upgrade(self, account: AccountReference) -> Purchase:
        """Let the payment of the last upgrade fail: GitHub goes back to what was before and sends `changed`."""
        purchase = self.purchase(account)
        if purchase.previous is None:
            raise ActionError("there was no upgrade to fail")
        failed, purchase.terms, purchase.previous = purchase.terms, purchase.previous, None
        now = self.state.clock.now()
        self._tell(
            "changed",
            purchase,
            effective_date=midnight(now),
            sender=self.state.human(purchase.account),
            previous=failed,
        )
        return purchase

    def fail_payment(self, account: AccountReference, *, hours: float) -> Purchase:
        """Let a renewal's payment fail: the plan vanishes from the API for so long, and no hook is told."""
        purchase = self.purchase(account)
        purchase.hidden_until = self.state.clock.now() + timedelta(hours=hours)
        self.state.changed()
        return purchase

    def restore_payment(self, account: AccountReference) -> Purchase:
        """Let the payment come through: the plan is back in the API, and no hook is told."""
        purchase = self.purchase(account)
        purchase.hidden_until = None
        self.state.changed()
        return purchase

    def add_plan(self, plan: Plan) -> Plan:
        """Publish a further plan."""
        if plan.id in self.state.plans:
            raise ActionError(f"the plan id {plan.id} is taken")
        self.state.plans[plan.id] = plan
        self.state.changed()
        return plan

    def retire_plan(self, plan: PlanReference) -> Plan:
        """Take a plan off sale; whoever has it keeps it."""
        retired = self.state.plan(plan)
        retired.state = "retired"
        self.state.changed()
        return retired

    # What time does --------------------------------------------------------------------------------------------------

    def catch_up(self) -> None:
        """Let everything happen that is due by the clock, in the order of its dates.

        Trials end, changes take effect, cycles renew.
        """
        now = self.state.clock.now()
        while self._due and self._due[0][0] <= now:
            moment, account_id = heapq.heappop(self._due)
            purchase = self.state.purchases.get(account_id)
            if purchase is not None and self._next_moment(purchase) == moment:
                self._let_happen(purchase, moment)

    def next_due(self) -> datetime | None:
        """Return when something may happen next."""
        return self._due[0][0] if self._due else None

    def _plan_ahead(self, purchase: Purchase) -> None:
        """Note when something happens to a purchase next; a note that is out of date is passed over at its time."""
        moment = self._next_moment(purchase)
        if moment is not None:
            heapq.heappush(self._due, (moment, purchase.account.id))

    def _next_moment(self, purchase: Purchase) -> datetime | None:
        """Return when something happens to a purchase next."""
        terms = purchase.terms
        moments = [] if purchase.pending is None else [purchase.pending.effective_date]
        if terms.on_free_trial and terms.free_trial_ends_on is not None:
            moments.append(terms.free_trial_ends_on)
        elif terms.next_billing_date is not None:
            moments.append(terms.next_billing_date + self.renewal_lag)
        return min(moments, default=None)

    def _let_happen(self, purchase: Purchase, moment: datetime) -> None:
        """Do to a purchase what is due at a moment; a scheduled change comes before a renewal."""
        terms, account = purchase.terms, purchase.account
        pending = purchase.pending
        if pending is not None and pending.effective_date <= moment:
            self._take_effect(purchase, pending)
        elif terms.on_free_trial:
            purchase.terms = dataclasses.replace(terms, on_free_trial=False, free_trial_ends_on=None)
            self._tell("changed", purchase, effective_date=moment, sender=self.state.human(account), previous=terms)
        elif terms.next_billing_date is not None:
            following = renewal_date(
                terms.next_billing_date, billing_day=account.billing_day, cycle=terms.billing_cycle
            )
            purchase.terms = dataclasses.replace(terms, next_billing_date=following)
            purchase.previous = None
            self._plan_ahead(purchase)
            self.state.changed()

    def _take_effect(self, purchase: Purchase, pending: PendingChange) -> None:
        """Let a scheduled change take effect: `changed` or `cancelled`."""
        day = midnight(pending.effective_date)
        if pending.plan is None:
            self._end(purchase, effective_date=day, sender=pending.sender)
            return
        before = purchase.terms
        purchase.pending = purchase.previous = None
        purchase.terms = _new_terms(
            purchase.account,
            pending.plan,
            units=pending.unit_count,
            cycle=pending.billing_cycle,
            now=day,
            on_trial=False,
        )
        self._tell("changed", purchase, effective_date=day, sender=pending.sender, previous=before)

    def _schedule_change(
        self, purchase: Purchase, plan: Plan | None, *, units: int, cycle: BillingCycle, sender: Account
    ) -> None:
        """Schedule a change for the cycle's end, in place of any scheduled before: `pending_change`."""
        terms = purchase.terms
        boundary = terms.free_trial_ends_on if terms.on_free_trial else terms.next_billing_date
        if boundary is None:
            raise ActionError("a free plan has no cycle at whose end it could change")
        purchase.pending = PendingChange(
            id=self.state.next_id("pending_change"),
            plan=plan,
            unit_count=units,
            billing_cycle=cycle,
            effective_date=boundary + self.pending_change_lag,
            sender=sender,
        )
        self._tell(
            "pending_change",
            purchase,
            effective_date=boundary,
            sender=sender,
            terms=payloads.pending_terms(purchase, purchase.pending),
            previous=terms,
        )

    def _end(self, purchase: Purchase, *, effective_date: datetime, sender: Account) -> None:
        """End a purchase: `cancelled`."""
        del self.state.purchases[purchase.account.id]
        purchase.pending = None
        self._tell("cancelled", purchase, effective_date=effective_date, sender=sender)

    def _upgraded(self, purchase: Purchase, plan: Plan, *, units: int, cycle: BillingCycle, now: datetime) -> Terms:
        """Return the terms after an upgrade: the running cycle goes on, unless there was none or its length changes."""
        before = purchase.terms
        if not before.on_free_trial and (before.next_billing_date is None or cycle != before.billing_cycle):
            return _new_terms(purchase.account, plan, units=units, cycle=cycle, now=now, on_trial=False)
        return dataclasses.replace(before, plan=plan, unit_count=units, billing_cycle=cycle)

    def _buyer(self, account: Account, sender: AccountReference | None) -> Account:
        """Return who acts."""
        return self.state.human(account) if sender is None else self.state.account(sender)

    def _tell(
        self,
        action: payloads.MarketplaceAction,
        purchase: Purchase,
        *,
        effective_date: datetime,
        sender: Account,
        terms: Terms | None = None,
        previous: Terms | None = None,
    ) -> None:
        """Send `marketplace_purchase` to the listing's hook, and note what comes next."""
        purchase.updated_at = self.state.clock.now()
        if purchase.account.id in self.state.purchases:
            self._plan_ahead(purchase)
        body = payloads.marketplace_event(
            self.state,
            action,
            purchase.account,
            purchase.terms if terms is None else terms,
            effective_date=effective_date,
            sender=sender,
            previous=previous,
        )
        self.courier.emit("marketplace", "marketplace_purchase", body)


def _check_sale(plan: Plan, units: int) -> None:
    """Refuse what GitHub doesn't sell."""
    if plan.state != "published":
        raise ActionError(f"the plan {plan.name!r} isn't for sale")
    if units < 1 or (plan.price_model != "PER_UNIT" and units != 1):
        raise ActionError("a per-unit plan has one unit or more, any other has one")


def _new_terms(
    account: Account, plan: Plan, *, units: int, cycle: BillingCycle, now: datetime, on_trial: bool
) -> Terms:
    """Return what a purchase made now looks like. A trial's first billing date lies behind its end."""
    trial_end = midnight(now) + timedelta(days=TRIAL_DAYS) if on_trial else None
    next_billing_date = None
    if plan.price_model != "FREE":
        next_billing_date = first_billing_date(now, billing_day=account.billing_day, cycle=cycle)
        if trial_end is not None and next_billing_date <= trial_end:
            next_billing_date = billing_date_after(trial_end, billing_day=account.billing_day)
    return Terms(
        plan=plan,
        unit_count=units,
        billing_cycle="monthly" if plan.price_model == "FREE" else cycle,
        on_free_trial=on_trial,
        free_trial_ends_on=trial_end,
        next_billing_date=next_billing_date,
    )


def _is_upgrade(current: Terms, plan: Plan, *, units: int, cycle: BillingCycle) -> bool:
    """Tell whether a change takes effect at once: dearer, or the same for longer."""
    price_now = current.plan.monthly_price_in_cents * current.unit_count
    price_then = plan.monthly_price_in_cents * units
    if current.next_billing_date is None or price_then > price_now:
        return True
    return price_then == price_now and current.billing_cycle == "monthly" and cycle == "yearly"

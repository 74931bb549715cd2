"""What must have become of a history, worked out from GitHub's own records, without a line of the product's rules.

It is small on purpose, and says less than the product does: bounds where the product has exact figures, since those
have tests of their own. What it says holds for every history.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import zip_longest
from typing import Final

from billing.values import from_milliseconds
from tests.system.chronicle import Asked, Bought, Chronicle
from tests.system.github_side import UNHEARD_OF
from tests.system.our_side import ENDS, Customer, Row
from tests.system.player import Record

PLANS: Final = {1111: ("trial", 0), 1212: ("team", 20), 1313: ("pro", 60)}
"""The listing's plans in the catalogue: our name, and the credits of a month. Unknown is `UNHEARD_OF`."""

NAMES: Final = {"Free": "trial", "Team": "team", "Pro": "pro", "Unheard-of": "Unheard-of", "end": "", "": ""}
"""How a scheduled change is shown."""

SIGNUP_CREDITS: Final = 5
GRACE: Final = timedelta(hours=72)
UNCONFIRMED_FOR: Final = timedelta(hours=24)
DOUBT: Final = timedelta(minutes=45)
"""Within this time GitHub was asked for the last time because of a delivery that it contradicted, crash or no crash."""

ON_ITS_WAY: Final = timedelta(seconds=5)
"""How long an answer may take to the product, by the clock."""

INSTALLATION_EVENTS: Final = frozenset({"installation", "installation_repositories", "installation_target"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """All that the oracle looks at."""

    chronicle: Chronicle
    record: Record
    customers: Mapping[int, Customer]
    deliveries: Mapping[str, Row]
    alarms: list[Row]

    def complaints(self) -> Iterator[str]:
        """Everything that isn't as it must be."""
        yield from self._about_deliveries()
        yield from self._about_alarms()
        for account_id in self.chronicle.purchases:
            complaints = (
                *self._about_installations(account_id),
                *self._about_signup(account_id),
                *self._about_plan(account_id),
                *self._about_login(account_id),
                *self._about_credits(account_id),
            )
            for complaint in complaints:
                yield f"account {account_id}: {complaint}"

    def _about_deliveries(self) -> Iterator[str]:
        for guid in self.record.accepted - self.deliveries.keys():
            yield f"delivery {guid} was answered 202 and isn't in the inbox"
        for guid, row in self.deliveries.items():
            if guid not in self.record.sent:
                yield f"delivery {guid} was never sent"
            if row["state"] not in ENDS - {"dead", "refused"}:
                yield f"delivery {guid} ended as {row['state']}: {row['error']}"

    def _about_alarms(self) -> Iterator[str]:
        was_shown = any(asked.plan_id == UNHEARD_OF for asked in self.chronicle.asked)
        kinds = {row["kind"] for row in self.alarms}
        if kinds - {"unknown_plan"}:
            yield f"there are alarms: {sorted(kinds)}"
        if "unknown_plan" in kinds and not was_shown:
            yield "an unknown plan is alarming, and there was none"

    # Installations, sign-up, login -----------------------------------------------------------------------------------

    def _about_installations(self, account_id: int) -> Iterator[str]:
        customer = self.customers.get(account_id)
        known = {} if customer is None else customer.installations
        for number, installed in self.chronicle.installations_of(account_id).items():
            if known.get(number) != installed.state and not (number not in known and installed.state == "deleted"):
                yield f"installation {number} is {installed.state}, and with us {known.get(number)}"
        for number in known.keys() - self.chronicle.installations_of(account_id).keys():
            yield f"there is no installation {number}"

    def _about_signup(self, account_id: int) -> Iterator[str]:
        customer = self.customers.get(account_id)
        was_told = any(row["event"] in INSTALLATION_EVENTS for row in self._deliveries_of(account_id))
        amounts = [] if customer is None else [row["amount"] for row in customer.grants if row["origin"] == "signup"]
        if amounts != ([SIGNUP_CREDITS] if was_told else []):
            yield f"an installation was {'' if was_told else 'not '}told of, and the sign-up grants are {amounts}"

    def _about_login(self, account_id: int) -> Iterator[str]:
        customer = self.customers.get(account_id)
        since, login = self.chronicle.logins[account_id][-1]
        numbers = self.chronicle.installations_of(account_id)
        was_told = any(
            asked.was_there and asked.at >= since
            for asked in self.chronicle.asked
            if asked.subject == account_id or asked.subject in numbers
        )
        if customer is not None and was_told and customer.row["github_login"] != login:
            yield f"the login is {login}, and with us {customer.row['github_login']}"

    def _deliveries_of(self, account_id: int) -> list[Row]:
        sent = self.record.sent
        return [row for guid, row in self.deliveries.items() if sent[guid].account_id == account_id]

    # The plan --------------------------------------------------------------------------------------------------------

    def _about_plan(self, account_id: int) -> Iterator[str]:
        bought = self.chronicle.purchase(account_id)
        customer = self.customers.get(account_id)
        ours = None if customer is None else customer.subscription
        if bought is None:
            yield from self._about_absence(account_id, ours)
        elif ours is None:
            yield f"{bought} was bought, and we know of nothing"
        else:
            shown = (ours["state"], ours["pending_subscription_type"], bool(ours["subscription_cancel_at_period_end"]))
            if shown != ("active", NAMES[bought.pending], bought.pending == "end"):
                yield f"{bought} was bought, and with us state, change and end to come are {shown}"
            if bought.plan_id == UNHEARD_OF:
                if ours["unmapped_plan_id"] != UNHEARD_OF:
                    yield "an unknown plan was bought, and we don't say so"
            elif (ours["subscription_type"], ours["unmapped_plan_id"]) != (PLANS[bought.plan_id][0], 0):
                yield f"{bought} was bought, and with us it is {ours['subscription_type']}"

    def _about_absence(self, account_id: int, ours: Row | None) -> Iterator[str]:
        """GitHub shows no plan: it has ended, or is waited for if it was paid and nobody cancelled it."""
        answers = self.chronicle.asked_about_purchase(account_id)
        showings = [asked for asked in answers if asked.was_there]
        allowed = {None, "ended"} if not showings else self._allowed_states(account_id, answers, showings)
        state = None if ours is None else ours["state"]
        if state not in allowed:
            yield f"GitHub shows no plan; with us it is {state}, which should be one of {allowed}"

    def _allowed_states(self, account_id: int, answers: list[Asked], showings: list[Asked]) -> set[str | None]:
        last = showings[-1]
        misses = [asked.at for asked in answers if asked.at >= last.at and not asked.was_there]
        cancellations = [row for row in self._deliveries_of(account_id) if row["action"] == "cancelled"]
        free = {asked.plan_id == 1111 for asked in showings}
        if free == {True} or any(from_milliseconds(row["received_at"]) > last.at for row in cancellations):
            # None, if each time something else was bought again before we could take note.
            return {"ended", None}
        if cancellations or True in free or not misses:
            # Which answer was applied last can't be told from here.
            return {"ended", "unconfirmed", None}
        missing = misses[-1] - misses[0]
        if missing < UNCONFIRMED_FOR:
            return {"unconfirmed", None}
        return {"ended"} if missing >= UNCONFIRMED_FOR + DOUBT else {"ended", "unconfirmed"}

    # Credits ---------------------------------------------------------------------------------------------------------

    def _about_credits(self, account_id: int) -> Iterator[str]:
        customer = self.customers.get(account_id)
        if customer is None:
            return
        keys = [row["idempotency_key"] for row in customer.entries]
        if len(keys) != len(set(keys)):
            yield f"a key was used twice: {keys}"
        remaining = sum(row["remaining"] for row in customer.grants)
        balance = customer.entries[-1]["balance_after"] if customer.entries else 0
        if not sum(row["amount"] for row in customer.entries) == balance == remaining:
            yield f"the balance is {balance}, the grants hold {remaining}"
        yield from self._about_periods(account_id, customer)
        yield from self._about_running_period(account_id, customer)

    def _about_periods(self, account_id: int, customer: Customer) -> Iterator[str]:
        """No period's grants come to more than the highest allowance in it, and no two periods overlap."""
        starts = sorted({row["period_starts_at"] for row in customer.grants if row["origin"] == "plan"})
        for start, following in zip_longest(starts, starts[1:]):
            grants = [row for row in customer.grants if row["period_starts_at"] == start and row["origin"] == "plan"]
            granted = sum(row["amount"] for row in grants)
            last_end = max(from_milliseconds(row["expires_at"]) for row in grants)
            highest = self._highest_allowance(account_id, from_milliseconds(start), last_end)
            if granted > highest:
                yield f"{granted} were granted in the period from {from_milliseconds(start)}, at most {highest} are due"
            if following is not None and from_milliseconds(following) < last_end - GRACE:
                yield f"the period from {from_milliseconds(start)} isn't over when the next one starts"

    def _highest_allowance(self, account_id: int, start: datetime, end: datetime) -> int:
        highest = 0
        changes = self.chronicle.purchases[account_id]
        for (since, bought), until in zip(changes, [*(at for at, _ in changes[1:]), end], strict=True):
            if bought is not None and since < end and until > start:
                highest = max(highest, PLANS.get(bought.plan_id, ("", 0))[1])
        return highest

    def _about_running_period(self, account_id: int, customer: Customer) -> Iterator[str]:
        """A paid plan's running month was granted for the days on which the plan can be seen to have held."""
        bought, ours = self.chronicle.purchase(account_id), customer.subscription
        allowance = 0 if bought is None else PLANS.get(bought.plan_id, ("", 0))[1]
        if bought is None or ours is None or not allowance:
            return
        answers = [asked for asked in self.chronicle.asked_about_purchase(account_id) if asked.was_there]
        start, end = from_milliseconds(ours["period_starts_at"]), from_milliseconds(ours["period_ends_at"])
        # A month that begins when its answer is applied begins after that was given.
        if not start - ON_ITS_WAY <= answers[-1].at < end:
            if (answers[-1].at + ON_ITS_WAY).date() > answers[-1].at.date():
                # Applied a day after it was given: the month that it would begin waits for a later answer.
                return
            yield f"the period runs from {start} to {end}, and was last looked at {answers[-1].at}"
            return
        since = self._plan_since(account_id, bought)
        first_seen = next(asked.at for asked in answers if asked.at >= since)
        day = max((min(first_seen + DOUBT, answers[-1].at)).date(), start.date())
        least = -(-allowance * _days(day, end) // 31)
        granted = sum(row["amount"] for row in customer.grants if row["period_starts_at"] == ours["period_starts_at"])
        if granted < min(least, allowance) or granted != ours["period_granted"]:
            yield f"{granted} were granted in the period from {start} to {end}, at least {least} are due since {day}"

    def _plan_since(self, account_id: int, bought: Bought) -> datetime:
        """Since when this plan holds, seen or not."""
        since = datetime.max.replace(tzinfo=UTC)
        for at, held in reversed(self.chronicle.purchases[account_id]):
            if held is None or held.plan_id != bought.plan_id or not held.is_visible:
                break
            since = at
        return since


def _days(first: date, end: datetime) -> int:
    return max((end.date() - first).days, 0)

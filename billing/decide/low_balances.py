"""Low balances: whoever crosses a threshold of the plan on the way down is told, once.

Once by nature: what crosses is the balance before and after a command, and crossing again takes having been above.
"""

from billing.decide.decision import Decision
from billing.plans import PlanCatalog
from billing.records import LowBalance
from billing.standing import effective_plan
from billing.state import CustomerState


def low_balances(before: CustomerState | None, decision: Decision, plans: PlanCatalog) -> tuple[LowBalance, ...]:
    """The lowest threshold that the balance crossed by this decision; none if it crossed none."""
    after = decision.state
    if before is None or after is None or after.account.posted >= before.account.posted:
        return ()
    balance = after.account.posted
    thresholds = effective_plan(after, plans).low_balance
    crossed = [threshold for threshold in thresholds if balance <= threshold < before.account.posted]
    if not crossed:
        return ()
    last = next(entry for entry in reversed(decision.entries) if entry.amount < 0)
    return (
        LowBalance(
            customer_id=after.customer.id,
            account_id=after.account.id,
            threshold=min(crossed),
            balance=balance,
            seq=last.seq,
            at=last.recorded_at,
        ),
    )

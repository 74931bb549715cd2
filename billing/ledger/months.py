"""Since when the running months of plans count, and which grants their renewals have ended.

The first grant of a provider's month ends what its months before left over (billing.decide.plan_grants). Credits that
are held at that time, or that an entry takes back later, return to a grant that has ended so, whenever it would have
expired by itself (docs/decisions/0078-a-renewal-ends-what-returns-later.md).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from billing.state import Grant, Subscription
from billing.values import Origin

Months = Mapping[str, datetime]
"""By provider: when the newest month that it granted credits for starts."""


def months_of(subscriptions: Iterable[Subscription]) -> Months:
    """The months as they run."""
    return {each.provider.value: each.period.starts_at for each in subscriptions if each.period and each.period.grants}


def months_by(grants: Iterable[Grant]) -> Months:
    """The months as they ran when these were all the grants that there had ever been."""
    months: dict[str, datetime] = {}
    for grant in grants:
        if grant.origin is Origin.PLAN and grant.period_starts_at is not None:
            months[grant.provider] = max(grant.period_starts_at, months.get(grant.provider, grant.period_starts_at))
    return months


def was_ended(grant: Grant, months: Months) -> bool:
    """Whether a later month of the plan has ended the grant, so that nothing of it can be spent."""
    if grant.period_starts_at is None or grant.provider not in months:
        return False
    return grant.period_starts_at < months[grant.provider]

"""Any request about credits, for tests that try many."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

from billing.commands import KeyedCommand
from billing.values import HoldId
from tests.billing.materials import grant, revoke, spend
from tests.billing.requests import adjust, buy, capture, extend, hold, paid, refund, release, reverse, usage


def random_request(random: Random, number: int, now: datetime, holds: Sequence[HoldId]) -> KeyedCommand:
    """Any keyed command; some are repeated, some come with the key of another, and some name what there isn't."""
    key = f"key:{random.choice([number, number, number, random.randrange(number + 1)])}"
    count = random.randint(1, 9)
    hold_id = random.choice([HoldId(1), *holds[-4:]])
    lasts = timedelta(hours=random.randint(1, 60))
    terms = random.choice([None, None, paid(3)])
    choices: list[KeyedCommand] = [
        grant(count, key=key, expires_at=now + timedelta(hours=random.randint(1, 40))),
        buy(count, key=key),
        spend(count, key=key),
        replace(spend(count, key=key), paid=terms),
        revoke(count, key=key),
        adjust(random.choice([-count, count]), key=key),
        usage(count, key=key, at=now - timedelta(hours=random.randint(0, 30))),
        hold(count, key=key, lasts=lasts, terms=terms),
        hold(count, key=key, lasts=lasts),
        capture(hold_id, count, key=key),
        release(hold_id, key=key),
        extend(hold_id, key=key, lasts=lasts),
        refund(random.randint(1, 9), random.choice([0, 200, 400, 600]), key=key),
        reverse(random.randint(1, number + 1)),
    ]
    return random.choice(choices)

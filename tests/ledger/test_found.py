"""What the simulation found, each in as few steps as it takes."""

from datetime import timedelta

from billing.values import EntryKind
from tests.billing.builders import History, spend
from tests.billing.requests import buy, hold

HOUR = timedelta(hours=1)


def test_what_expired_before_a_hold_timed_out_expired_at_its_own_time() -> None:
    history = History()
    history.install()
    start = history.now
    history.do(spend(5, key="what the sign-up gave"))
    history.do(buy(10, key="bought", expires_at=start + HOUR))
    history.do(hold(4, key="work", lasts=3 * HOUR))
    history.wait(hours=9)
    history.do(buy(1, key="later"))

    expiries = [entry for entry in history.journal if entry.kind is EntryKind.EXPIRE]
    assert [(entry.occurred_at, entry.amount) for entry in expiries] == [(start + HOUR, -6), (start + 3 * HOUR, -4)]

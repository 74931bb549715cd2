"""Rule 3: an entry with several moves of one grant is unwound within what the grant still has."""

from datetime import timedelta

import pytest

from billing.values import HoldId
from tests.billing.builders import History, spend
from tests.billing.looks import figures, moves, places, since, written
from tests.billing.requests import buy, capture, hold, paid, refund, release, reverse

HOUR = timedelta(hours=1)


@pytest.fixture
def history() -> History:
    """A pack of seven, all captured by one entry: five that were held, and two in place of paid units."""
    history = History()
    history.install()
    history.do(spend(5, key="sign-up"))
    history.do(buy(7, key="pack"))
    history.hold_id = HoldId(11)
    history.do(hold(2, key="small", lasts=HOUR))
    history.hold_id = HoldId(12)
    history.do(hold(7, key="large", lasts=HOUR, terms=paid(5)))
    history.do(release(HoldId(11), key="given up"))
    captured = written(history.do(capture(HoldId(12), 7, key="done")))
    assert moves(history, captured) == [("held", "used", 2, 5), ("grant", "used", 2, 2)]
    return history


def test_rule_03_two_moves_of_one_grant_are_both_taken_back(history: History) -> None:
    captured = len(history.journal)
    seq = written(history.do(reverse(captured)))
    assert moves(history, seq) == [("used", "grant", 2, 2), ("used", "grant", 2, 5)]
    assert figures(history) == (7, 0, 0)


@pytest.mark.parametrize(
    ("refunded_cents", "back", "room", "anew"),
    [
        # Entitled to 4: 3 are spent of it, and 4 came back with the payment.
        (300, [("used", "grant", 2, 2), ("used", "grant", 2, 1)], 4, 4),
        # Entitled to 5, so only the later move finds room, wholly or in part.
        (200, [("used", "grant", 2, 2)], 5, 5),
        (100, [("used", "grant", 2, 1)], 6, 6),
    ],
)
def test_rule_03_of_two_moves_of_one_grant_what_a_failed_refund_gave_back_is_granted_anew(
    history: History, refunded_cents: int, back: list[tuple[str, str, int, int]], room: int, anew: int
) -> None:
    captured = len(history.journal)
    history.do(refund(2, 600, key="refunded"))
    history.do(buy(7, key="repays"))
    history.do(refund(2, refunded_cents, key="half of it failed"))
    assert places(history, 2)["remaining"] == room
    before = len(history.journal)
    seq = written(history.do(reverse(captured)))
    assert moves(history, seq) == back
    assert since(history, before) == [("reverse", 7 - anew), ("grant", anew)]
    assert history.all_grants[4].origin == "refund_reversal"
    assert figures(history) == (room + 7, 0, 0)

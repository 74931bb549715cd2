"""Rule 4: the order in which grants burn is total and documented, and a spend records which grant paid what."""

from dataclasses import replace
from itertools import permutations
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from billing.ledger.balance import burn_order, burn_rank
from billing.state import Grant
from billing.values import NEVER, Category, Origin
from tests.billing.builders import History, day, grant, revoke, spend

FIRST = Grant(
    number=1,
    origin=Origin.GOODWILL,
    category=Category.PROMOTIONAL,
    priority=50,
    amount=10,
    remaining=10,
    effective_at=day(12, 1),
    expires_at=day(12, 31),
)

# Each burns after the one before it, by one criterion after the other.
IN_ORDER = (
    replace(FIRST, number=9, priority=10, expires_at=NEVER, category=Category.PAID, effective_at=day(12, 9)),
    replace(FIRST, number=8, expires_at=day(12, 30), category=Category.PAID, effective_at=day(12, 9)),
    replace(FIRST, number=7, effective_at=day(12, 9)),
    replace(FIRST, number=6, category=Category.PAID),
    replace(FIRST, number=5, category=Category.PAID, effective_at=day(12, 2)),
    replace(FIRST, number=10, category=Category.PAID, effective_at=day(12, 2)),
    replace(FIRST, number=2, priority=60),
)


def test_rule_04_priority_expiry_promotional_effective_number() -> None:
    for shuffled in permutations(IN_ORDER):
        assert burn_order(shuffled) == list(IN_ORDER)


def test_used_up_grants_are_in_no_order() -> None:
    assert burn_order([replace(FIRST, remaining=0)]) == []


GRANTS = st.builds(
    Grant,
    number=st.integers(1, 10**6),
    origin=st.sampled_from(Origin),
    category=st.sampled_from(Category),
    priority=st.integers(0, 100),
    amount=st.just(10),
    remaining=st.integers(1, 10),
    effective_at=st.sampled_from([day(12, 1), day(12, 2)]),
    expires_at=st.sampled_from([day(12, 30), day(12, 31), NEVER]),
)


@given(st.lists(GRANTS, unique_by=lambda each: each.number), st.randoms(use_true_random=False))
def test_rule_04_the_order_is_total(grants: list[Grant], random: Random) -> None:
    ranks = [burn_rank(each) for each in grants]
    assert len(set(ranks)) == len(grants), "no two grants have the same place"
    shuffled = grants[:]
    random.shuffle(shuffled)
    assert burn_order(shuffled) == burn_order(grants)


def test_rule_04_a_spend_records_which_grant_paid_what() -> None:
    history = History()
    history.install()
    history.do(grant(4, key="a", expires_at=day(12, 20)))
    history.do(grant(4, key="b", expires_at=day(12, 10)))
    history.do(spend(7, key="fix:1"))
    assert [(move.grant_number, move.amount) for move in history.journal[-1].moves] == [(3, 4), (2, 3)]
    history.do(spend(6, key="fix:2"))
    assert [(move.grant_number, move.amount) for move in history.journal[-1].moves] == [(2, 1), (1, 5)]
    assert history.available == 0


def test_rule_04_a_revocation_burns_in_the_same_order() -> None:
    history = History()
    history.install()
    history.do(grant(4, key="a", expires_at=day(12, 20)))
    history.do(revoke(5, key="b"))
    assert [(move.grant_number, move.amount, move.credit) for move in history.journal[-1].moves] == [
        (2, 4, "revoked"),
        (1, 1, "revoked"),
    ]
    assert history.lines() == [("grant", 5), ("grant", 4), ("revoke", -5)]

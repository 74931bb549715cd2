"""What a refund moves: how a grant comes to stand as its payment does (docs/decisions/0073-refunds-are-cumulative.md).

Of a grant, `reversed` is how much has to be given back altogether: its target. What was spent beyond the entitled rest
is owed; what is unspent is taken, as far as it isn't owed already; what expired is neither. So three figures say what
was collected for the target: `owed` (whether it was paid back since or not), `taken`, and what was revoked by hand.
"""

from billing.ledger.places import Line
from billing.state import Grant
from billing.values import Place


def target_of(granted: int, *, paid_cents: int, refunded_cents: int) -> int:
    """How many credits of a grant have to be given back altogether when so much of its payment was."""
    return granted * refunded_cents // paid_cents


def clawback_lines(grant: Grant) -> list[Line]:
    """The moves that collect what the target lacks: credits that remain, and debt for those spent beyond the rest."""
    lent = max(0, _overspent(grant) - grant.owed)
    # Where more was spent than one is entitled to, all that remains is beyond it as well.
    take = min(grant.remaining, max(0, grant.reversed - grant.revoked - grant.owed))
    return _lines(
        (Place.GRANT, Place.REVOKED, grant.number, take),
        (Place.DEBT, Place.LENT, grant.number, lent),
    )


def forgiving_lines(grant: Grant, debt: int) -> list[Line]:
    """The moves that take debt off that is no longer due, because what made it was taken back."""
    return _lines((Place.LENT, Place.DEBT, grant.number, min(debt, _overcharged(grant))))


def reinstating_lines(grant: Grant, debt: int) -> tuple[list[Line], int]:
    """The moves that give back what was collected beyond a target that fell: debt first, then to the same grant.

    What of the debt was paid back meanwhile returns to the grant as credits, for they were spent on it. Comes with
    how many of those the grant has no room for, because what was spent of it was put back already: they are granted
    anew. Never more is given back than was collected, and nothing that was revoked by hand.
    """
    unpaid = min(debt, _overcharged(grant))
    overcharged = _overcharged(grant) - unpaid
    surplus = grant.revoked + grant.owed - unpaid - grant.reversed
    back = max(0, min(surplus, overcharged + grant.taken))
    repaid = min(back, overcharged)
    to_grant = min(repaid, grant.spent)
    lines = _lines(
        (Place.DEBT, Place.GRANT, grant.number, to_grant),
        (Place.DEBT, Place.USED, 0, repaid - to_grant),
        (Place.LENT, Place.DEBT, grant.number, unpaid + repaid),
        (Place.REVOKED, Place.GRANT, grant.number, back - repaid),
    )
    return lines, repaid - to_grant


def _overspent(grant: Grant) -> int:
    """How much was spent beyond what the customer is entitled to."""
    return max(0, grant.spent - (grant.amount - grant.reversed))


def _overcharged(grant: Grant) -> int:
    """How much more debt was made than is due by now."""
    return max(0, grant.owed - _overspent(grant))


def _lines(*lines: Line) -> list[Line]:
    return [line for line in lines if line[3]]

"""Paid units: what the credits don't cover and money will (docs/decisions/0075-paid-units-are-granted-and-spent.md).

A captured one is a grant of one credit, spent in the same entry, and a charge, which the hold and a number name for
ever. Asking for the money is others' work.
"""

from billing.ledger.book import Book, Terms
from billing.ledger.chain import digest_terms
from billing.ledger.places import Line
from billing.state import Charge, Hold
from billing.values import NEVER, Category, Credits, Origin, Place

UNIT = Terms(origin=Origin.CHARGED, category=Category.PAID, amount=Credits(1), expires_at=NEVER)


def charge(book: Book, hold: Hold, units: int) -> tuple[list[Line], str]:
    """Charge so many units of a hold in the entry that comes next: its moves, and the digests of the grants' terms."""
    lines: list[Line] = []
    digests: list[str] = []
    for number in range(1, units + 1):
        grant = book.issue(UNIT)
        lines += [
            (Place.ISSUED, Place.GRANT, grant.number, 1),
            (Place.GRANT, Place.USED, grant.number, 1),
        ]
        digests.append(digest_terms(grant))
        book.charges.append(
            Charge(
                hold_id=hold.id,
                number=number,
                account_id=hold.account_id,
                seq=book.next_seq,
                grant_number=grant.number,
                amount_cents=hold.price_cents,
                created_at=book.now,
            )
        )
    return lines, f"terms:{','.join(digests)}" if digests else ""

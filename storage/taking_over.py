"""What a killed process left under lease, freed at once by its successor instead of when the lease runs out.

Only where nobody else can be working: on a SQLite file, whose lock this process holds.
"""

from sqlalchemy import bindparam, update

from storage.partitions import NEVER_MS
from storage.statements import register
from storage.tables import PENDING, effects, partitions
from storage.transactions import Transaction

# What is leased is due when its lease runs out, so the index by due time finds it.
FREE_PARTITIONS = register(
    "taking_over.free_partitions",
    update(partitions)
    .where(
        partitions.c.due_at > bindparam("now"),
        partitions.c.due_at < NEVER_MS,
        partitions.c.lease_until > bindparam("now"),
    )
    .values(due_at=bindparam("now"), lease_until=0),
)
FREE_EFFECTS = register(
    "taking_over.free_effects",
    update(effects)
    .where(effects.c.state == PENDING, effects.c.run_at > bindparam("now"), effects.c.lease_until > bindparam("now"))
    .values(run_at=bindparam("now"), lease_until=0),
)


def take_over(transaction: Transaction, now: int) -> int:
    """Free every lease; how many there were. Time in milliseconds."""
    return sum(transaction.execute(statement, {"now": now}).rowcount for statement in (FREE_PARTITIONS, FREE_EFFECTS))

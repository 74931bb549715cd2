"""Another process on the same database: `python -m tests.storage.second_process URL WORK ARGUMENT`."""

import asyncio
import sys

from billing.paces import Limit
from billing.ports import Unit
from billing.state import CustomerState
from billing.values import CustomerId
from sandbox.clock import VirtualClock
from storage.database import Database
from storage.errors import DatabaseInUseError
from tests.storage.builders import WANTED, Booking, delivery, effect

SPENDS = 60
DELIVERIES = 60
TRIES = 2000

WRITERS = 5
WRITES = 4
PACE = (Limit(count=20, seconds=1), Limit(count=50, seconds=3))


async def spend_all(database: Database, clock: VirtualClock, customer_id: CustomerId, name: str) -> int:
    """Spend one credit a transaction, `SPENDS` times with keys of one's own and as often with shared ones.

    Returns how many went through.
    """
    done = 0
    keys = [f"{name}:{n}" for n in range(SPENDS)] + [f"shared:{n}" for n in range(SPENDS)]

    def work(unit: Unit, key: str) -> bool | None:
        locked = unit.lock([customer_id], [], WANTED)
        if customer_id in locked.busy:
            return None
        state: CustomerState = locked.by_id[customer_id]
        if unit.remembered([(state.account.id, key)]) or not state.account.posted:
            return False
        now = max(clock.now(), state.account.booked_at)
        booking = Booking(before=state, state=state, now=now)
        booking.spend(1, key)
        unit.save(booking.changes(), now)
        return True

    async def one(key: str) -> int:
        for _ in range(TRIES):
            outcome = await database.store.transact(lambda unit: work(unit, key))
            if outcome is not None:
                return int(outcome)
            await asyncio.sleep(0.005)
        raise TimeoutError(key)

    for start in range(0, len(keys), 4):
        done += sum(await asyncio.gather(*(one(key) for key in keys[start : start + 4])))
    return done


async def record_all(database: Database, clock: VirtualClock, name: str) -> int:
    """Record deliveries of one's own, and others that everybody records; how many were new."""
    own = [f"{name}:{n}" for n in range(DELIVERIES)] + [f"shared:{n}" for n in range(DELIVERIES)]
    outcomes = await asyncio.gather(
        *(
            database.inbox.record(
                delivery(one, clock.now(), account=number % 7), effect(one, clock.now(), key=f"{number % 7}")
            )
            for number, one in enumerate(own)
        )
    )
    return sum(outcome.value == "new" for outcome in outcomes)


async def write_all(database: Database, clock: VirtualClock, first_holder: int) -> int:
    """Have some holders write, each when it is its turn; how many writes there were."""

    async def one(holder: int) -> int:
        for _ in range(WRITES):
            for _ in range(TRIES):
                until = await database.paces.take("one", PACE, holder=holder)
                if until is None:
                    break
                await clock.sleep((until - clock.now()).total_seconds())
            else:
                raise TimeoutError(str(holder))
        return WRITES

    return sum(await asyncio.gather(*(one(first_holder + number) for number in range(1, WRITERS + 1))))


async def main(url: str, work: str, argument: str) -> None:
    """Do the work and print what came of it."""
    clock = VirtualClock()
    database = Database.connect(url, clock=clock, exclusive=work == "serve")
    try:
        await database.open()
    except DatabaseInUseError as error:
        print(error)  # noqa: T201 - its answer to the test
        return
    match work:
        case "spend":
            print(await spend_all(database, clock, CustomerId(int(argument)), "other"))  # noqa: T201
        case "record":
            print(await record_all(database, clock, argument))  # noqa: T201
        case "pace":
            print(await write_all(database, clock, int(argument)))  # noqa: T201
        case "serve":
            print("serving", flush=True)  # noqa: T201
            await asyncio.to_thread(sys.stdin.read)
        case _:
            raise ValueError(work)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

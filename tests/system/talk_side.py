"""Our side of a conversation: what the database says of deliveries and effects, in plain SQL."""

from collections.abc import Sequence

from typing_extensions import override

from tests.system.our_side import OurSide, Row
from tests.system.talk_cast import HOMES
from tests.system.talk_stage import Stage

_PENDING = "SELECT id, key, run_at, lease_until, lease_number, attempts, error FROM effects WHERE state = 'pending'"


class TalkSide(OurSide):
    """Looks on while the product talks."""

    _dead_effects: frozenset[tuple[int, int]] = frozenset()

    @override
    async def note_death(self, now: int) -> None:
        """Nobody works under the leases of now any more."""
        await super().note_death(now)
        self._dead_effects |= {(row["id"], row["lease_number"]) for row in await self.rows(_PENDING)}

    @override
    async def is_at_rest(self, now: int) -> bool:
        """Whether the product has nothing to do: nothing is due, and nobody works on anything."""
        for row in await self._leading():
            is_leased = row["lease_until"] > now and (row["id"], row["lease_number"]) not in self._dead_effects
            if is_leased or row["run_at"] <= now:
                return False
        return await super().is_at_rest(now)

    @override
    async def next_due(self) -> int | None:
        """When there is something to do again."""
        partitions = await super().next_due()
        moments = [row["run_at"] for row in await self._leading()]
        return min([*moments, *([] if partitions is None else [partitions])], default=None)

    async def has_open_ends(self) -> bool:
        """Whether anything is still to be handled or sent, now or later."""
        received = await self.rows("SELECT id FROM billing_events WHERE state = 'received' LIMIT 1")
        return bool(received or await self.rows(_PENDING))

    @override
    async def told(self) -> str:
        """What is under way, for a failure's text."""
        return f"{await super().told()} {await self.rows(_PENDING)}"

    async def effects(self) -> Sequence[Row]:
        """All that was ever to be sent."""
        return await self.rows("SELECT dedupe_key, topic, state, attempts, error FROM effects ORDER BY id")

    async def balances(self, stage: Stage) -> dict[str, int]:
        """What each account can spend, by login; of those that are customers."""
        customers = await self.customers()
        known = [home for home in HOMES if stage.account(home).id in customers]
        return {
            home.login: sum(grant["remaining"] for grant in customers[stage.account(home).id].grants) for home in known
        }

    async def customer_id(self, account_id: int) -> int:
        """Whom this account is with us."""
        rows = await self.rows(f"SELECT id FROM customers WHERE github_account_id = {account_id}")
        return int(rows[0]["id"])

    async def _leading(self) -> Sequence[Row]:
        """The effects that can go: the oldest of each key."""
        leading: dict[str, Row] = {}
        for row in sorted(await self.rows(_PENDING), key=lambda row: int(row["id"])):
            leading.setdefault(row["key"], row)
        return list(leading.values())

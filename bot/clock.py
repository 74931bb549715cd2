"""The clock of the real world, the one place of the product where the machine's time of day is read."""

import asyncio
from datetime import UTC, datetime

from billing.values import to_the_millisecond


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        """The time in UTC, aware, exact to the millisecond."""
        return to_the_millisecond(datetime.now(UTC))

    async def sleep(self, seconds: float) -> None:
        """Return when that much time has gone by."""
        await asyncio.sleep(max(seconds, 0.0))

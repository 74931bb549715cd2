"""The way into billing: commands that arrive while a commit is under way are committed together.

A commit costs a disk sync whatever it holds, so throughput comes from sharing it. One batch is in flight a process;
what arrives meanwhile makes the next one. There is no task in the background: the first caller leads a batch, and hands
the lead to one that still waits (docs/decisions/0019-commits-are-led-by-a-caller.md).
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final

from billing.batch import Busy, Failed, Result, run_batch
from billing.commands import Command, Outcome
from billing.errors import TemporaryFailureError
from billing.plans import PlanCatalog
from billing.ports import Clock, Store

BATCH_SIZE: Final = 64
"""The most commands in one commit: more would make everyone wait longer and gain little."""

MOST_UNDERWAY: Final = 4096
"""The most commands that may wait; beyond it callers are told to come back."""

BUSY_TRIES: Final = 50
BUSY_PAUSE_SECONDS: Final = 0.02
"""How often, and after what pause, a command is tried whose customer another process has locked."""


class BillingService:
    """Carries out commands, each in one transaction that it shares with others."""

    def __init__(self, store: Store, clock: Clock, plans: PlanCatalog, *, billing_enabled: bool = True) -> None:
        self._billing_enabled = billing_enabled
        self._store = store
        self._clock = clock
        self._plans = plans
        self._queue: deque[_Ticket] = deque()
        self._is_led = False
        self._is_closing = False
        self._underway = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def handle(self, command: Command) -> Outcome:
        """Carry out the command and return what became of it, after the commit.

        If the caller is cancelled the command may be carried out or not; asking again is safe.

        Raises:
            LeaseLostError: another worker has taken over the delivery.
            TemporaryFailureError: the database is away, the customer stays locked, or too much is waiting.
        """
        if self._is_closing or self._underway >= MOST_UNDERWAY:
            raise TemporaryFailureError("billing is closing" if self._is_closing else "too many commands are waiting")
        self._underway += 1
        self._idle.clear()
        try:
            for _ in range(BUSY_TRIES):
                result = await self._take_part(_Ticket(command))
                if isinstance(result, Failed):
                    raise result.error
                if not isinstance(result, Busy):
                    return result
                # Real time, whatever the clock says: the lock is another transaction's, which takes real time.
                await asyncio.sleep(BUSY_PAUSE_SECONDS)
            raise TemporaryFailureError("the customer stays locked by another transaction")
        finally:
            self._underway -= 1
            if not self._underway:
                self._idle.set()

    async def close(self) -> None:
        """Take no further commands, and return when those underway are answered."""
        self._is_closing = True
        await self._idle.wait()

    async def _take_part(self, ticket: "_Ticket") -> Result:
        """Wait until the ticket's command was part of a batch; lead one if nobody does."""
        self._queue.append(ticket)
        try:
            while ticket.result is None:
                if self._is_led:
                    await ticket.turn()
                else:
                    await self._lead()
        finally:
            if ticket.result is None:
                # The caller was cancelled: what waits no longer isn't carried out, and the lead may have been its own.
                self._leave(ticket)
        return ticket.result

    async def _lead(self) -> None:
        """Carry out one batch of those that wait, the oldest first, and hand over the lead."""
        self._is_led = True
        batch: list[_Ticket] = []
        try:
            # Whoever was answered just now asks again in this turn of the event loop, and can share this commit.
            await asyncio.sleep(0)
            batch = [self._queue.popleft() for _ in range(min(BATCH_SIZE, len(self._queue)))]
            results = await self._commit([ticket.command for ticket in batch])
            for ticket, result in zip(batch, results, strict=True):
                ticket.answer(result)
        finally:
            self._is_led = False
            self._queue.extendleft(ticket for ticket in reversed(batch) if ticket.result is None)
            self._hand_over()

    async def _commit(self, commands: Sequence[Command]) -> Sequence[Result]:
        """Carry out the commands in one transaction; if that breaks, each in one of its own."""
        now = self._clock.now()
        try:
            return await self._store.transact(
                lambda unit: run_batch(unit, commands, now, self._plans, billing_enabled=self._billing_enabled)
            )
        except TemporaryFailureError as error:
            return [Failed(error=error)] * len(commands)
        except Exception as error:  # noqa: BLE001 -- each caller gets the error of its own command
            if len(commands) == 1:
                return [Failed(error=error)]
        return [result for command in commands for result in await self._commit([command])]

    def _leave(self, ticket: "_Ticket") -> None:
        if ticket in self._queue:
            self._queue.remove(ticket)
        if not self._is_led:
            self._hand_over()

    def _hand_over(self) -> None:
        """Wake the one that waits longest, to lead."""
        if self._queue:
            self._queue[0].wake()


class _Ticket:
    """A command that waits, and what became of it."""

    __slots__ = ("_woken", "command", "result")

    def __init__(self, command: Command) -> None:
        self.command = command
        self.result: Result | None = None
        self._woken: asyncio.Future[None] | None = None

    def answer(self, result: Result) -> None:
        """Tell the waiting caller what became of the command."""
        self.result = result
        self.wake()

    def wake(self) -> None:
        """Let the waiting caller look around."""
        # Nobody waits for the leader's own; it looks around by itself.
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    def turn(self) -> asyncio.Future[None]:
        """What to wait for until it is woken: the command was carried out, or the lead is free."""
        self._woken = asyncio.get_running_loop().create_future()
        return self._woken

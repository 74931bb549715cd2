"""The one writer of a process: a thread that commits together whatever waits.

Callers hand over work and get its result after the commit. While a commit is under way further work gathers, and goes
into the next transaction together. That is optimistic: if anything in it fails, it is rolled back and each piece is
run again by itself, so that a piece fails or succeeds alone (docs/decisions/0003-one-writer-group-commit.md).
"""

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import structlog

from billing.errors import TemporaryFailureError
from storage.failures import as_temporary, is_away, is_conflict, is_contended
from storage.statements import BATCH
from storage.transactions import Transaction
from storage.transactors import Transactor

T = TypeVar("T")
Item = TypeVar("Item")
Step = Callable[[Transaction, Sequence[Item]], Sequence[T]]
"""One kind of work, for all of it that shares a transaction: as many results as items, in their order."""

log = structlog.get_logger()

BATCH_BYTES: Final = 1024 * 1024
"""Beyond this much of bodies nothing more joins a transaction."""

WAITING: Final = 4096
"""How much work may wait; beyond it the database counts as away."""

TRIES: Final = 5
"""How often work is run that lost against another process's transaction."""

LOOK_SECONDS: Final = 1.0
"""How often a SQLite file is looked at for what other processes wrote."""


@dataclass(slots=True, eq=False)
class _Job:
    step: Step[Any, Any]
    item: Any
    size: int
    future: asyncio.Future[Any]


_Outcome = tuple[_Job, Any, Exception | None]
"""The work, and what came of it: its result, or the error."""


class Writer:
    """Runs work in transactions of one thread. To be used from the event loop in which it was opened."""

    def __init__(self, transactor: Transactor, *, on_foreign_work: Callable[[], None]) -> None:
        self._transactor = transactor
        self._on_foreign_work = on_foreign_work
        self._handed_over: queue.SimpleQueue[list[_Job] | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._serve, name="writer", daemon=True)
        self._is_closing = False
        self._gathered: list[_Job] = []
        self._submitted = 0
        # What follows is the thread's to change.
        self._is_open = True
        self._left: deque[_Job] = deque()
        self._taken = 0
        self._look_at = 0.0

    def open(self) -> None:
        """Start the thread. The database itself is reached for when there is work."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def close(self) -> None:
        """Finish what waits, and end the thread."""
        if self._loop is not None and not self._is_closing:
            self._is_closing = True
            self._hand_over()
            self._handed_over.put(None)
            await asyncio.to_thread(self._thread.join)

    async def run(self, work: Callable[[Transaction], T]) -> T:
        """Run a function in a transaction that it may share with others; its result, after the commit.

        Raises:
            TemporaryFailureError: The database is away, or too much waits already.
        """
        result: T = await self._submit(_each, work, 0)
        return result

    async def run_apart(self, work: Callable[[Transaction], T]) -> T:
        """Like `run`, for work that locks several rows which other processes lock too, such as partitions.

        Where transactions wait for each other's locks it shares its own with nothing. It takes its locks in one order;
        with another's in between they would be in none, and two processes would deadlock.

        Raises:
            TemporaryFailureError: The database is away, or too much waits already.
        """
        result: T = await self._submit(_each_apart, work, 0)
        return result

    async def run_together(self, step: Step[Item, T], item: Item, *, size_bytes: int = 0) -> T:
        """Like `run`, for work of which any number is done in the same few statements.

        Raises:
            TemporaryFailureError: The database is away, or too much waits already.
        """
        result: T = await self._submit(step, item, size_bytes)
        return result

    def _submit(self, step: Step[Any, Any], item: object, size: int) -> asyncio.Future[Any]:
        assert self._loop is not None, "open() comes first"
        if self._is_closing:
            raise TemporaryFailureError("the database is being closed")
        if self._submitted - self._taken >= WAITING:
            raise TemporaryFailureError("the database is behind: too much waits to be written")
        if not self._gathered:
            self._loop.call_soon(self._hand_over)
        future = self._loop.create_future()
        self._gathered.append(_Job(step, item, size, future))
        self._submitted += 1
        return future

    def _hand_over(self) -> None:
        """Pass on all that this turn of the event loop wants written, so that the thread finds it together."""
        gathered, self._gathered = self._gathered, []
        if gathered:
            self._handed_over.put(gathered)

    # From here on everything runs in the thread.

    def _serve(self) -> None:
        while self._is_open or self._left:
            self._look_for_foreign_work()
            jobs = self._take()
            for part in [jobs] if self._transactor.mixes else _apart(jobs):
                if part:
                    self._answer(self._attempt(part))
        self._transactor.close()

    def _take(self) -> list[_Job]:
        """What waits, up to a transaction's worth; nothing once in a while."""
        jobs: list[_Job] = []
        size = 0
        while len(jobs) < BATCH and size < BATCH_BYTES and (self._left or self._fetch(is_patient=not jobs)):
            job = self._left.popleft()
            jobs.append(job)
            size += job.size
        self._taken += len(jobs)
        return jobs

    def _fetch(self, *, is_patient: bool) -> bool:
        """Get what was handed over next, if there is something; wait for it a while if patient."""
        if not self._is_open:
            return False
        try:
            handed_over = self._handed_over.get(block=is_patient, timeout=LOOK_SECONDS)
        except queue.Empty:
            return False
        if handed_over is None:
            self._is_open = False
            return False
        self._left.extend(handed_over)
        return True

    def _attempt(self, jobs: list[_Job]) -> list[_Outcome]:
        """Run the jobs in one transaction; each alone, if that fails."""
        try:
            return self._run(jobs)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is its caller's and must not end the thread
            if is_away(error) or is_contended(error):
                return [(job, None, as_temporary(error)) for job in jobs]
            if len(jobs) == 1:
                return [(jobs[0], None, error)]
        return [outcome for job in jobs for outcome in self._attempt([job])]

    def _run(self, jobs: list[_Job]) -> list[_Outcome]:
        groups = _by_step(jobs)

        def work(transaction: Transaction) -> list[_Outcome]:
            outcomes: list[_Outcome] = []
            for step, members in groups.items():
                results = step(transaction, [job.item for job in members])
                outcomes += [(job, result, None) for job, result in zip(members, results, strict=True)]
            return outcomes

        for _ in range(TRIES - 1):
            try:
                return self._transactor.run(work)
            except Exception as error:
                if not is_conflict(error):
                    raise
        return self._transactor.run(work)

    def _answer(self, outcomes: list[_Outcome]) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(_resolve, outcomes)

    def _look_for_foreign_work(self) -> None:
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + LOOK_SECONDS
        assert self._loop is not None
        try:
            if self._transactor.sees_foreign_commits():
                self._loop.call_soon_threadsafe(self._on_foreign_work)
        except Exception as error:  # noqa: BLE001 - looking is a convenience; whoever wants to write is told
            log.warning("foreign_work_not_seen", error=type(error).__name__)


def _by_step(jobs: list[_Job]) -> dict[Step[Any, Any], list[_Job]]:
    groups: dict[Step[Any, Any], list[_Job]] = {}
    for job in jobs:
        groups.setdefault(job.step, []).append(job)
    return groups


def _apart(jobs: list[_Job]) -> list[list[_Job]]:
    """The jobs that share a transaction where transactions wait for each other's locks: those of one step."""
    parts: list[list[_Job]] = []
    for step, members in _by_step(jobs).items():
        parts += [[job] for job in members] if step is _each_apart else [members]
    return parts


def _each(transaction: Transaction, works: Sequence[Callable[[Transaction], T]]) -> Sequence[T]:
    return [work(transaction) for work in works]


def _each_apart(transaction: Transaction, works: Sequence[Callable[[Transaction], T]]) -> Sequence[T]:
    return _each(transaction, works)


def _resolve(outcomes: list[_Outcome]) -> None:
    for job, result, error in outcomes:
        # A caller that was cancelled meanwhile no longer waits; its work is done all the same.
        if job.future.done():
            continue
        if error is not None:
            job.future.set_exception(error)
        else:
            job.future.set_result(result)

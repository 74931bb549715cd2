"""Processes race for the last credits and are killed in it: never one too many, never one lost, every answer kept."""

import asyncio
import json
import os
import random
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from billing.commands import SpendCredits
from billing.values import CustomerId, EntryKind, HoldId
from sandbox.clock import VirtualClock
from storage.database import Database
from tests.storage.builders import MANY, offence
from tests.storage.every_command import Desk
from tests.storage.racer import HOLDS, OWN_SPENDS, SHARED_SPENDS, STAGED, answer, capture, patiently

ROOT = Path(__file__).parent.parent.parent
NAMES = ("ada", "grace", "mary")
CREDITS = 80
HELD = 8
"""Holds that all of them try to capture."""

DEATHS = 2
"""How often each is killed, and begun anew."""

MOST_ANSWERS = 40
PATIENCE_SECONDS = 300


@dataclass(kw_only=True)
class Answers:
    """What was ever answered, by key."""

    by_key: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    killed: int = 0

    async def listen(self, process: Process, count: int) -> None:
        """Take down the next so many answers, or all. A process that was killed may have said half of one."""
        assert process.stdout is not None
        while count and (line := await process.stdout.readline()).endswith(b"\n"):
            told = json.loads(line)
            self.by_key[told["key"]].add(told["answer"])
            count -= 1


@asynccontextmanager
async def racer(url: str, customer_id: CustomerId, name: str) -> AsyncIterator[Process]:
    """A racer, which ends with this."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.storage.racer",
        url,
        str(customer_id),
        name,
        cwd=ROOT,
        stdout=PIPE,
        env={"PATH": os.defpath},
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def live(url: str, customer_id: CustomerId, name: str, answers: Answers) -> None:
    """Have a racer race, be killed in the middle of it, and begin again, until it lives to the end."""
    chance = random.Random(name)
    for _ in range(DEATHS):
        async with racer(url, customer_id, name) as process:
            await answers.listen(process, chance.randint(1, MOST_ANSWERS))
            os.kill(process.pid, signal.SIGKILL)
            # It goes on answering until the signal arrives.
            await answers.listen(process, MANY)
            assert await process.wait() == -signal.SIGKILL
        answers.killed += 1
    async with racer(url, customer_id, name) as process:
        await answers.listen(process, MANY)
        assert await process.wait() == 0


async def test_the_last_credits_are_spent_once_whoever_is_killed(database_url: str) -> None:
    clock = VirtualClock()
    database = Database.connect(database_url, clock=clock)
    await database.open()
    desk = await Desk.opened(database, clock, credits_=CREDITS + STAGED * HELD)
    for number in range(HELD):
        await desk.do(desk.hold(STAGED, f"staged:{number}"))
    answers = Answers()

    async with asyncio.timeout(PATIENCE_SECONDS), asyncio.TaskGroup() as group:
        for name in NAMES:
            group.create_task(live(database_url, desk.customer_id, name, answers))

    assert answers.killed == len(NAMES) * DEATHS
    assert len(answers.by_key) >= len(NAMES) * (OWN_SPENDS + HOLDS + HELD) + SHARED_SPENDS + HELD
    # Whatever was answered was answered alike each time.
    assert {key: told for key, told in answers.by_key.items() if len(told) > 1} == {}
    await holds_together(desk, answers)
    await database.close()


async def holds_together(desk: Desk, answers: Answers) -> None:
    """Hold the answers against the ledger, and the ledger against itself."""
    reads = desk.database.reads
    journal = (await reads.entries(desk.account_id, limit=MANY)).entries
    book = await reads.book(desk.account_id)
    assert book is not None
    assert await offence(desk.database, desk.account_id) is None
    # There was more demand than credits: none is left, none was used twice, and nothing waits.
    assert (book.account.posted, book.account.held, book.account.debt) == (0, 0, 0)
    assert sum(grant.spent for grant in book.grants) == CREDITS + STAGED * HELD
    used = [entry for entry in journal if entry.kind in {EntryKind.SPEND, EntryKind.CAPTURE}]
    assert -sum(entry.amount for entry in used) == CREDITS + STAGED * HELD
    captured = [entry.hold_id for entry in journal if entry.kind is EntryKind.CAPTURE]
    assert sorted(captured) == sorted(hold.id for hold in book.holds)
    booked = {entry.key: f"entry {entry.seq}" for entry in journal[1 + HELD :]}
    told = {key: next(iter(each)) for key, each in answers.by_key.items()}
    # Every answer that was given is booked; what is booked was answered in the end, as it was booked.
    assert {key: told.get(key) for key in booked} == booked
    assert {key for key, each in told.items() if each.startswith("entry")} == set(booked)
    await answers_stay(desk, told)


async def answers_stay(desk: Desk, told: dict[str, str]) -> None:
    """Ask once more, from another process than any that answered."""
    commands = [
        capture(desk, HoldId(int(key.rpartition(":")[2])), key) if ":capture:" in key else desk.spend(1, key)
        for key in told
        if ":hold:" not in key
    ]
    for command in commands:
        outcome = await patiently(desk.service, command)
        assert answer(outcome) == told[command.key]
    assert sum(isinstance(command, SpendCredits) for command in commands) == len(NAMES) * OWN_SPENDS + SHARED_SPENDS

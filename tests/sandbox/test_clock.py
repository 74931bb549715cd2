"""The shared clock: what it tells, how it jumps, and that sleepers notice."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from sandbox.clock import VirtualClock

START = datetime(2026, 1, 31, 12, 0, 0, 123_456, tzinfo=UTC)


async def until_sleeping(clock: VirtualClock, count: int) -> None:
    """Let the loop run until so many sleepers wait."""
    for _ in range(1000):
        if clock.sleeping == count:
            return
        await asyncio.sleep(0)
    pytest.fail(f"{clock.sleeping} sleepers, not {count}")


def test_now_is_utc_and_cut_to_milliseconds() -> None:
    clock = VirtualClock(START.astimezone(timezone(timedelta(hours=5))), frozen=True)
    assert clock.now() == START.replace(microsecond=123_000)
    assert clock.now().tzinfo is UTC


def test_frozen_time_moves_by_jumps_only() -> None:
    clock = VirtualClock(START, frozen=True)
    first = clock.now()
    assert clock.now() == first
    assert clock.advance(weeks=1, days=1, hours=2, minutes=3, seconds=4, milliseconds=5) == first + timedelta(
        days=8, hours=2, minutes=3, seconds=4, milliseconds=5
    )


def test_set_goes_to_the_very_moment() -> None:
    clock = VirtualClock(START, frozen=True)
    target = datetime(2027, 2, 28, 0, 0, tzinfo=UTC)
    assert clock.set(target) == target
    assert clock.now() == target


def test_running_time_goes_on_from_the_start() -> None:
    clock = VirtualClock(START)
    first = clock.now()
    assert not clock.frozen
    for _ in range(10_000_000):
        if clock.now() > first:
            break
    assert first < clock.now() < first + timedelta(minutes=5)


@pytest.mark.parametrize("step", [{"seconds": -1}, {"days": 1, "hours": -25}])
def test_time_never_goes_backwards(step: dict[str, float]) -> None:
    clock = VirtualClock(START, frozen=True)
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(**step)
    assert clock.now() == START.replace(microsecond=123_000)


def test_set_refuses_the_past_and_naive_moments() -> None:
    clock = VirtualClock(START, frozen=True)
    with pytest.raises(ValueError, match="backwards"):
        clock.set(START - timedelta(milliseconds=1))
    with pytest.raises(ValueError, match="aware"):
        clock.set(datetime(2030, 1, 1))  # noqa: DTZ001 -- that it is naive is the point
    with pytest.raises(ValueError, match="aware"):
        VirtualClock(datetime(2030, 1, 1))  # noqa: DTZ001 -- that it is naive is the point


async def test_a_jump_wakes_those_who_are_due_and_no_others() -> None:
    clock = VirtualClock(START, frozen=True)
    woken: list[str] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(name)

    async with asyncio.TaskGroup() as group:
        group.create_task(sleeper("hour", 3600))
        group.create_task(sleeper("day", 86400))
        await until_sleeping(clock, 2)
        clock.advance(minutes=59)
        await until_sleeping(clock, 2)
        assert woken == []
        clock.advance(minutes=1)
        await until_sleeping(clock, 1)
        assert woken == ["hour"]
        clock.advance(days=365)
    assert woken == ["hour", "day"]
    assert clock.sleeping == 0


async def test_running_time_ends_a_sleep_by_itself() -> None:
    clock = VirtualClock(START)
    first = clock.now()
    await asyncio.wait_for(clock.sleep(0.01), timeout=30)
    assert clock.now() >= first + timedelta(milliseconds=10)


async def test_no_sleep_still_yields() -> None:
    clock = VirtualClock(START, frozen=True)
    await asyncio.wait_for(clock.sleep(0), timeout=30)
    await asyncio.wait_for(clock.sleep(-5), timeout=30)


async def test_a_cancelled_sleeper_leaves_nothing_behind() -> None:
    clock = VirtualClock(START, frozen=True)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(clock.sleep(60))
        await until_sleeping(clock, 1)
        task.cancel()
    assert clock.sleeping == 0


async def test_waiting_ends_with_the_event_the_time_or_the_task() -> None:
    clock = VirtualClock(START)
    event = asyncio.Event()
    await asyncio.wait_for(clock.wait(event, 0.001), timeout=30)
    assert not event.is_set()
    event.set()
    await asyncio.wait_for(clock.wait(event, None), timeout=30)
    event.clear()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(clock.wait(event, 60))
        for _ in range(5):
            await asyncio.sleep(0)
        # Both at once: the cancellation must not be lost, or whoever closes the stand-in waits for ever.
        event.set()
        task.cancel()
    assert task.cancelled()

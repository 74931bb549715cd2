"""Paces: when the next one may be, and that no window ever holds more than it may."""

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest

from billing.paces import CONFUSED_IN_REPOSITORY, WRITES_OF_INSTALLATION, Limit, earliest
from tests.billing.builders import day

NOW = day(12, 1, 9)


def nth_last_of(places: Sequence[datetime]) -> Callable[[int], datetime | None]:
    """The look into the past that `earliest` takes."""
    return lambda number: places[-number] if number <= len(places) else None


def seconds(*ago: float) -> list[datetime]:
    """Places so many seconds ago, the oldest first."""
    return [NOW - timedelta(seconds=each) for each in ago]


def next_after(*ago: float, limits: Sequence[Limit] = WRITES_OF_INSTALLATION) -> float:
    """How many seconds from now the next one may be, after those so many seconds ago."""
    return (earliest(NOW, limits, nth_last_of(seconds(*ago))) - NOW).total_seconds()


def test_the_first_ones_need_not_wait() -> None:
    assert next_after() == 0
    assert next_after(0) == 0, "a reaction and its answer go out together"


def test_the_third_waits_for_the_first_to_be_two_seconds_ago() -> None:
    assert next_after(0, 0) == 2
    assert next_after(1.5, 0.5) == 0.5
    assert next_after(2, 1.9) == 0


def test_the_next_one_is_never_before_the_last() -> None:
    assert next_after(1, -7) == 7
    assert next_after(-3, limits=()) == 3


def test_every_limit_holds() -> None:
    assert next_after(*(59 - each * 0.5 for each in range(80))) == 1
    assert next_after(*(3599 - each for each in range(500))) == 1


def test_three_confused_faces_an_hour() -> None:
    assert next_after(3000, 20, limits=CONFUSED_IN_REPOSITORY) == 0
    assert next_after(3000, 20, 10, limits=CONFUSED_IN_REPOSITORY) == 600
    assert next_after(3600, 20, 10, limits=CONFUSED_IN_REPOSITORY) == 0


@pytest.mark.parametrize("seed", range(5))
def test_no_window_holds_more_than_it_may(seed: int) -> None:
    chance = random.Random(seed)
    now, places = NOW, list[datetime]()
    for _ in range(1500):
        now += timedelta(seconds=chance.choice([0, 0, 0, 0.3, 1, 40]))
        places.append(earliest(now, WRITES_OF_INSTALLATION, nth_last_of(places)))
    assert places == sorted(places)
    for limit in WRITES_OF_INSTALLATION:
        for first, beyond in zip(places, places[limit.count :], strict=False):
            assert beyond - first >= timedelta(seconds=limit.seconds)

"""How often and how soon what failed for the moment is tried again."""

import random
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from billing.errors import TemporaryFailureError


class NotYetError(TemporaryFailureError):
    """It isn't our turn, and nothing was tried. Coming back then is no attempt, and meanwhile others go.

    Attributes:
        until: when to come back, exactly.
    """

    def __init__(self, until: datetime, *, reason: str = "", retry_after_seconds: float | None = None) -> None:
        super().__init__(reason or f"not before {until.isoformat()}", retry_after_seconds=retry_after_seconds)
        self.until = until


TEMPORARY: Final = (TemporaryFailureError, ConnectionError, TimeoutError)
"""What may succeed later. Whatever else escapes is a bug, and parks what it happened to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """A bounded number of attempts, further and further apart.

    Attributes:
        attempts: How many there are before giving up, the first included.
        first_seconds: The wait after the first; each further wait is twice as long.
        longest_seconds: The longest wait.
        jitter: By how much of itself a wait is lengthened at most, so that what failed together isn't tried together.
        claims: How often an effect is taken up at most, counting also when it only had to wait for its turn.
    """

    attempts: int
    first_seconds: float
    longest_seconds: float
    jitter: float
    claims: int = 200

    def delay_seconds(self, attempts: int, *, asked_seconds: float | None, chance: random.Random) -> float | None:
        """Tell how long to wait before the next attempt; None to give up.

        Args:
            attempts: How many there were.
            asked_seconds: How long the other side asked us to wait, which is never cut short.
            chance: Where the jitter comes from.
        """
        if attempts >= self.attempts:
            return None
        doubled = self.first_seconds * 2.0 ** min(attempts - 1, 64)
        wait_seconds = max(min(doubled, self.longest_seconds), asked_seconds or 0.0)
        return wait_seconds * (1 + self.jitter * chance.random())


ABOUT_A_DAY: Final = RetryPolicy(attempts=34, first_seconds=2.0, longest_seconds=3600.0, jitter=0.2)
"""Twelve attempts within the first two hours and one each hour after: an outage of a day is outlived, not more.

The waits without jitter come to 23 hours (docs/decisions/0047-retries-are-bounded.md).
"""

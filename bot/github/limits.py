"""GitHub's rate limits: how long it asks us to wait, and the waiting.

An answer that is a limit becomes a temporary failure which says how long, so that the worker puts the delivery off
instead of failing it. Meanwhile no other request for the same budget leaves: GitHub bans those that go on asking.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final

import structlog

from billing.errors import TemporaryFailureError
from billing.ports import Clock
from bot.github.transport import Answer, read_http_date

log = structlog.get_logger()

EVERYBODY: Final = ""
"""The pause that holds for every budget."""

SECONDARY_SECONDS: Final = 60.0
"""The least to wait after a secondary limit that names no time.

https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

LONGEST_SECONDS: Final = 3600.0
"""Primary limits start anew each hour; whatever asks for more is asked again after one."""

MOST_DOUBLINGS: Final = 5

SECONDARY_SIGNS: Final = (b"secondary rate limit", b"abuse detection")
"""Words of the body by which a secondary limit's `403` differs from a missing permission."""


class Pauses:
    """Who has to wait, until when.

    A budget is what GitHub counts together: the App's own requests, and those of each installation. A primary limit
    stops its budget; one that says `Retry-After`, and a secondary one, stop everybody.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[str, datetime] = {}
        self._secondary_in_a_row = 0

    def check(self, budget: str) -> None:
        """Return if a request may leave now.

        Raises:
            TemporaryFailureError: GitHub asked to wait; it says how long that still is.
        """
        now = self._clock.now()
        for each in (EVERYBODY, budget):
            until = self._until.get(each)
            if until is not None and now < until:
                seconds = (until - now).total_seconds()
                raise TemporaryFailureError("GitHub asked us to wait", retry_after_seconds=seconds)

    def heed(self, budget: str, answer: Answer) -> None:
        """Return if the answer is no limit.

        Raises:
            TemporaryFailureError: It is one. From now on `check` raises until it is over.
        """
        if answer.status not in (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS):
            self._secondary_in_a_row = 0
            return
        now = self._clock.now()
        stopped, seconds = self._read(budget, answer, now)
        if seconds is None:
            return
        seconds = min(max(seconds, 1.0), LONGEST_SECONDS)
        self._until = {each: until for each, until in self._until.items() if until > now}
        self._until[stopped] = max(now + timedelta(seconds=seconds), self._until.get(stopped, now))
        log.warning("github_rate_limited", status=answer.status, budget=stopped or "all", wait_seconds=seconds)
        raise TemporaryFailureError(f"GitHub limits our rate ({answer.status})", retry_after_seconds=seconds)

    def _read(self, budget: str, answer: Answer, now: datetime) -> tuple[str, float | None]:
        """Tell whom a `403` or `429` stops and for how long; None seconds if it is no limit at all."""
        github_now = answer.date or now
        retry_after = _retry_after_seconds(answer.headers, github_now)
        if retry_after is not None:
            return EVERYBODY, retry_after
        if answer.headers.get("X-RateLimit-Remaining") == "0":
            reset = _epoch(answer.headers.get("X-RateLimit-Reset"))
            # The reset is given in whole seconds: one more is on the safe side.
            return budget, SECONDARY_SECONDS if reset is None else (reset - github_now).total_seconds() + 1
        said = answer.body.lower()
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS or any(sign in said for sign in SECONDARY_SIGNS):
            doublings = min(self._secondary_in_a_row, MOST_DOUBLINGS)
            self._secondary_in_a_row += 1
            return EVERYBODY, SECONDARY_SECONDS * 2**doublings
        return budget, None


def _retry_after_seconds(headers: Mapping[str, str], github_now: datetime) -> float | None:
    """Read `Retry-After`, which is a number of seconds or a date; None if absent or neither."""
    text = headers.get("Retry-After")
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    moment = read_http_date(text)
    return None if moment is None else (moment - github_now).total_seconds()


def _epoch(text: str | None) -> datetime | None:
    """Read seconds since 1970; None if it is no such number."""
    try:
        return None if text is None else datetime.fromtimestamp(int(text), UTC)
    except (ValueError, OverflowError, OSError):
        return None

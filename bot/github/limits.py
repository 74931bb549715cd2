"""GitHub's rate limits: how long it asks us to wait, and the waiting.

An answer that is a limit becomes a temporary failure which says how long, so that the worker puts the delivery off
instead of failing it. Meanwhile no other request for the same budget leaves: GitHub bans those that go on asking.
Whoever would have asked comes back when the wait is over, and has attempted nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final

import structlog

from billing.errors import TemporaryFailureError
from billing.ports import Clock
from bot.github.transport import Answer, read_http_date
from bot.retries import NotYetError

log = structlog.get_logger()

SECONDARY_SECONDS: Final = 60.0
"""The least to wait after a secondary limit that names no time.

https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

LONGEST_SECONDS: Final = 3600.0
"""Primary limits start anew each hour; whatever asks for more is asked again after one."""

MOST_DOUBLINGS: Final = 5

SECONDARY_SIGNS: Final = (b"secondary rate limit", b"abuse detection")
"""Words of the body by which a secondary limit's `403` differs from a missing permission."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pause:
    """A budget's last wait.

    Attributes:
        until: When it ends, or ended.
        unnamed_in_a_row: How many waits there were, one after the other, for which GitHub named no time.
    """

    until: datetime
    unnamed_in_a_row: int = 0


class Pauses:
    """Who has to wait, until when.

    A budget is what GitHub counts together: the App's own requests, and those of each installation. Whatever the limit,
    it stops the budget that met it and no other, so that nobody's comments keep somebody else's purchase waiting.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._pauses: dict[str, _Pause] = {}

    def check(self, budget: str) -> None:
        """Return if a request may leave now.

        Raises:
            NotYetError: GitHub asked to wait; it says until when.
        """
        now, pause = self._clock.now(), self._pauses.get(budget)
        if pause is not None and now < pause.until:
            seconds = (pause.until - now).total_seconds()
            raise NotYetError(pause.until, reason="GitHub asked us to wait", retry_after_seconds=seconds)

    def heed(self, budget: str, answer: Answer) -> None:
        """Return if the answer is no limit.

        Raises:
            TemporaryFailureError: It is one. From now on `check` raises until it is over.
        """
        if answer.status not in (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS):
            self._end(budget)
            return
        now = self._clock.now()
        named_seconds = _named_seconds(answer, now)
        if named_seconds is not None:
            seconds = min(max(named_seconds, 1.0), LONGEST_SECONDS)
            in_a_row = self._unnamed_in_a_row(budget)
        elif _is_limit_without_a_time(answer):
            # What was on its way when the wait began has met the same limit, not another one.
            in_a_row = max(self._unnamed_in_a_row(budget) + (not self._is_waiting(budget, now)), 1)
            seconds = min(SECONDARY_SECONDS * 2 ** min(in_a_row - 1, MOST_DOUBLINGS), LONGEST_SECONDS)
        else:
            return
        self._begin(budget, now + timedelta(seconds=seconds), in_a_row, now)
        log.warning("github_rate_limited", status=answer.status, budget=budget, wait_seconds=seconds)
        raise TemporaryFailureError(f"GitHub limits our rate ({answer.status})", retry_after_seconds=seconds)

    def _end(self, budget: str) -> None:
        """Forget how many waits there were in a row: GitHub has answered. A wait that goes on isn't cut short."""
        pause = self._pauses.get(budget)
        if pause is not None:
            self._pauses[budget] = _Pause(until=pause.until)

    def _begin(self, budget: str, until: datetime, in_a_row: int, now: datetime) -> None:
        """Let the budget wait, no shorter than it would have, and forget the waits of long ago."""
        pause = self._pauses.get(budget)
        latest = until if pause is None else max(until, pause.until)
        remembered = now - timedelta(seconds=LONGEST_SECONDS)
        self._pauses = {each: kept for each, kept in self._pauses.items() if kept.until > remembered}
        self._pauses[budget] = _Pause(until=latest, unnamed_in_a_row=in_a_row)

    def _is_waiting(self, budget: str, now: datetime) -> bool:
        pause = self._pauses.get(budget)
        return pause is not None and now < pause.until

    def _unnamed_in_a_row(self, budget: str) -> int:
        """How many waits without a time the budget has met since GitHub last answered."""
        pause = self._pauses.get(budget)
        return 0 if pause is None else pause.unnamed_in_a_row


def _named_seconds(answer: Answer, now: datetime) -> float | None:
    """Tell how long a `403` or `429` asks to wait; None if it names no time, as when it is no limit at all."""
    github_now = answer.date or now
    retry_after = _retry_after_seconds(answer.headers, github_now)
    if retry_after is not None:
        return retry_after
    if answer.headers.get("X-RateLimit-Remaining") != "0":
        return None
    reset = _epoch(answer.headers.get("X-RateLimit-Reset"))
    # The reset is given in whole seconds: one more is on the safe side.
    return SECONDARY_SECONDS if reset is None else (reset - github_now).total_seconds() + 1


def _is_limit_without_a_time(answer: Answer) -> bool:
    said = answer.body.lower()
    return answer.status == HTTPStatus.TOO_MANY_REQUESTS or any(sign in said for sign in SECONDARY_SIGNS)


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

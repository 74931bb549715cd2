"""What goes wrong with the REST API: errors, slowness, lost answers, limits, redirects, young tokens."""

import fnmatch
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

FaultKind = Literal["status", "slow", "lost_answer", "lands_late", "dropped", "garbled", "secondary_limit", "redirect"]


@dataclass(slots=True, kw_only=True, eq=False)
class RestFault:
    """One thing to do to some requests.

    Attributes:
        kind: `status` answers with it instead of working; `slow` waits first; `lost_answer` works and then closes the
            connection without an answer; `lands_late` closes it at once and works a while later; `dropped` closes it
            without working; `garbled` answers 200 with a page of HTML; `secondary_limit` refuses with `Retry-After`;
            `redirect` points elsewhere.
        method: The method it strikes, or `*`.
        path: Pattern of the path, without the API's prefix, such as `/marketplace_listing/*`.
        also: A further method and pattern that it strikes as well; `times` counts both together.
        times: How many requests it strikes; `None` until cleared.
        seconds: Of slowness in real seconds, so that a client's own time-outs can be met; of what lands late by the
            clock.
        retry_after_seconds: What a limit says; `None` leaves the header out.
    """

    kind: FaultKind
    method: str = "*"
    path: str = "*"
    times: int | None = 1
    status: int = 502
    seconds: float = 0.0
    retry_after_seconds: int | None = None
    location: str = ""
    also: tuple[str, str] | None = None

    def matches(self, method: str, path: str) -> bool:
        """Tell whether it strikes this request."""
        wanted = [(self.method, self.path)] if self.also is None else [(self.method, self.path), self.also]
        return self.times != 0 and any(
            known in {"*", method} and fnmatch.fnmatchcase(path, pattern) for known, pattern in wanted
        )


class RestFaults:
    """The faults that are switched on. Random ones come out the same for the same seed.

    Args:
        seed: Of the random faults.
    """

    def __init__(self, *, seed: int = 0) -> None:
        """Start without faults."""
        self.rules: list[RestFault] = []
        self.exhausted_until: datetime | None = None
        self._random = random.Random(seed)  # noqa: S311 -- reproducible faults, no secrets
        self._chances: list[tuple[float, RestFault]] = []

    def fail(self, status: int = 502, *, times: int | None = 1, path: str = "*", method: str = "*") -> None:
        """Answer with an error of the server instead of working."""
        self.rules.append(RestFault(kind="status", status=status, times=times, path=path, method=method))

    def slow(self, seconds: float, *, times: int | None = 1, path: str = "*", method: str = "*") -> None:
        """Wait so many real seconds before working."""
        self.rules.append(RestFault(kind="slow", seconds=seconds, times=times, path=path, method=method))

    def lose_answer(self, *, times: int | None = 1, path: str = "*", method: str = "*") -> None:
        """Do what is asked, then close the connection without an answer."""
        self.rules.append(RestFault(kind="lost_answer", times=times, path=path, method=method))

    def land_late(self, seconds: float, *, times: int | None = 1, path: str = "*", method: str = "*") -> None:
        """Close the connection at once, and do what was asked so many seconds of the clock later."""
        self.rules.append(RestFault(kind="lands_late", seconds=seconds, times=times, path=path, method=method))

    def drop(self, *, times: int | None = 1, path: str = "*", method: str = "*") -> None:
        """Close the connection without doing anything."""
        self.rules.append(RestFault(kind="dropped", times=times, path=path, method=method))

    def garble(self, *, times: int | None = 1, path: str = "*", method: str = "*") -> None:
        """Answer 200 with something that isn't JSON, as a proxy in between may."""
        self.rules.append(RestFault(kind="garbled", times=times, path=path, method=method))

    def limit(
        self,
        status: Literal[403, 429] = 403,
        *,
        retry_after_seconds: int | None = 60,
        times: int | None = 1,
        path: str = "*",
        method: str = "*",
    ) -> None:
        """Refuse by the secondary limit, as 403 or 429, with `Retry-After` or, if `None`, without."""
        self.rules.append(
            RestFault(
                kind="secondary_limit",
                status=status,
                retry_after_seconds=retry_after_seconds,
                times=times,
                path=path,
                method=method,
            )
        )

    def exhaust(self, *, now: datetime, seconds: float) -> None:
        """Use up the primary limit until so many seconds from now."""
        # GitHub tells the reset in whole seconds, and the limit must not be over before the time it told.
        self.exhausted_until = (now + timedelta(seconds=seconds)).replace(microsecond=0) + timedelta(seconds=1)

    def redirect(
        self,
        location: str,
        *,
        status: Literal[301, 302, 307, 308] = 301,
        times: int | None = 1,
        path: str = "*",
        method: str = "*",
    ) -> None:
        """Point to another path of the API, as GitHub does for what was renamed."""
        self.rules.append(
            RestFault(kind="redirect", location=location, status=status, times=times, path=path, method=method)
        )

    def randomly(self, chances: Sequence[tuple[float, RestFault]]) -> None:
        """Strike requests that no rule strikes by chance: each fault with its likelihood between 0 and 1."""
        self._chances = list(chances)

    def clear(self) -> None:
        """Switch everything off."""
        self.rules.clear()
        self._chances.clear()
        self.exhausted_until = None

    def take(self, method: str, path: str) -> RestFault | None:
        """Return what strikes this request, and count it."""
        for rule in self.rules:
            if rule.matches(method, path):
                rule.times = None if rule.times is None else rule.times - 1
                return rule
        chance = self._random.random() if self._chances else 1.0
        for likelihood, fault in self._chances:
            if replace(fault, times=None).matches(method, path):
                if chance < likelihood:
                    return fault
                chance -= likelihood
        return None

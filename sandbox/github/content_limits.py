"""How much an installation may write: GitHub's limits on creating content, counted by the stand-in's clock."""

import math
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Final

from sandbox.clock import VirtualClock
from sandbox.github.errors import ApiError

CONTENT_LIMITS: Final = ((80, timedelta(minutes=1)), (500, timedelta(hours=1)))
"""So many writes in so long a time (GitHub documentation, "Rate limits for the REST API", secondary limits)."""

_ABOUT = "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"


class ContentLimits:
    """Counts what each installation writes. What was written and what was refused is kept, for tests to look at.

    Args:
        clock: Whose time counts.
    """

    def __init__(self, clock: VirtualClock) -> None:
        """Start with nothing written."""
        self.writes: defaultdict[int, list[datetime]] = defaultdict(list)
        self.refusals: defaultdict[int, list[datetime]] = defaultdict(list)
        self._clock = clock

    def count(self, installation_id: int) -> None:
        """Count one write.

        Raises:
            ApiError: 403 with `Retry-After`: too much was written lately.
        """
        now, written = self._clock.now(), self.writes[installation_id]
        for limit, window in CONTENT_LIMITS:
            if len(written) < limit:
                continue
            free_at = written[-limit] + window
            if now < free_at:
                self.refusals[installation_id].append(now)
                raise ApiError(
                    403,
                    "You have exceeded a secondary rate limit and have been temporarily blocked from content creation. "
                    "Please retry your request again later.",
                    headers={"Retry-After": str(math.ceil((free_at - now).total_seconds()))},
                    documentation_url=_ABOUT,
                )
        written.append(now)

"""How many deliveries came, and what became of them at the edge."""

from collections import Counter
from collections.abc import Mapping

from bot.webhooks.verify import Hook


class DeliveryCounter:
    """Counts what the webhooks answered, in this process since its start.

    An outcome is `recorded`, `repeat`, `requeued`, `ignored`, `ping`, or the name of the problem that a refusal told.
    """

    def __init__(self) -> None:
        self._counts: Counter[tuple[Hook, str]] = Counter()

    def count(self, hook: Hook, outcome: str) -> None:
        """Count one."""
        self._counts[hook, outcome] += 1

    def counts(self) -> Mapping[tuple[Hook, str], int]:
        """All counts so far."""
        return dict(self._counts)

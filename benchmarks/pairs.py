"""Ratios of things measured in turns, so that what else the machine does weighs on both: median and quartiles."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from typing_extensions import override


@dataclass(frozen=True, slots=True)
class Spread:
    """What the middle half of some figures lies between, and the figure in the middle."""

    median: float
    lower: float
    upper: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> "Spread":
        """The quartiles of at least one figure."""
        if len(figures) == 1:
            return cls(median=figures[0], lower=figures[0], upper=figures[0])
        lower, median, upper = statistics.quantiles(figures, n=4, method="inclusive")
        return cls(median=median, lower=lower, upper=upper)

    @classmethod
    def of_ratios(cls, figures: Sequence[float], others: Sequence[float]) -> "Spread":
        """The quartiles of the ratios of pairs: each figure over the one measured right beside it."""
        return cls.of([figure / other for figure, other in zip(figures, others, strict=True)])

    @override
    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.lower:.2f}-{self.upper:.2f})"


def percentile(figures: Sequence[float], part: float) -> float:
    """The figure that this part of them, from 0 to 1, doesn't exceed."""
    ordered = sorted(figures)
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]

"""What `doctor` finds: one line for each thing looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bot.cli.output import print_json, print_lines


class Verdict(StrEnum):
    """How a check came out. A warning is for knowing, a failure for doing something about it."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what it is, such as `database.schema`.
        text: how it stands.
        way_out: what to do about it; "" where nothing is to be done.
    """

    name: str
    verdict: Verdict
    text: str
    way_out: str = ""

    def line(self, *, name_width: int) -> str:
        """The check for people, with the names of all checks in one column."""
        way_out = f" -> {self.way_out}" if self.way_out else ""
        return f"{self.verdict.value:<8} {self.name:<{name_width}}  {self.text}{way_out}"

    def record(self) -> dict[str, Any]:
        """The check for programs."""
        return {
            "check": self.name,
            "verdict": self.verdict.value,
            "text": self.text,
            "way_out": self.way_out or None,
        }


def ok(name: str, text: str) -> Check:
    """Say that something is as it should be."""
    return Check(name=name, verdict=Verdict.OK, text=text)


def warning(name: str, text: str, way_out: str) -> Check:
    """Say that something may not be as it should."""
    return Check(name=name, verdict=Verdict.WARNING, text=text, way_out=way_out)


def failed(name: str, text: str, way_out: str) -> Check:
    """Say that something isn't as it must be."""
    return Check(name=name, verdict=Verdict.FAILED, text=text, way_out=way_out)


def skipped(name: str, text: str) -> Check:
    """Say why something wasn't looked at."""
    return Check(name=name, verdict=Verdict.SKIPPED, text=text)


def tell(checks: Sequence[Check], *, as_json: bool) -> bool:
    """Print the checks, and return whether none failed."""
    if as_json:
        print_json([check.record() for check in checks])
    else:
        name_width = max(len(check.name) for check in checks)
        print_lines([check.line(name_width=name_width) for check in checks])
        counts = {verdict: sum(check.verdict is verdict for check in checks) for verdict in Verdict}
        print_lines(["", ", ".join(f"{count} {verdict.value}" for verdict, count in counts.items() if count)])
    return all(check.verdict is not Verdict.FAILED for check in checks)

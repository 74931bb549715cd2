"""What `doctor` says of the settings: formats and lengths, offline, without any value."""

from collections.abc import Mapping

from bot.cli.checks import Check, failed, ok, warning
from bot.settings import Finding, Verdict, examine


def check_settings(values: Mapping[str, str] | None = None) -> list[Check]:
    """Return one line a setting: of these values by name, or of the environment and the `.env` file."""
    return [_of(finding) for finding in examine(values)]


def _of(finding: Finding) -> Check:
    """Return a finding about a setting as a line."""
    name = f"settings.{finding.name}"
    text, _, way_out = finding.text.partition("; ")
    match finding.verdict:
        case Verdict.OK | Verdict.DEFAULT:
            return ok(name, finding.text)
        case Verdict.WARNING:
            return warning(name, text, way_out or "Set it if that isn't meant.")
        case Verdict.ERROR:
            return failed(name, text, f"{way_out[:1].upper()}{way_out[1:]}.")

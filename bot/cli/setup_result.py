"""What `setup` tells when it is done."""

from dataclasses import dataclass
from pathlib import Path

from bot.cli.output import print_json, print_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupResult:
    """What was done.

    Attributes:
        written: the names of the settings that were written; no values.
        hook_was_set: whether the App's webhook was changed by us.
        differences: in what the App differs from the manifest, in sentences; they have to be put right by hand.
    """

    app_id: int
    slug: str
    html_url: str
    public_url: str
    file: Path
    backup: Path | None
    written: tuple[str, ...]
    hook_was_set: bool = False
    differences: tuple[str, ...] = ()

    def tell(self, *, as_json: bool) -> None:
        """Print it."""
        if as_json:
            print_json(
                {
                    "app_id": self.app_id,
                    "slug": self.slug,
                    "html_url": self.html_url,
                    "file": str(self.file),
                    "backup": None if self.backup is None else str(self.backup),
                    "written": list(self.written),
                    "hook_was_set": self.hook_was_set,
                    "differences": list(self.differences),
                    "marketplace_webhook_url": self._marketplace_url,
                }
            )
        else:
            print_lines(self._lines())

    @property
    def _marketplace_url(self) -> str:
        return f"{self.public_url}/webhooks/github/marketplace"

    def _lines(self) -> list[str]:
        """Return the same in words, with what is left to do."""
        lines = [
            f"App {self.app_id} ({self.slug}): {self.html_url}",
            f"Its settings are in {self.file}: {', '.join(self.written)}.",
        ]
        if self.backup is not None:
            lines.append(f"The file as it was is kept in {self.backup}.")
        lines += [f"To put right on the App's page: {difference}" for difference in self.differences]
        return [
            *lines,
            "",
            "What is left to do:",
            "  1. On the App's page, list it on GitHub Marketplace. GitHub takes the next step nowhere else.",
            "  2. On the listing's page, under Webhook, set:",
            f"       Payload URL   {self._marketplace_url}",
            "       Content type  application/json",
            f"       Secret        the value of GITHUB_MARKETPLACE_WEBHOOK_SECRET in {self.file}",
            "       Active        on",
            "  3. Put the ids of the listing's plans into plans.toml (marketplace_plan_ids).",
            "  4. Run `tallyhook migrate`, then `tallyhook doctor`, then `tallyhook serve`.",
        ]

"""What `doctor` asks of GitHub: who we are there, what we may, where the webhook leads, and what is sold."""

from datetime import timedelta
from typing import Final

from billing.errors import TemporaryFailureError
from billing.plans import PlanCatalog
from billing.ports import Clock
from bot.cli.checks import Check, failed, ok, skipped, warning
from bot.cli.checks_comments import check_comments
from bot.cli.github_desk import GitHubDesk, GitHubRefusalError, RegisteredApp
from bot.cli.manifest import Manifest, manifest_path, read_manifest
from bot.cli.setup_existing import differences
from bot.github.client import GitHubClient
from bot.settings import ServerSettings

LARGEST_SKEW: Final = timedelta(seconds=30)
"""GitHub takes a token whose issue lies up to a minute ahead of its own clock; half of that leaves room for drift."""


async def check_github(
    settings: ServerSettings, plans: PlanCatalog | None, *, hook_is_used: bool, clock: Clock
) -> list[Check]:
    """Return what GitHub says.

    Args:
        settings: of the server.
        plans: the catalogue, None if it can't be read.
        hook_is_used: whether deliveries of the App's webhook have come in, from wherever.
        clock: ours.
    """
    manifest = read_manifest(manifest_path(), public_url=settings.public_url)
    async with GitHubClient.open(
        api_url=settings.github_api_url,
        client_id=settings.github_client_id,
        private_key=settings.github_private_key.get_secret_value(),
        clock=clock,
    ) as client:
        desk = GitHubDesk(client, clock=clock)
        try:
            app = await desk.app()
        except TemporaryFailureError as error:
            return [
                failed("github.app", f"GitHub can't be asked: {error.reason}", "Check GITHUB_API_URL and the network.")
            ]
        except GitHubRefusalError as error:
            return [
                *_clock(desk),
                failed(
                    "github.app",
                    f"GitHub refuses the App's token ({error})",
                    "Run `tallyhook setup --existing` with a key and a client id from the same App's page.",
                ),
            ]
        return [
            *_clock(desk),
            *_app(app, manifest, settings),
            *await check_comments(desk, app, settings),
            await _hook(desk, manifest, hook_is_used=hook_is_used),
            *await _listing(desk, settings, plans),
        ]


def _clock(desk: GitHubDesk) -> list[Check]:
    """Compare the clocks, if GitHub told the time."""
    ahead = desk.clock_ahead
    if ahead is None:
        return []
    seconds = abs(round(ahead.total_seconds()))
    if abs(ahead) <= LARGEST_SKEW:
        return [ok("github.clock", "this machine's clock agrees with GitHub's")]
    direction = "ahead of" if ahead > timedelta(0) else "behind"
    return [
        failed(
            "github.clock",
            f"this machine's clock is {seconds} s {direction} GitHub's",
            "Switch time synchronization on.",
        )
    ]


def _app(app: RegisteredApp, manifest: Manifest, settings: ServerSettings) -> list[Check]:
    """Compare the App with the settings and the manifest."""
    if app.app_id != settings.github_app_id:
        text = f"the key belongs to App {app.app_id}, GITHUB_APP_ID is {settings.github_app_id}"
        return [failed("github.app", text, "Take all settings of the App from one App's page.")]
    page = f"{settings.github_web_url}/settings/apps/{app.slug}/permissions"
    missing = [
        failed("github.permissions", difference, f"Put it right on {page}, and let the installations accept it.")
        for difference in differences(app, manifest)
    ]
    fine = [ok("github.permissions", "permissions and events are those of app.yml")]
    return [ok("github.app", f"{app.slug}, {app.html_url}"), *(missing or fine)]


async def _hook(desk: GitHubDesk, manifest: Manifest, *, hook_is_used: bool) -> Check:
    """See where the App's webhook leads. Somebody else's address is right if the deliveries get here all the same."""
    try:
        url = await desk.hook_url()
    except (GitHubRefusalError, TemporaryFailureError) as error:
        return failed("github.webhook", f"its address can't be read ({error})", "Switch it on on the App's page.")
    if url == manifest.hook_url:
        return ok("github.webhook", f"points to {url}")
    text = f"points to {url or 'nowhere'}, not to {manifest.hook_url}"
    if hook_is_used and url:
        return warning("github.webhook", text, "Fine as long as what listens there passes the raw deliveries on.")
    return failed("github.webhook", text, "Run `tallyhook setup --existing --set-hook`.")


async def _listing(desk: GitHubDesk, settings: ServerSettings, plans: PlanCatalog | None) -> list[Check]:
    """Compare the Marketplace listing with the catalogue."""
    name = "github.marketplace"
    if not settings.has_marketplace:
        return [skipped(name, "GITHUB_MARKETPLACE is off, or off by itself at another GITHUB_API_URL")]
    if plans is None:
        return [skipped(name, "the plan catalogue can't be read")]
    try:
        listed = set(await desk.listing_plan_ids())
    except (GitHubRefusalError, TemporaryFailureError) as error:
        return [
            failed(name, f"the listing's plans can't be read ({error})", "List the App, or set GITHUB_MARKETPLACE=off.")
        ]
    linked = {number: plan.id for plan in plans.plans.values() for number in plan.marketplace_plan_ids}
    found = [
        failed(
            name, f"plan {linked[number]} is linked to {number}, which the listing doesn't have", "Correct plans.toml."
        )
        for number in sorted(linked.keys() - listed)
    ]
    found += [
        warning(name, f"the listing's plan {number} isn't in plans.toml", "Add it to a plan's marketplace_plan_ids.")
        for number in sorted(listed - linked.keys())
    ]
    return found or [ok(name, f"{len(listed)} plans, all of them linked")]

"""What `doctor` says of the conversation: whether the App hears comments and may answer them, everywhere."""

from typing import Final

from billing.errors import TemporaryFailureError
from billing.values import Word
from bot.cli.checks import Check, failed, ok, warning
from bot.cli.github_desk import GitHubDesk, GitHubRefusalError, Granted, RegisteredApp
from bot.settings import ServerSettings

NAME: Final = "github.comments"
INSTALLATIONS: Final = "github.installations"

EVENT: Final = "issue_comment"
PERMISSIONS: Final = ("issues", "pull_requests")
"""To be answered, a comment takes `write` of the kind that its thread is of."""


async def check_comments(desk: GitHubDesk, app: RegisteredApp, settings: ServerSettings) -> list[Check]:
    """Return whether the App hears comments and may answer, and which installations haven't agreed to that yet."""
    missing = _missing(Granted(permissions=app.permissions, events=app.events))
    if missing:
        page = f"{settings.github_web_url}/settings/apps/{app.slug}/permissions"
        way_out = f"Put it right on {page}, and let the installations accept it."
        return [failed(NAME, f"comments can't be answered: {what}", way_out) for what in missing]
    ways = [f"/{Word.CREDITS}"] if Word.CREDITS in settings.slash_commands else []
    listened = ok(NAME, f"are heard and can be answered: {' and '.join([*ways, f'@{app.slug} {Word.CREDITS}'])}")
    return [listened, await _installations(desk)]


async def _installations(desk: GitHubDesk) -> Check:
    """Count the installations that still have what the App asked for earlier: each has to agree to more."""
    lacking: list[str] = []
    count = 0
    try:
        async for login, granted in desk.installations():
            count += 1
            if _missing(granted):
                lacking.append(login)
    except (GitHubRefusalError, TemporaryFailureError) as error:
        return failed(INSTALLATIONS, f"they can't be listed ({error})", "Try again in a minute.")
    if not lacking:
        return ok(INSTALLATIONS, f"{count} installations, in all of them comments can be answered")
    return warning(
        INSTALLATIONS,
        f"{len(lacking)} of {count} haven't agreed to what comments take, the first of them {lacking[0]}",
        "An owner accepts it on the installation's page at GitHub; until then comments there are not answered.",
    )


def _missing(granted: Granted) -> list[str]:
    """What answering comments takes and isn't there."""
    permissions = granted.permissions
    found = [
        f"permission {name} must be write, and is {permissions.get(name, 'missing')}"
        for name in PERMISSIONS
        if permissions.get(name) not in ("write", "admin")
    ]
    return found if EVENT in granted.events else [*found, f"event {EVENT} isn't subscribed to"]

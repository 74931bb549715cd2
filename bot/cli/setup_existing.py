"""`tallyhook setup --existing`: adopt a GitHub App that is registered already."""

import secrets
from collections.abc import Mapping

from billing.errors import TemporaryFailureError
from billing.ports import Clock
from bot.cli import questions
from bot.cli.environment_file import EnvironmentFile
from bot.cli.failures import CommandError
from bot.cli.github_desk import GitHubDesk, GitHubRefusalError, RegisteredApp
from bot.cli.manifest import Manifest, manifest_path, read_manifest
from bot.cli.setup_result import SetupResult
from bot.cli.setup_values import (
    APP_ID,
    CLIENT_ID,
    CLIENT_SECRET,
    PRIVATE_KEY,
    PUBLIC_URL,
    SECRET_BYTES,
    SetupOptions,
    github_place,
    is_right,
    one_line,
    own_secrets,
    settle_conflicts,
)
from bot.github.client import GitHubClient


async def adopt_app(options: SetupOptions, *, clock: Clock) -> SetupResult:
    """Check an App's credentials at GitHub, write its settings, and point its webhook to us if that is agreed to.

    Raises:
        CommandError: with the way out. Nothing is written unless GitHub knows the App by these credentials.
    """
    file = EnvironmentFile.read(options.file)
    standing = file.values()
    place = github_place(options, standing)
    public_url = PUBLIC_URL.find(options.public_url, standing)
    app_id, client_id = APP_ID.find(options.app_id, standing), CLIENT_ID.find(options.client_id, standing)
    client_secret = CLIENT_SECRET.find(options.client_secret, standing)
    private_key = PRIVATE_KEY.find(options.private_key, standing)
    manifest = read_manifest(manifest_path(), public_url=public_url)
    async with GitHubClient.open(
        api_url=place.api_url, client_id=client_id, private_key=private_key, clock=clock
    ) as client:
        desk = GitHubDesk(client, clock=clock)
        app = await _recognized(desk, app_id)
        set_hook = await _wants_hook(desk, manifest, options)
        changes = {
            "PUBLIC_URL": public_url,
            **place.settings,
            "GITHUB_APP_ID": app_id,
            "GITHUB_CLIENT_ID": client_id,
            "GITHUB_CLIENT_SECRET": client_secret,
            "GITHUB_PRIVATE_KEY": one_line(private_key),
            **own_secrets(standing),
            **_webhook_secret(standing, set_hook=set_hook),
        }
        changed = frozenset(name for name, value in changes.items() if _differs(name, value, standing))
        settle_conflicts(standing, changed, replace=options.replace)
        backup = file.write({name: changes[name] for name in changes if name in changed}, now=clock.now())
        if set_hook:
            # After the file: a secret that GitHub knows and the file doesn't would refuse every delivery.
            await _point_hook(desk, manifest.hook_url, {**standing, **changes}["GITHUB_WEBHOOK_SECRET"])
    return SetupResult(
        app_id=app.app_id,
        slug=app.slug,
        html_url=app.html_url,
        public_url=public_url,
        file=file.path,
        backup=backup,
        written=tuple(sorted(changed)),
        hook_was_set=set_hook,
        differences=tuple(differences(app, manifest)),
    )


async def _recognized(desk: GitHubDesk, app_id: str) -> RegisteredApp:
    """Return the App as GitHub shows it.

    Raises:
        CommandError: GitHub doesn't know it by these credentials, or it is another one.
    """
    try:
        app = await desk.app()
    except GitHubRefusalError as error:
        raise CommandError(
            f"GitHub doesn't accept the App's credentials ({error}).",
            "Take the client id and a new private key from the same App's page, and check this machine's clock.",
        ) from error
    except TemporaryFailureError as error:
        raise CommandError(f"GitHub doesn't answer: {error.reason}.", "Try again in a minute.") from error
    if app.app_id != int(app_id):
        raise CommandError(
            f"The credentials belong to App {app.app_id}, not to {app_id}.", "Take all of them from one App's page."
        )
    return app


async def _wants_hook(desk: GitHubDesk, manifest: Manifest, options: SetupOptions) -> bool:
    """Tell whether the App's webhook is to be pointed to us, with a secret of ours."""
    if options.set_hook is not None:
        return options.set_hook
    try:
        now_at = await desk.hook_url()
    except GitHubRefusalError as error:
        raise CommandError(
            f"GitHub doesn't tell the App's webhook ({error}).", "Switch it on on the App's page, under Webhook."
        ) from error
    return questions.agrees(
        f"The App's webhook points to {now_at or 'nowhere'}. Point it to {manifest.hook_url}, with a secret of ours?",
        option="--set-hook, or no by --keep-hook",
    )


def _webhook_secret(standing: Mapping[str, str], *, set_hook: bool) -> dict[str, str]:
    """Return a new webhook secret, if there is none yet that will do.

    Raises:
        CommandError: the webhook is to be kept as it is, but its secret isn't known.
    """
    if is_right("GITHUB_WEBHOOK_SECRET", standing.get("GITHUB_WEBHOOK_SECRET", "")):
        return {}
    if set_hook:
        return {"GITHUB_WEBHOOK_SECRET": secrets.token_hex(SECRET_BYTES)}
    raise CommandError(
        "The webhook is to be kept, but the file doesn't hold its secret.",
        "Put it into GITHUB_WEBHOOK_SECRET, or let a new one be set by --set-hook.",
    )


def _differs(name: str, value: str, standing: Mapping[str, str]) -> bool:
    """Tell whether a setting has to be written; a private key that stands there in another form doesn't."""
    stands = standing.get(name, "")
    if name == "GITHUB_PRIVATE_KEY" and stands:
        try:
            return one_line(PRIVATE_KEY.check(stands)) != value
        except ValueError:
            return True
    return stands != value


async def _point_hook(desk: GitHubDesk, url: str, secret: str) -> None:
    """Point the App's webhook to us. Of several secrets that are listed, the first is the newest.

    Raises:
        CommandError: GitHub didn't take it.
    """
    try:
        await desk.set_hook(url=url, secret=secret.split(",", maxsplit=1)[0].strip())
    except (GitHubRefusalError, TemporaryFailureError) as error:
        raise CommandError(
            f"The settings are written, but GitHub didn't take the webhook ({error}).",
            "Run the same command again.",
        ) from error


def differences(app: RegisteredApp, manifest: Manifest) -> list[str]:
    """Say in what an App differs from the manifest. More than it asks for isn't needed, and isn't wrong."""
    found = []
    for name, level in sorted(manifest.permissions.items()):
        has = app.permissions.get(name)
        if has != level and not (level == "read" and has in ("write", "admin")):
            found.append(f"permission {name} must be {level}, and is {has or 'missing'}")
    found.extend(f"event {event} isn't subscribed to" for event in sorted(manifest.events - app.events))
    return found

"""`tallyhook setup`: register a new GitHub App by the manifest flow."""

import secrets
import webbrowser
from dataclasses import replace
from typing import Any

import aiohttp

from billing.errors import TemporaryFailureError
from billing.ports import Clock
from bot.cli import questions
from bot.cli.environment_file import EnvironmentFile
from bot.cli.failures import CommandError
from bot.cli.github_desk import GitHubDesk, GitHubRefusalError, convert_code
from bot.cli.manifest import manifest_path, read_manifest
from bot.cli.manifest_flow import CreatedApp, ManifestFlow, Registrar
from bot.cli.output import say
from bot.cli.setup_result import SetupResult
from bot.cli.setup_values import (
    PUBLIC_URL,
    SECRET_BYTES,
    GitHubPlace,
    SetupOptions,
    github_place,
    one_line,
    own_secrets,
    settle_conflicts,
)
from bot.github.client import TIMEOUT_SECONDS, GitHubClient
from bot.github.transport import Transport

APP_SETTINGS = frozenset(
    {
        "GITHUB_APP_ID",
        "GITHUB_CLIENT_ID",
        "GITHUB_CLIENT_SECRET",
        "GITHUB_PRIVATE_KEY",
        "GITHUB_WEBHOOK_SECRET",
    }
)


async def create_app(options: SetupOptions, *, clock: Clock) -> SetupResult:
    """Register an App and write its settings.

    Everything that can go wrong on this side is tried before the browser goes to GitHub, because GitHub shows the
    App's secrets only once.

    Raises:
        CommandError: with the way out.
    """
    file = EnvironmentFile.read(options.file)
    standing = file.values()
    public_url = PUBLIC_URL.find(options.public_url, standing)
    settle_conflicts(standing, APP_SETTINGS, replace=options.replace)
    place = github_place(options, standing)
    manifest = dict(read_manifest(manifest_path(), public_url=public_url).fields)
    if options.name:
        manifest["name"] = options.name
    created = await _register(manifest, _organization(options), place, options, clock=clock)
    webhook_secret = created.webhook_secret or secrets.token_hex(SECRET_BYTES)
    changes = {
        "PUBLIC_URL": public_url,
        **place.settings,
        "GITHUB_APP_ID": str(created.app_id),
        "GITHUB_CLIENT_ID": created.client_id,
        "GITHUB_CLIENT_SECRET": created.client_secret,
        "GITHUB_PRIVATE_KEY": one_line(created.private_key),
        "GITHUB_WEBHOOK_SECRET": webhook_secret,
        **own_secrets(standing),
    }
    backup = file.write(changes, now=clock.now())
    result = SetupResult(
        app_id=created.app_id,
        slug=created.slug,
        html_url=created.html_url,
        public_url=public_url,
        file=file.path,
        backup=backup,
        written=tuple(sorted(changes)),
    )
    if created.webhook_secret is None:
        await _set_secret(created, webhook_secret, str(manifest["hook_attributes"]["url"]), place, clock=clock)
        result = replace(result, hook_was_set=True)
    return result


def _organization(options: SetupOptions) -> str:
    """Return who will own the App: an organization's login, or "" for the person."""
    if options.organization is not None or not questions.is_attended():
        return options.organization or ""
    return questions.ask(
        "The organization that will own the App (empty for your own account)", option="--organization", default=""
    )


async def _register(
    manifest: dict[str, Any], organization: str, place: GitHubPlace, options: SetupOptions, *, clock: Clock
) -> CreatedApp:
    """Run the manifest flow."""
    async with aiohttp.ClientSession() as session:
        transport = Transport(session, timeout_seconds=TIMEOUT_SECONDS)
        flow = ManifestFlow(
            manifest=manifest,
            registrar=Registrar(web_url=place.web_url, organization=organization),
            state=secrets.token_urlsafe(SECRET_BYTES),
            convert=lambda code: convert_code(transport, api_url=place.api_url, code=code),
            clock=clock,
        )
        return await flow.run(port=options.port, announce=lambda address: _announce(address, browser=options.browser))


def _announce(address: str, *, browser: bool) -> None:
    """Show the page's address, and open it where that is wanted and possible."""
    say(f"Open this address in the browser to go on: {address}")
    if browser:
        webbrowser.open(address)


async def _set_secret(created: CreatedApp, secret: str, hook_url: str, place: GitHubPlace, *, clock: Clock) -> None:
    """Give the App's webhook our secret, because GitHub made none.

    Raises:
        CommandError: GitHub didn't take it; everything is written, so adopting the App finishes the work.
    """
    try:
        async with GitHubClient.open(
            api_url=place.api_url, client_id=created.client_id, private_key=created.private_key, clock=clock
        ) as client:
            await GitHubDesk(client, clock=clock).set_hook(url=hook_url, secret=secret)
    except (GitHubRefusalError, TemporaryFailureError) as error:
        raise CommandError(
            f"The App is registered, its settings are written, but GitHub didn't take the webhook's secret ({error}).",
            "Run `tallyhook setup --existing`.",
        ) from error

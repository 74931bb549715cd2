"""`tallyhook setup`: register a GitHub App or adopt one, and write its settings."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.options import AsJson, examples

if TYPE_CHECKING:
    from bot.cli.setup_values import SetupOptions

EXAMPLES = examples(
    "tallyhook setup --public-url https://billing.example.com",
    "tallyhook setup --public-url https://billing.example.com --organization acme --no-browser --port 8765",
    "tallyhook setup --existing --app-id 12345 --client-id Iv23liAbCdEfGhIjKlMn --private-key app.pem",
)

Organization = Annotated[str | None, typer.Option(help="The organization that will own a new App; without it, you do.")]
ClientSecret = Annotated[
    str, typer.Option(envvar="GITHUB_CLIENT_SECRET", help="Of an existing App; asked for if it isn't given.")
]
SetHook = Annotated[
    bool | None, typer.Option("--set-hook/--keep-hook", help="Whether to point an existing App's webhook here.")
]


def setup(  # noqa: PLR0913 -- each argument is an option of the command
    *,
    existing: Annotated[bool, typer.Option("--existing", help="Adopt an App that is registered already.")] = False,
    public_url: Annotated[str, typer.Option(help="Where GitHub and customers reach this server.")] = "",
    organization: Organization = None,
    name: Annotated[str, typer.Option(help="The new App's name; it must be the only one at GitHub.")] = "",
    file: Annotated[Path, typer.Option(help="The settings file.")] = Path(".env"),
    replace: Annotated[bool, typer.Option("--replace", help="Replace values that stand in the file.")] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the page's address.")] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The page's port on this machine; 0: a free one.")] = 0,
    app_id: Annotated[str, typer.Option(help="Of an existing App.")] = "",
    client_id: Annotated[str, typer.Option(help="Of an existing App.")] = "",
    client_secret: ClientSecret = "",
    private_key: Annotated[str, typer.Option(help="Of an existing App: the path of the .pem file.")] = "",
    set_hook: SetHook = None,
    github_web_url: Annotated[str, typer.Option(envvar="GITHUB_WEB_URL", help="Of GitHub Enterprise Server.")] = "",
    github_api_url: Annotated[str, typer.Option(envvar="GITHUB_API_URL", help="Of GitHub Enterprise Server.")] = "",
    as_json: AsJson = False,
) -> None:
    """Register or adopt the GitHub App, and write its settings.

    Without --existing, a page on this machine takes app.yml to GitHub, where you confirm it; GitHub sends you back, and
    the App's settings are written. On a machine without a browser, forward the page's port: ssh -L 8765:127.0.0.1:8765.

    The Marketplace listing's webhook can't be set by any program: what to enter there is printed in the end.
    """
    from bot.cli.setup_values import SetupOptions

    options = SetupOptions(
        file=file,
        web_url=github_web_url,
        api_url=github_api_url,
        public_url=public_url,
        name=name,
        organization=organization,
        port=port,
        browser=not no_browser,
        app_id=app_id,
        client_id=client_id,
        client_secret=client_secret,
        private_key=private_key,
        set_hook=set_hook,
        replace=replace,
        as_json=as_json,
    )
    run_setup(options, existing=existing)


def run_setup(options: "SetupOptions", *, existing: bool) -> None:
    """Do it, and tell what was done."""
    import asyncio

    from bot.cli.setup_existing import adopt_app
    from bot.cli.setup_new import create_app
    from bot.clock import SystemClock

    work = adopt_app(options, clock=SystemClock()) if existing else create_app(options, clock=SystemClock())
    asyncio.run(work).tell(as_json=options.as_json)

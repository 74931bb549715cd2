"""What `setup` has to know before it starts: given by options, else found in the settings file, else asked for."""

import base64
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bot.cli import questions
from bot.cli.failures import CommandError, WrongUseError
from bot.settings.addresses import api_address, origin
from bot.settings.model import ServerSettings
from bot.settings.private_key import read_private_key
from bot.settings.secrets_table import SECRETS, fault_of, is_placeholder
from bot.settings.signing_key import read_signing_key

SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupOptions:
    """The options of `tallyhook setup`; "" stands for what wasn't given.

    Attributes:
        organization: which will own a new App; None asks.
        set_hook: whether to change the webhook of an App that exists; None asks.
        replace: replace values that stand in the file without asking.
        as_json: tell the result as JSON.
    """

    file: Path
    web_url: str = ""
    api_url: str = ""
    public_url: str = ""
    name: str = ""
    organization: str | None = None
    port: int = 0
    browser: bool = True
    app_id: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    private_key: str = field(default="", repr=False)
    set_hook: bool | None = None
    replace: bool = False
    as_json: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One value that has to be known.

    Attributes:
        name: the setting.
        question: how to ask for it.
        option: by which it is given.
        check: returns the value in its right form, or raises a ValueError that says what is wrong.
        hidden: whether it isn't to be seen while it is typed.
    """

    name: str
    question: str
    option: str
    check: Callable[[str], str]
    hidden: bool = False

    def find(self, given: str, standing: Mapping[str, str]) -> str:
        """Return the value: as given, else as it stands in the file, else as the person answers.

        Raises:
            WrongUseError: it can't be, or nobody is there to ask.
        """
        value = given or standing.get(self.name, "")
        if is_placeholder(value):
            value = questions.ask(self.question, option=self.option, hidden=self.hidden)
        try:
            return self.check(value.strip())
        except ValueError as error:
            raise WrongUseError(f"{self.name} {error}.", f"Give a right one by {self.option}.") from error


def a_number(text: str) -> str:
    """Return an id as digits.

    Raises:
        ValueError: it isn't one.
    """
    if not text.isascii() or not text.isdigit() or int(text) == 0:
        raise ValueError("must be a number")
    return text


def a_client_id(text: str) -> str:
    """Return a client id.

    Raises:
        ValueError: it can't be one.
    """
    if not text.isascii() or not text.isprintable() or not text or " " in text:
        raise ValueError("must be the App's client id, such as Iv23li…")
    return text


def a_client_secret(text: str) -> str:
    """Return a client secret.

    Raises:
        ValueError: it can't be one.
    """
    fault = fault_of(SECRETS["GITHUB_CLIENT_SECRET"], text)
    if fault:
        raise ValueError(fault)
    return text


PUBLIC_URL: Final = Wanted(
    name="PUBLIC_URL", question="The address at which GitHub reaches this server", option="--public-url", check=origin
)
APP_ID: Final = Wanted(name="GITHUB_APP_ID", question="The App's id", option="--app-id", check=a_number)
CLIENT_ID: Final = Wanted(
    name="GITHUB_CLIENT_ID", question="The App's client id", option="--client-id", check=a_client_id
)
CLIENT_SECRET: Final = Wanted(
    name="GITHUB_CLIENT_SECRET",
    question="A client secret of the App",
    option="--client-secret",
    check=a_client_secret,
    hidden=True,
)
PRIVATE_KEY: Final = Wanted(
    name="GITHUB_PRIVATE_KEY",
    question="The path of the App's private key (.pem)",
    option="--private-key",
    check=read_private_key,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHubPlace:
    """Where GitHub is.

    Attributes:
        settings: the settings that say so, where it isn't github.com.
    """

    web_url: str
    api_url: str
    settings: Mapping[str, str]


def github_place(options: SetupOptions, standing: Mapping[str, str]) -> GitHubPlace:
    """Return where GitHub is: as given, else as it stands in the file, else github.com.

    Raises:
        WrongUseError: an address isn't one.
    """
    found: dict[str, str] = {}
    names = ("GITHUB_WEB_URL", "GITHUB_API_URL")
    defaults: dict[str, str] = {name: ServerSettings.model_fields[name.lower()].default for name in names}
    given = {"GITHUB_WEB_URL": options.web_url, "GITHUB_API_URL": options.api_url}
    for name, default in defaults.items():
        try:
            found[name] = api_address(given[name] or standing.get(name) or default)
        except ValueError as error:
            raise WrongUseError(f"{name} {error}.", "Put it right, or leave it out for github.com.") from error
    return GitHubPlace(
        web_url=found["GITHUB_WEB_URL"],
        api_url=found["GITHUB_API_URL"],
        settings={name: value for name, value in found.items() if value != defaults[name]},
    )


def own_secrets(standing: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets that nobody else makes, fresh ones for those that don't stand in the file in a right form."""
    made = {
        "SESSION_SECRET": secrets.token_hex(SECRET_BYTES),
        "GITHUB_MARKETPLACE_WEBHOOK_SECRET": secrets.token_hex(SECRET_BYTES),
        "LEDGER_SIGNING_KEY": base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode(),
    }
    return {name: secret for name, secret in made.items() if not is_right(name, standing.get(name, ""))}


def is_right(name: str, value: str) -> bool:
    """Tell whether a secret has the right form; of one that lists several, each must have it."""
    if name == "LEDGER_SIGNING_KEY":
        return all(_is_signing_key(part) for part in value.split(","))
    parts = value.split(",") if name.endswith("WEBHOOK_SECRET") else [value]
    return all(not fault_of(SECRETS[name], part.strip()) for part in parts)


def _is_signing_key(text: str) -> bool:
    try:
        return bool(read_signing_key(text))
    except ValueError:
        return False


def one_line(private_key: str) -> str:
    """Return a PEM text as one line of base64, as the settings take it."""
    return base64.b64encode(private_key.encode("ascii")).decode("ascii")


def settle_conflicts(standing: Mapping[str, str], changed: frozenset[str], *, replace: bool) -> None:
    """Return if the values that stand in the file may be replaced.

    Raises:
        CommandError: the person wants them kept.
        WrongUseError: nobody is there to ask.
    """
    conflicts = sorted(name for name in changed if not is_placeholder(standing.get(name, "")))
    if not conflicts or replace:
        return
    question = f"{', '.join(conflicts)} {'stands' if len(conflicts) == 1 else 'stand'} in the file. Replace?"
    if not questions.agrees(question, option="--replace"):
        raise CommandError("Nothing was changed.", "Name another file by --file, or agree to the replacement.")

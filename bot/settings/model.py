"""The settings: frozen objects, read once, from the environment or a `.env` file beside it.

Two layers, because most commands need no more than the database and the plans: `CommandSettings`, and on top of them
`ServerSettings` for whoever speaks with GitHub or is spoken to.
"""

from functools import partial
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from typing_extensions import override

from billing.values import Word
from bot.settings.addresses import api_address, database_address, is_loopback, origin, server_of
from bot.settings.formats import (
    NO_WORDS,
    About,
    ContradictionError,
    HookAddress,
    Mailbox,
    MailServer,
    about_secret,
    checked,
    client_id,
    each_checked,
    each_inside,
    inside,
    lower,
    split_by_commas,
    words_of,
)
from bot.settings.private_key import read_private_key
from bot.settings.secrets_table import SECRETS, is_placeholder
from bot.settings.signing_key import read_signing_key

GITHUB_API_URL: Final = "https://api.github.com"


class CommandSettings(BaseSettings):
    """What every command needs.

    Making one reads nothing: `bot.settings.findings` does, in one place, so that tests and the sandbox can give theirs.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        extra="ignore",
        str_strip_whitespace=True,
        hide_input_in_errors=True,
    )

    database_url: Annotated[
        SecretStr,
        inside(database_address),
        About(
            meaning="The database: an embedded SQLite file, or a PostgreSQL server for several processes.",
            format="sqlite+aiosqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME?sslmode=verify-full",
            way="leave it out for SQLite, or copy the address that the PostgreSQL service shows",
        ),
    ] = SecretStr("sqlite+aiosqlite:///var/tallyhook.db")
    plans_file: Annotated[
        Path,
        About(
            meaning="The plan catalogue.",
            format="a path",
            way="leave it out for plans.toml in the working directory",
        ),
    ] = Path("plans.toml")
    billing_enabled: Annotated[
        bool,
        About(
            meaning="The kill switch: off, nothing is charged, and no spend is refused for want of credits or payment.",
            format="true or false",
            way="leave it out for true; `tallyhook flags set billing_enabled off` acts without a restart",
        ),
    ] = True
    ledger_signing_key: Annotated[
        tuple[SecretStr, ...],
        NoDecode,
        BeforeValidator(split_by_commas),
        AfterValidator(partial(each_inside, read_signing_key)),
        about_secret(
            "LEDGER_SIGNING_KEY", "What the ledger's checkpoints and statements are signed with; the first signs."
        ),
    ] = ()
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        BeforeValidator(lower),
        About(
            meaning="The least serious log line that is written.",
            format="debug, info, warning or error",
            way="leave it out for info",
        ),
    ] = "info"
    log_format: Annotated[
        Literal["json", "console"],
        BeforeValidator(lower),
        About(
            meaning="How log lines look: one JSON object each, or coloured text for people.",
            format="json or console",
            way="leave it out for json",
        ),
    ] = "json"

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_placeholders(cls, value: object) -> object:
        if isinstance(value, str) and is_placeholder(value):
            raise ValueError("is blank or a placeholder")
        return value

    @override
    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what is given, and nothing else."""
        return (init_settings,)


class ServerSettings(CommandSettings):
    """What `serve`, `work` and every command that speaks with GitHub need on top."""

    host: Annotated[
        str,
        About(
            meaning="The address to listen on.",
            format="an IP address or a host name",
            way="leave it out for 127.0.0.1; 0.0.0.0 in a container",
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int,
        Field(ge=0, le=65535),
        About(
            meaning="The port to listen on; 0 takes any free one.",
            format="a whole number from 0 to 65535",
            way="leave it out for 8000",
        ),
    ] = 8000
    public_url: Annotated[
        str,
        AfterValidator(origin),
        About(
            meaning="Where GitHub and customers reach this server.",
            format="https://HOST; http:// for loopback only",
            way="set it to the address that leads here from outside, without a path",
        ),
    ]
    github_app_id: Annotated[
        int,
        Field(ge=1, le=2**63 - 1),
        About(
            meaning="The GitHub App.",
            format="a whole number",
            way="copy App ID from the App's settings page, or run `tallyhook setup`",
        ),
    ]
    github_client_id: Annotated[
        str,
        AfterValidator(client_id),
        About(
            meaning="The App when people sign in.",
            format="8 to 100 letters, digits, dots, dashes and underscores, such as Iv23liAbCdEfGhIjKlMn",
            way="copy Client ID from the App's settings page, or run `tallyhook setup`",
        ),
    ]
    github_client_secret: Annotated[
        SecretStr,
        AfterValidator(partial(checked, SECRETS["GITHUB_CLIENT_SECRET"])),
        about_secret("GITHUB_CLIENT_SECRET", "Proves that it is the App who asks, when people sign in."),
    ]
    github_private_key: Annotated[
        SecretStr,
        inside(read_private_key),
        about_secret("GITHUB_PRIVATE_KEY", "What the App signs its requests to GitHub with."),
    ]
    github_webhook_secret: Annotated[
        tuple[SecretStr, ...],
        NoDecode,
        BeforeValidator(split_by_commas),
        AfterValidator(partial(each_checked, SECRETS["GITHUB_WEBHOOK_SECRET"])),
        about_secret("GITHUB_WEBHOOK_SECRET", "What GitHub signs the App's deliveries with."),
    ]
    github_marketplace_webhook_secret: Annotated[
        tuple[SecretStr, ...],
        NoDecode,
        BeforeValidator(split_by_commas),
        AfterValidator(partial(each_checked, SECRETS["GITHUB_MARKETPLACE_WEBHOOK_SECRET"])),
        about_secret(
            "GITHUB_MARKETPLACE_WEBHOOK_SECRET", "What GitHub signs the Marketplace listing's deliveries with."
        ),
    ]
    github_api_url: Annotated[
        str,
        AfterValidator(api_address),
        About(
            meaning="GitHub's API; another one for GitHub Enterprise Server.",
            format="https://HOST/PATH; http:// for loopback only",
            way="leave it out for GitHub, or set https://HOST/api/v3 for GitHub Enterprise Server",
        ),
    ] = GITHUB_API_URL
    github_web_url: Annotated[
        str,
        AfterValidator(origin),
        About(
            meaning="GitHub's pages; others for GitHub Enterprise Server.",
            format="https://HOST; http:// for loopback only",
            way="leave it out for GitHub, or set https://HOST for GitHub Enterprise Server",
        ),
    ] = "https://github.com"
    github_marketplace: Annotated[
        Literal["auto", "on", "off"],
        BeforeValidator(lower),
        About(
            meaning="Whether there is a Marketplace. auto: with GitHub's own API only; Enterprise Server has none.",
            format="auto, on or off",
            way="leave it out for auto",
        ),
    ] = "auto"
    github_forward_url: Annotated[
        HookAddress | None,
        About(
            meaning="Where each verified delivery is passed on to, unchanged: your own app.",
            format="https://…; http:// within one's own network",
            way="set the address at which your app takes GitHub's deliveries, or leave it out",
        ),
    ] = None
    slash_commands: Annotated[
        frozenset[str],
        NoDecode,
        BeforeValidator(split_by_commas),
        # The one named last comes first.
        BeforeValidator(lower),
        AfterValidator(words_of),
        About(
            meaning="What people may write in a comment behind a slash alone. A mention of the App always works.",
            format=f"words out of {', '.join(Word)}, separated by commas, or {NO_WORDS}",
            way="leave it out for credits, or name those that no other bot in your repositories listens to",
        ),
    ] = frozenset({Word.CREDITS.value})
    smtp_url: Annotated[
        MailServer | None,
        About(
            meaning="The mail server. Without it no mail is sent.",
            format="smtp://USER:PASSWORD@HOST:PORT, or smtps:// for encryption from the first byte",
            way="copy host, port, user and password from your mail service",
        ),
    ] = None
    mail_from: Annotated[
        Mailbox | None,
        About(
            meaning="The sender of mails.",
            format="an e-mail address, alone or in angle brackets behind a name",
            way="set an address that your mail service lets you send from",
        ),
    ] = None
    session_secret: Annotated[
        SecretStr,
        AfterValidator(partial(checked, SECRETS["SESSION_SECRET"])),
        about_secret("SESSION_SECRET", "What sessions are sealed with."),
    ]
    alert_email: Annotated[
        Mailbox | None,
        About(
            meaning="Who is written to when something wants a person.",
            format="an e-mail address",
            way="set an address that somebody reads, or leave it out",
        ),
    ] = None
    alert_webhook_url: Annotated[
        HookAddress | None,
        About(
            meaning="What is called when something wants a person or a balance gets low, such as a chat's webhook.",
            format="https://…; http:// within one's own network",
            way="copy the webhook's address from your chat or pager, or leave it out",
        ),
    ] = None
    retention_days: Annotated[
        int,
        Field(ge=1, le=3650),
        About(
            meaning="How long the bodies of finished deliveries are kept; what they did stays in the ledger.",
            format="a whole number of days from 1 to 3650",
            way="leave it out for 90",
        ),
    ] = 90

    @property
    def has_marketplace(self) -> bool:
        """Whether there is a Marketplace to ask."""
        if self.github_marketplace == "auto":
            return self.github_api_url == GITHUB_API_URL
        return self.github_marketplace == "on"

    @model_validator(mode="after")
    def _refuse_contradictions(self) -> Self:
        if self.smtp_url is not None and self.mail_from is None:
            raise ContradictionError("MAIL_FROM", "is missing, and mail needs a sender")
        if self.alert_email is not None and self.smtp_url is None:
            raise ContradictionError("ALERT_EMAIL", "is set, but there is no SMTP_URL to send by")
        if self.github_forward_url is not None and self._leads_here(self.github_forward_url.get_secret_value()):
            raise ContradictionError("GITHUB_FORWARD_URL", "leads back to this server's own webhooks, for ever")
        return self

    def _leads_here(self, address: str) -> bool:
        there = urlsplit(address)
        is_ours = server_of(address) == server_of(self.public_url)
        is_this_port = is_loopback(there.hostname or "") and server_of(address)[2] == self.port
        return (is_ours or is_this_port) and there.path.startswith("/webhooks/")

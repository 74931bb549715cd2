"""What is right and what is wrong with the settings, one line each, without any value."""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

from bot.settings.formats import About, ContradictionError
from bot.settings.model import CommandSettings, ServerSettings
from bot.settings.secrets_table import SECRETS

Settings = TypeVar("Settings", bound=CommandSettings)

ENVIRONMENT_FILE: Final = Path(".env")
"""Read beside the environment, which goes before it."""


_WARNINGS: Final[Mapping[str, str]] = {
    "SMTP_URL": "is absent: no mail is sent",
    "LEDGER_SIGNING_KEY": "is absent: no checkpoints are made, and a ledger whose end was cut off may still verify; "
    + SECRETS["LEDGER_SIGNING_KEY"].way,
}
"""What goes without an optional setting that is worth having."""


class Verdict(StrEnum):
    """How a setting fares."""

    OK = "ok"
    DEFAULT = "default"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found about one setting. `text` says it and, where something is to be done, how; never the value."""

    name: str
    verdict: Verdict
    text: str


class SettingsError(Exception):
    """The settings can't be used. The text is one line that names a setting and says how to get a right value.

    Attributes:
        findings: all that is wrong, the one in the text first.
    """

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        first, *others = findings
        also = f" (also wrong: {', '.join(finding.name for finding in others)})" if others else ""
        super().__init__(f"{first.name} {first.text}{also}")
        self.findings = findings


class SettingsFileError(Exception):
    """A file of settings can't be read. The text is one line that says why."""


def read_settings(kind: type[Settings], *, environment_file: Path = ENVIRONMENT_FILE) -> Settings:
    """Read the settings from the environment, and from the file for what isn't there.

    Raises:
        SettingsError: something is missing or wrong.
    """
    return settings_of(kind, _environment(environment_file))


def settings_of(kind: type[Settings], values: Mapping[str, str]) -> Settings:
    """Make settings of texts by name (`GITHUB_APP_ID`), as the environment would hold them; blank ones count as absent.

    Raises:
        SettingsError: something is missing or wrong.
    """
    try:
        return kind.model_validate(
            {name.lower(): text for name, text in values.items() if text and name.lower() in kind.model_fields}
        )
    except ValidationError as error:
        # Not chained: pydantic's own text and traceback may show values.
        raise SettingsError(tuple(_faults(kind, error))) from None


def examine(values: Mapping[str, str] | None = None, *, environment_file: Path = ENVIRONMENT_FILE) -> list[Finding]:
    """Say of every setting whether it is right, in the order of the documentation.

    Args:
        values: texts by name; the environment and the file if absent.
        environment_file: the file.
    """
    if values is None:
        values = _environment(environment_file)
    faults: dict[str, Finding] = {}
    try:
        settings_of(ServerSettings, values)
    except SettingsError as error:
        faults = {finding.name: finding for finding in error.findings}
    given = {name.upper(): text for name, text in values.items() if text}
    return [faults.get(name) or _sound(name, given) for name in descriptions()]


def read_settings_file(path: Path) -> dict[str, str]:
    """Read settings from a file: `.env` lines, or what `kubectl get secret NAME -o json` prints.

    Raises:
        SettingsFileError: it can't be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SettingsFileError(f"{path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsFileError(f"{path} isn't UTF-8 text") from None
    return _from_kubernetes(path, text) if text.lstrip().startswith("{") else _from_lines(path)


def descriptions() -> dict[str, About]:
    """Every setting's name and what people have to know of it, in the order of the documentation."""
    return {name.upper(): _about(field) for name, field in ServerSettings.model_fields.items()}


def secret_values(settings: CommandSettings) -> tuple[str, ...]:
    """All secret texts in the settings, so that the log can drop them should one ever get there."""
    values = [getattr(settings, name) for name in type(settings).model_fields]
    parts = [part for value in values for part in (value if isinstance(value, tuple) else (value,))]
    return tuple(part.get_secret_value() for part in parts if isinstance(part, SecretStr))


def _environment(file: Path) -> dict[str, str]:
    from_file = DotEnvSettingsSource(ServerSettings, env_file=file)()
    return {**from_file, **EnvSettingsSource(ServerSettings)()}


def _about(field: FieldInfo) -> About:
    return next(part for part in field.metadata if isinstance(part, About))


def _faults(kind: type[CommandSettings], error: ValidationError) -> Iterator[Finding]:
    for fault in error.errors(include_url=False, include_input=False):
        cause = fault.get("ctx", {}).get("error")
        name = cause.name if isinstance(cause, ContradictionError) else str(fault["loc"][0]).upper()
        about = _about(kind.model_fields[name.lower()])
        if fault["type"] == "missing":
            problem = "is missing"
        elif fault["type"] == "value_error" and cause is not None:
            problem = str(cause)
        else:
            problem = f"is malformed: it is {about.format}"
        yield Finding(name=name, verdict=Verdict.ERROR, text=f"{problem}; {about.way}")


def _sound(name: str, given: Mapping[str, str]) -> Finding:
    if name in _WARNINGS and name not in given:
        return Finding(name=name, verdict=Verdict.WARNING, text=_WARNINGS[name])
    if name not in given:
        has_default = ServerSettings.model_fields[name.lower()].default is not None
        text = "is absent; its default holds" if has_default else "is absent, and needn't be there"
        return Finding(name=name, verdict=Verdict.DEFAULT, text=text)
    if name in SECRETS and SECRETS[name].unit == "characters":
        lengths = " and ".join(str(len(part.strip())) for part in given[name].split(","))
        return Finding(name=name, verdict=Verdict.OK, text=f"is well formed ({lengths} characters)")
    return Finding(name=name, verdict=Verdict.OK, text="is well formed")


def _from_lines(path: Path) -> dict[str, str]:
    return dict(DotEnvSettingsSource(ServerSettings, env_file=path)())


def _from_kubernetes(path: Path, text: str) -> dict[str, str]:
    try:
        document = json.loads(text)
        items = document["items"] if document.get("kind") == "List" else [document]
        values: dict[str, str] = {}
        for item in items:
            for name, encoded in (item.get("data") or {}).items():
                values[name] = base64.b64decode(encoded, validate=True).decode("utf-8")
            values |= {name: str(value) for name, value in (item.get("stringData") or {}).items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error):
        raise SettingsFileError(
            f"{path} isn't what `kubectl get secret NAME -o json` prints: no object whose data is base64"
        ) from None
    return values

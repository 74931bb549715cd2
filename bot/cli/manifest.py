"""The App's manifest (`app.yml`): what `setup` asks GitHub to register and what `doctor` compares the App with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Final

import bot
from bot.cli.failures import CommandError

FILE_NAME: Final = "app.yml"
LARGEST_CALLBACK_COUNT: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A manifest with its addresses filled in.

    Attributes:
        fields: what GitHub takes, by its own names.
    """

    fields: Mapping[str, Any]

    @property
    def permissions(self) -> dict[str, str]:
        """The permissions that the App needs, each with its level."""
        return dict(self.fields["default_permissions"])

    @property
    def events(self) -> frozenset[str]:
        """The events that the App has to be subscribed to."""
        return frozenset(self.fields["default_events"])

    @property
    def hook_url(self) -> str:
        """Where the App's webhook has to point."""
        return str(self.fields["hook_attributes"]["url"])


def manifest_path() -> Path:
    """Return the manifest's file: in the working directory, or else the one that came with the program.

    Raises:
        CommandError: there is neither.
    """
    for directory in (Path.cwd(), Path(bot.__file__).resolve().parents[1]):
        if (directory / FILE_NAME).is_file():
            return directory / FILE_NAME
    raise CommandError(
        f"There is no {FILE_NAME} here.", f"Run the command where {FILE_NAME} lies, or copy it from the source tree."
    )


def read_manifest(path: Path, *, public_url: str) -> Manifest:
    """Read a manifest and fill in the public address.

    Raises:
        CommandError: the file isn't a manifest; the text names what is wrong.
    """
    import yaml

    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CommandError(f"{path} can't be read: {' '.join(str(error).split())}", "Repair the file.") from error
    fields = _filled_in(raw, public_url=public_url.rstrip("/"))
    problem = _first_problem(fields)
    if problem is not None:
        raise CommandError(f"{path}: {problem}.", "Repair the file; the one that came with the program is an example.")
    return Manifest(fields=fields)


def _filled_in(value: Any, *, public_url: str) -> Any:  # noqa: ANN401 -- YAML holds anything
    """Replace ${PUBLIC_URL} in each of the value's texts. After parsing, so that no address can bend the YAML."""
    match value:
        case str():
            return Template(value).safe_substitute(PUBLIC_URL=public_url)
        case list():
            return [_filled_in(each, public_url=public_url) for each in value]
        case dict():
            return {key: _filled_in(each, public_url=public_url) for key, each in value.items()}
        case _:
            return value


def _first_problem(fields: Any) -> str | None:  # noqa: ANN401 -- YAML holds anything
    """Return what would make GitHub or this program refuse the manifest, None if nothing does."""
    if not isinstance(fields, dict):
        return "the file must hold names and values"
    hook, permissions, events = (
        fields.get(name) for name in ("hook_attributes", "default_permissions", "default_events")
    )
    if not isinstance(fields.get("url"), str):
        return "url is missing"
    if not isinstance(hook, dict) or not isinstance(hook.get("url"), str):
        return "hook_attributes.url is missing"
    if "secret" in hook:
        return "hook_attributes.secret must go: GitHub refuses it and makes its own"
    if not isinstance(permissions, dict) or not all(isinstance(level, str) for level in permissions.values()):
        return "default_permissions must hold names and levels"
    if not isinstance(events, list) or not all(isinstance(event, str) for event in events):
        return "default_events must be a list of names"
    if "marketplace_purchase" in events:
        return "marketplace_purchase must go: it belongs to the listing's own webhook"
    if len(fields.get("callback_urls", ())) > LARGEST_CALLBACK_COUNT:
        return f"callback_urls may hold {LARGEST_CALLBACK_COUNT} addresses at most"
    return None

"""The documentation tells of what is there: every command and setting, and nothing that isn't."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from bot.cli.program import program
from bot.settings import ServerSettings
from tests.arch.tree import PACKAGES, ROOT, modules, project_files

DOCUMENTS = [path for path in project_files() if path.suffix == ".md"]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
RECORD = re.compile(r"docs/decisions/(\d{4}-[a-z0-9-]+\.md)")


def commands(group: Any, path: tuple[str, ...] = ()) -> list[str]:
    """The names of all commands under this one, as they are typed."""
    children = getattr(group, "commands", {})
    names = [name for child in children for name in commands(children[child], (*path, child))]
    return names or [" ".join(path)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    links = [link for link in LINK.findall(document.read_text(encoding="utf-8")) if "://" not in link]

    assert [link for link in links if not (document.parent / link).exists()] == []


def test_every_record_that_the_code_names_exists() -> None:
    sources = modules(*PACKAGES, "tests")
    named = {name for path in sources for name in RECORD.findall(path.read_text(encoding="utf-8"))}

    assert named
    assert sorted(name for name in named if not (ROOT / "docs/decisions" / name).exists()) == []


def test_no_two_records_share_a_number() -> None:
    numbers = [path.name[:4] for path in (ROOT / "docs/decisions").glob("[0-9]*.md")]

    assert len(numbers) == len(set(numbers))


def test_every_command_is_documented() -> None:
    names = commands(typer.main.get_command(program))
    document = (ROOT / "docs/commands.md").read_text(encoding="utf-8")

    assert "customers show" in names
    assert [name for name in names if f"tallyhook {name}" not in document] == []


def test_every_setting_is_documented() -> None:
    document = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    settings = [name.upper() for name in ServerSettings.model_fields]

    assert "DATABASE_URL" in settings
    assert [name for name in settings if f"`{name}`" not in document] == []

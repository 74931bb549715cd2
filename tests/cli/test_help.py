"""The help of every command: a purpose, an example that can be copied, and a start that is quick."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from bot.cli.program import program
from tests.arch.tree import ROOT

HEAVY = ("aiohttp", "alembic", "asyncpg", "cryptography", "jinja2", "jwt", "pydantic", "rich", "sandbox", "sqlalchemy")
WITHOUT_DATA = {"serve", "work", "sandbox"}
"""Commands that run until they are stopped, and print no data."""


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group of the tree, with the words that lead to it."""
    yield path, command
    for name, each in getattr(command, "commands", {}).items():
        yield from commands(each, (*path, name))


TREE = dict(commands(get_command(program)))
LEAVES = {path: command for path, command in TREE.items() if not hasattr(command, "commands")}


def examples_of(command: Any) -> list[str]:
    """The examples in a command's help, without what is said beside them."""
    _, _, lines = (command.epilog or "").partition("Examples:\n")
    return [re.split(r"\s{2,}", line.strip())[0] for line in lines.splitlines()]


def test_the_tree_is_the_promised_one() -> None:
    assert {" ".join(path) for path in LEAVES} == {
        "alarms ack",
        "alarms list",
        "backup",
        "checkpoint",
        "credits adjust",
        "credits backfill",
        "credits check",
        "credits explain",
        "credits grant",
        "credits holds",
        "credits reverse",
        "credits revoke",
        "credits statement",
        "credits usage",
        "customers figures",
        "customers list",
        "customers show",
        "deliveries list",
        "deliveries replay",
        "deliveries show",
        "doctor",
        "effects list",
        "effects retry",
        "effects show",
        "flags list",
        "flags set",
        "migrate",
        "restore",
        "sandbox",
        "serve",
        "setup",
        "verify",
        "work",
    }


@pytest.mark.parametrize("path", TREE, ids=" ".join)
def test_each_has_a_purpose_and_examples(path: tuple[str, ...]) -> None:
    command = TREE[path]

    assert (command.help or "").split("\n\n")[0].rstrip().endswith(".")
    assert examples_of(command)
    for parameter in command.params:
        assert parameter.help, parameter.name


@pytest.mark.parametrize("path", [path for path in TREE if path not in LEAVES], ids=" ".join)
def test_no_summary_is_cut_off(path: tuple[str, ...]) -> None:
    shown = TREE[path].get_help(TREE[path].make_context("tallyhook", [], resilient_parsing=True))

    assert "Commands:" in shown
    assert "..." not in shown.partition("Commands:")[2]


@pytest.mark.parametrize("path", TREE, ids=" ".join)
def test_each_example_parses(path: tuple[str, ...]) -> None:
    for example in examples_of(TREE[path]):
        name, *words = shlex.split(example)
        found = max((leaf for leaf in LEAVES if tuple(words[: len(leaf)]) == leaf), key=len, default=None)

        assert name == "tallyhook"
        assert found is not None, example
        assert found[: len(path)] == path, example
        # Parsing raises what the person would be told.
        LEAVES[found].make_context("tallyhook", words[len(found) :])


@pytest.mark.parametrize("path", [path for path in LEAVES if path[0] not in WITHOUT_DATA], ids=" ".join)
def test_each_that_prints_data_prints_json_too(path: tuple[str, ...]) -> None:
    assert "--json" in {option for parameter in LEAVES[path].params for option in parameter.opts}


@pytest.mark.parametrize("path", [path for path in LEAVES if path[-1] in {"list", "statement"}], ids=" ".join)
def test_each_list_can_be_limited(path: tuple[str, ...]) -> None:
    assert "--limit" in {option for parameter in LEAVES[path].params for option in parameter.opts}


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['tallyhook', '--help']\n"
        "import bot.__main__\n"
        "try: bot.__main__.main()\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print('loaded:', *sorted(name for name in sys.modules if '.' not in name), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    loaded = ended.stderr.rpartition("loaded:")[2].split()
    assert "typer" in loaded
    assert set(loaded).isdisjoint(HEAVY)
    assert "tallyhook doctor" in ended.stdout


@pytest.mark.parametrize("arguments", [["nonsense"], ["customers", "nonsense"], ["migrate", "--nonsense"]])
def test_a_wrong_use_ends_with_two_and_the_way_to_help(arguments: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "bot", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 2
    assert "-h" in ended.stderr
    assert "Traceback" not in ended.stderr

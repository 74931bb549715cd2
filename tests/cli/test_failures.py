"""How failures are told: in words and with an exit code for what a person can act on, and bugs as they are."""

import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import bot.__main__
from billing.errors import (
    BillingError,
    EntryNotReversibleError,
    HoldEndedError,
    IdempotencyConflictError,
    InsufficientCreditsError,
    InvalidPlanCatalogError,
    InvalidTimeError,
    OutOfBoundsError,
    TemporaryFailureError,
    UnknownCustomerError,
    UnknownEntryError,
    UnknownHoldError,
)
from bot.cli.failures import CommandError, WrongUseError, explained
from bot.settings import Finding, SettingsError, Verdict
from storage.errors import (
    AmbiguousReferenceError,
    DatabaseInUseError,
    SchemaOutdatedError,
    UnsupportedDatabaseError,
)
from tests.arch.tree import ROOT
from tests.cli.running import invoke
from tests.cli.test_help import LEAVES

FAILURES: list[tuple[Exception, str, str]] = [
    (UnknownCustomerError("12"), "There is no customer 12.", "tallyhook customers list"),
    (InsufficientCreditsError(requested=3, available=1), "3 credits were asked for, 1 are available.", "explain"),
    (IdempotencyConflictError("k"), "The key 'k' was used before for another request.", "--key"),
    (EntryNotReversibleError(5, "it can't"), "Entry 5 can't be reversed: it can't.", "credits adjust"),
    (UnknownEntryError(5), "There is no entry 5.", "credits statement"),
    (UnknownHoldError(5), "There is no hold 5.", "credits holds"),
    (HoldEndedError(5, "released"), "The hold 5 has ended: it is released.", "credits holds"),
    (OutOfBoundsError("the key", "is longer than 200 characters"), "The key is longer than 200", "Write it shorter"),
    (InvalidTimeError("too old"), "Too old.", "Give a time that has passed by --at, of the last 30 days;"),
    (InvalidPlanCatalogError("plans.toml", "is empty"), "plans.toml: is empty.", "PLANS_FILE"),
    (TemporaryFailureError("the database is away"), "The database is away.", "Try again"),
    (AmbiguousReferenceError("github:@a", (1, 2)), "github:@a fits more than one account.", "github:1, github:2"),
    (DatabaseInUseError("/x.db", "77"), "/x.db is in use by process 77.", "Stop that one first"),
    (SchemaOutdatedError(current=None, head="1", is_newer=False), "no tables yet", "Run `tallyhook migrate`."),
    (SchemaOutdatedError(current="9", head="1", is_newer=True), "revision 9", "Run the version that made them."),
    (UnsupportedDatabaseError("no such thing"), "No such thing.", "postgresql://"),
    (BillingError("something else"), "Something else.", "tallyhook doctor"),
    (
        SettingsError((Finding(name="PORT", verdict=Verdict.ERROR, text="is malformed; leave it out for 8000"),)),
        "PORT is malformed.",
        "Leave it out for 8000.",
    ),
    (CommandError("What.", "Way out."), "What.", "Way out."),
]


@pytest.mark.parametrize(
    ("error", "what", "way_out"),
    FAILURES,
    ids=[f"{type(each[0]).__name__}-{number}" for number, each in enumerate(FAILURES)],
)
def test_what_a_person_can_act_on_is_two_sentences(error: Exception, what: str, way_out: str) -> None:
    told = explained(error)

    assert told is not None
    assert what in told.what
    assert way_out in told.way_out
    assert told.exit_code == 1
    for sentence in (told.what, told.way_out):
        assert re.fullmatch(r"[^\n]+\.", sentence)


def test_a_failure_is_told_in_two_lines_and_a_settings_in_one(tmp_path: Path) -> None:
    unknown = invoke("customers", "list", settings={"DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/no.db"})
    malformed = invoke("customers", "list", settings={"DATABASE_URL": "mysql://somewhere"})

    assert unknown.stderr == (
        "error: The database has no tables yet, this version needs revision 0003.\n       Run `tallyhook migrate`.\n"
    )
    assert malformed.stderr.startswith("error: DATABASE_URL must begin with")
    assert malformed.stderr.count("\n") == 1
    assert "copy the address that the PostgreSQL service shows." in malformed.stderr


def test_a_wrong_use_ends_with_two() -> None:
    told = explained(WrongUseError("What.", "Way out."))

    assert told is not None
    assert told.exit_code == 2


@pytest.mark.parametrize("bug", [KeyError("x"), AssertionError(), RuntimeError("x")])
def test_a_bug_stays_what_it_is(bug: Exception) -> None:
    assert explained(bug) is None


def test_the_console_script_is_the_program() -> None:
    (script,) = entry_points(group="console_scripts", name="tallyhook")

    assert script.load() is bot.__main__.main


def test_the_procfile_is_the_promised_one() -> None:
    assert (ROOT / "Procfile").read_text() == (
        "release: tallyhook doctor --settings-only && tallyhook migrate\n"
        "web: tallyhook serve --no-worker\n"
        "worker: tallyhook work\n"
    )


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_each_command_and_option_is_documented(path: tuple[str, ...]) -> None:
    text = (ROOT / "docs" / "commands.md").read_text()
    options = {name for each in LEAVES[path].params for name in (*each.opts, *each.secondary_opts) if "--" in name}

    assert f"### `tallyhook {' '.join(path)}" in text
    assert [name for name in options - {"--help", "--json"} if name not in text] == []

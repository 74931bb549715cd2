"""What can't be kept or looked up is told in two lines, and nothing is done."""

import pytest

from tests.cli.conftest import Settings
from tests.cli.running import invoke

GRANT = ("credits", "grant", "github:@octocat", "5", "--yes")


@pytest.mark.parametrize(
    ("options", "what"),
    [
        # So Python hands over a byte of the command line that is no text.
        (("--reason", "caf\udce9"), "The note's text holds a character that can't be kept, U+DCE9."),
        (("--reason", "a\x1b[2J"), "The note's text holds a character that can't be kept, U+001B."),
        (("--reason", "sorry", "--actor", "A" * 201), "The name beside the note is longer than 200 characters."),
    ],
)
def test_a_note_that_cant_be_kept_is_refused(seeded_sqlite: Settings, options: tuple[str, ...], what: str) -> None:
    ended = invoke(*GRANT, *options, settings=seeded_sqlite)

    assert ended.code == 1
    assert ended.stderr.splitlines()[-2:] == [
        f"error: {what}",
        "       Write it shorter, or without such characters; nothing was done.",
    ]
    assert '"available": 5' in invoke("customers", "show", "github:@octocat", "--json", settings=seeded_sqlite).stdout


@pytest.mark.parametrize("reference", ["\udcff", "github:@caf\udce9", "github:@a\x1b[2J", "1\n"])
def test_a_reference_that_is_no_text_is_refused(seeded_sqlite: Settings, reference: str) -> None:
    ended = invoke("customers", "show", reference, settings=seeded_sqlite)

    assert ended.code == 2
    assert "can't be read as text" in " ".join(ended.stderr.replace("│", " ").split())
    assert ended.stdout == ""

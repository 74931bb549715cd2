"""What a person at a terminal gets: questions, drawn tables, and hidden input."""

import json

from tests.cli.conftest import Settings
from tests.cli.running import converse, invoke

GRANT = ("credits", "grant", "github:@octocat", "7", "--reason", "sorry")


def balance(settings: Settings) -> int:
    record = json.loads(invoke("customers", "show", "github:@octocat", "--json", settings=settings).stdout)
    return int(record["credits"]["available"])


def test_a_yes_lets_it_happen(seeded_sqlite: Settings) -> None:
    code, shown = converse(*GRANT, settings=seeded_sqlite, answers={"[y/N]": "y"})

    assert code == 0, shown
    assert ": octocat (User 583231 at GitHub)" in shown
    assert "Grant 7 credits (they expire: never)? [y/N]" in shown
    assert balance(seeded_sqlite) == 12


def test_anything_else_does_not(seeded_sqlite: Settings) -> None:
    code, shown = converse(*GRANT, settings=seeded_sqlite, answers={"[y/N]": ""})

    assert code == 1
    assert "error: Nothing was done." in shown
    assert balance(seeded_sqlite) == 5


def test_a_table_is_drawn_and_progress_is_shown(seeded_sqlite: Settings) -> None:
    _, table = converse("customers", "list", settings=seeded_sqlite, answers={})
    code, verified = converse("verify", settings=seeded_sqlite, answers={})

    assert "\N{BOX DRAWINGS LIGHT HORIZONTAL}" in table
    assert "octocat" in table
    assert code == 0
    assert "everything holds" in verified


def test_setup_asks_for_what_it_is_not_given_and_hides_the_secret() -> None:
    secret = "the-client-secret-0123456789"

    code, shown = converse(
        "setup",
        "--existing",
        settings={},
        answers={
            "reaches this server": "https://billing.example.com",
            "The App's id": "12345",
            "client id": "Iv23liAbCdEfGhIjKlMn",
            "A client secret": secret,
            "private key": "absent.pem",
        },
        hidden="A client secret",
    )

    assert code == 2
    assert secret not in shown
    assert "GITHUB_PRIVATE_KEY is neither PEM text, nor base64 of it, nor a path" in shown
    assert "--private-key" in shown

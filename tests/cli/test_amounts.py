"""Numbers of credits on the command line: what is none is told with the way to what was meant."""

import pytest

from tests.cli.conftest import Settings
from tests.cli.running import invoke


@pytest.mark.parametrize("amount", ["-5", "0", "1000000001", "-15"])
@pytest.mark.parametrize(
    "command",
    [
        ("grant", "--reason", "x"),
        ("revoke", "--reason", "x"),
        ("usage", "--at", "2026-11-20", "--reference", "a:1", "--reason", "x"),
    ],
    ids=lambda command: str(command[0]),
)
def test_what_is_no_number_of_credits_is_refused_with_the_way_to_take_some_away(
    seeded_sqlite: Settings, command: tuple[str, ...], amount: str
) -> None:
    name, *options = command

    ended = invoke("credits", name, "github:@octocat", amount, *options, "--key", "k", "--yes", settings=seeded_sqlite)

    assert ended.code == 2
    assert f"error: {amount} is no number of credits.\n" in ended.stderr
    assert "Give N from 1 to 1000000000; `tallyhook credits revoke REF N` takes credits back," in ended.stderr


def test_where_no_number_is_negative_a_misspelt_option_is_told_with_the_right_one(seeded_sqlite: Settings) -> None:
    ended = invoke("credits", "grant", "github:@octocat", "5", "--raeson", "x", settings=seeded_sqlite)

    assert ended.code == 2
    assert "No such option: --raeson" in ended.stderr
    assert "--reason" in ended.stderr

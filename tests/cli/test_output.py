"""What commands print: times, tables and text that can't drive a terminal."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from billing.values import EPOCH, NEVER
from bot.cli.output import (
    counting,
    credits_in_words,
    ledger_in_words,
    print_fields,
    print_table,
    printable,
    readable_time,
    rfc3339,
)

MOMENT = datetime(2026, 1, 10, 12, 30, 5, 123000, tzinfo=UTC)


@pytest.mark.parametrize("moment", [MOMENT, MOMENT.astimezone(timezone(timedelta(hours=5, minutes=30)))])
def test_times_are_told_in_utc(moment: datetime) -> None:
    assert rfc3339(moment) == "2026-01-10T12:30:05.123Z"
    assert readable_time(moment) == "2026-01-10 12:30:05Z"


@pytest.mark.parametrize("moment", [None, NEVER, EPOCH])
def test_what_never_comes_has_no_time(moment: datetime | None) -> None:
    assert rfc3339(moment) is None
    assert readable_time(moment, never="never") == "never"


def test_a_table_in_a_pipe_is_aligned_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("ID", "NAME", "N"), [("1", "a" * 200, "5"), ("22", "[b]x[/b]", "10")], empty="none", numbers=("N",))

    assert capsys.readouterr().out.splitlines() == [
        f"ID  NAME{' ' * 196}   N",
        f"1   {'a' * 200}   5",
        f"22  [b]x[/b]{' ' * 192}  10",
    ]


def test_an_empty_table_says_so_beside_the_data(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("ID",), [], empty="There is none.")

    assert capsys.readouterr() == ("", "There is none.\n")


def test_text_from_outside_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields([("login", "\x1b[31mred\x07"), ("longer name", "plain")])

    assert (
        capsys.readouterr().out
        == "login        \N{REPLACEMENT CHARACTER}[31mred\N{REPLACEMENT CHARACTER}\nlonger name  plain\n"
    )
    assert printable("Ünïcode stays") == "Ünïcode stays"


def test_credits_are_counted_in_words() -> None:
    assert [credits_in_words(count) for count in (0, 1, 2)] == ["0 credits", "1 credit", "2 credits"]
    assert ledger_in_words(1, 1) == "1 account with 1 entry"
    assert ledger_in_words(2, 0) == "2 accounts with 0 entries"


def test_progress_is_silent_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with counting("work") as show:
        show("2 of 3")

    assert capsys.readouterr() == ("", "")

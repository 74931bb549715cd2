"""What commands print: tables and lines for people, JSON for programs.

Data goes to stdout, everything said about it to stderr.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, time
from typing import Final

import typer

from billing.values import EPOCH, NEVER
from bot.cli.failures import CommandError

_COLUMN_GAP: Final = "  "


def rfc3339(moment: datetime | None) -> str | None:
    """The moment in UTC to the millisecond, as `--json` prints it; None for what never comes (or never came)."""
    if moment is None or moment in (NEVER, EPOCH):
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def readable_time(moment: datetime | None, *, never: str = "-") -> str:
    """The moment in UTC to the second, for people."""
    if moment is None or moment in (NEVER, EPOCH):
        return never
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def readable_day(moment: datetime | None, *, never: str = "-") -> str:
    """The moment for people, as its date where that says all: periods and bills begin and end at midnight UTC."""
    if moment is None or moment.astimezone(UTC).timetz() != time(tzinfo=UTC):
        return readable_time(moment, never=never)
    return readable_time(moment, never=never).partition(" ")[0]


def so_many(count: int, one: str, many: str = "") -> str:
    """A number of things in words; `many` is what several are called if it isn't `one` with an s."""
    return f"1 {one}" if count == 1 else f"{count} {many or one + 's'}"


def credits_in_words(count: int) -> str:
    """A number of credits in words."""
    return so_many(count, "credit")


def ledger_in_words(accounts: int, entries: int) -> str:
    """How large a ledger is, in words."""
    return f"{so_many(accounts, 'account')} with {so_many(entries, 'entry', 'entries')}"


def balance_in_words(balance: Mapping[str, int]) -> str:
    """A balance of `available`, `held` and `debt` in words; what is zero of the latter two isn't told."""
    parts = [f"{credits_in_words(balance['available'])} available"]
    parts += [f"{balance['held']} held"] if balance["held"] else []
    parts += [f"{balance['debt']} owed"] if balance["debt"] else []
    return ", ".join(parts)


def printable(text: str) -> str:
    """The text without control characters: logins and errors come from outside and must not drive the terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def print_json(value: object) -> None:
    """Print one JSON document."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def say(text: str) -> None:
    """Tell the person something that isn't the command's data."""
    typer.echo(text, err=True)


def tell_failure(error: CommandError) -> None:
    """Tell what is wrong, and the way out."""
    say("error: " + "\n       ".join(printable(line) for line in error.lines))


def print_lines(lines: Iterable[str]) -> None:
    """Print lines of text as data."""
    for line in lines:
        typer.echo(printable(line))


def print_fields(fields: Sequence[tuple[str, str]]) -> None:
    """Print names and values, one pair a line, the values aligned."""
    width = max(len(name) for name, _ in fields)
    for name, value in fields:
        typer.echo(f"{name.ljust(width)}  {printable(value)}".rstrip())


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str, numbers: Sequence[str] = ()
) -> None:
    """Print a table: with rules and wrapping on a terminal, plain aligned text elsewhere.

    Args:
        columns: the headings.
        rows: the cells, as many a row as there are columns.
        empty: what to say, on stderr, when there is no row.
        numbers: the headings of those columns that are aligned to the right.
    """
    if not rows:
        say(empty)
        return
    cells = [[printable(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _print_rich_table(columns, cells, numbers)
    else:
        _print_plain_table(columns, cells, numbers)


def _print_rich_table(columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[str]) -> None:
    """Print with rich, which measures the terminal. Cells are plain text: brackets in them are no markup."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def _print_plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[str]) -> None:
    """Print aligned columns that are never cut or wrapped, for files and pipes."""
    lines = [list(columns), *rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        aligned = [
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for cell, width, column in zip(line, widths, columns, strict=True)
        ]
        typer.echo(_COLUMN_GAP.join(aligned).rstrip())


@contextmanager
def counting(what: str) -> Iterator[Callable[[str], None]]:
    """Show on stderr how far long work has come, as text; nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _text: None
        return
    from rich.console import Console

    with Console(stderr=True).status(what) as status:
        yield lambda text: status.update(f"{what}: {text}")

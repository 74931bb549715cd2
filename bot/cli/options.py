"""The options that several commands share, and the form of the examples in their help."""

from typing import Annotated, Final

import typer

HELP_NAMES: Final = {"help_option_names": ["-h", "--help"]}


def _readable(text: str) -> str:
    """Refuse what no reference has: a byte of the command line that is no text, or a control character."""
    if not text.isprintable():
        raise typer.BadParameter("it holds something that can't be read as text")
    return text


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Go on without asking.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many at most.")]
Reference = Annotated[
    str,
    typer.Argument(metavar="REF", callback=_readable, help="A customer id, github:<account id> or github:@<login>."),
]
LARGEST_ID: Final = 2**63 - 1
Actor = Annotated[str, typer.Option(help="Who you are, for the record; without it, this machine's user.")]


def examples(*lines: str) -> str:
    """Return the part of a command's help that shows how it is called, each example on a line of its own."""
    # The backspace keeps the paragraph's line breaks.
    return "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))


def group(purpose: str, *example_lines: str) -> typer.Typer:
    """Return a group of commands; called without one, it shows its help."""
    return typer.Typer(
        help=purpose,
        epilog=examples(*example_lines),
        no_args_is_help=True,
        context_settings=HELP_NAMES,
        rich_markup_mode=None,
    )

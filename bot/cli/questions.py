"""Questions to the person at the terminal. Without a terminal nothing is guessed: the option that answers is named."""

import sys

import typer

from bot.cli.failures import CommandError, WrongUseError


def is_attended() -> bool:
    """Tell whether somebody can answer."""
    return sys.stdin.isatty()


def ask(question: str, *, option: str, hidden: bool = False, default: str | None = None) -> str:
    """Ask for a value.

    Raises:
        WrongUseError: nobody is there to answer.
    """
    if not is_attended():
        raise WrongUseError(f"{question} isn't given, and nobody is there to ask.", f"Give it by {option}.")
    answer: str = typer.prompt(question, hide_input=hidden, default=default, err=True)
    return answer.strip()


def agrees(question: str, *, option: str) -> bool:
    """Ask for a yes or a no; an empty answer is a no.

    Raises:
        WrongUseError: nobody is there to answer.
    """
    if not is_attended():
        raise WrongUseError(f"{question} Nobody is there to ask.", f"Say yes by {option}.")
    return typer.confirm(question, err=True)


def require_yes(question: str, *, yes: bool) -> None:
    """Return if the person agrees, or has agreed by `--yes`.

    Raises:
        CommandError: the person doesn't.
        WrongUseError: nobody is there to answer.
    """
    if not yes and not agrees(question, option="--yes"):
        raise CommandError("Nothing was done.", "Run the command again and answer y, or add --yes.")
